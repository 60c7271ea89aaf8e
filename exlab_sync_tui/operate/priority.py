"""How much may the engine get in the way of the instrument's own software? It steps back as far as is asked for."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Literal, TypeAlias

import psutil

Priority: TypeAlias = Literal["normal", "low", "idle"]

_NICE = {"low": 10, "idle": 19}
_LEAST_URGENT = 7
"""Of the best-effort class of Linux' disk scheduler (ioprio_set(2)); 0 comes first."""


def step_back(priority: Priority) -> None:
    """Lower this process and all that it will start, for the processor and, on Linux and Windows, for the disk.

    ``normal`` changes nothing. A priority is never raised: what the operator started lower than asked stays there.
    What the system refuses is left as it is: the engine then works as any other program does.
    """
    if priority == "normal":
        return
    process = psutil.Process()
    with suppress(psutil.Error, OSError):
        _for_the_processor(process, priority)
    with suppress(psutil.Error, OSError):
        _for_the_disk(process, priority)


def _for_the_processor(process: psutil.Process, priority: Priority) -> None:
    if sys.platform == "win32":
        process.nice(psutil.IDLE_PRIORITY_CLASS if priority == "idle" else psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        process.nice(max(_NICE[priority], process.nice()))


def _for_the_disk(process: psutil.Process, priority: Priority) -> None:
    if sys.platform == "win32":
        process.ionice(psutil.IOPRIO_VERYLOW if priority == "idle" else psutil.IOPRIO_LOW)
    elif sys.platform == "linux" and process.ionice().ioclass != psutil.IOPRIO_CLASS_IDLE:
        if priority == "idle":
            process.ionice(psutil.IOPRIO_CLASS_IDLE)
        else:
            process.ionice(psutil.IOPRIO_CLASS_BE, _LEAST_URGENT)
