"""What does a copying child do? It takes batches of files from its stdin, moves and proves them, and answers on stdout.

A process of its own, so that neither hashing nor a NAS that hangs can hold the engine, and importing nothing but the
basics, so that it is there in a hundredth of a second. It ends as soon as the engine is gone. The file descriptors that
it inherits are the destination's root, through which the marker was read, and the engine's lease, which therefore stays
taken until no child writes any more.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, TypeAlias

from exlab_sync_tui.transport.copier.send import Checker, Sender
from exlab_sync_tui.transport.copier.wire import Flow, Pipe, Side
from exlab_sync_tui.tree.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Sequence

_Task: TypeAlias = tuple[Any, ...]


class _Work:
    """Carries out tasks; keeps the folders of the last one open for the next."""

    def __init__(self, root: Folder, flow: Flow) -> None:
        self._root = root
        self._flow = flow
        self._place: tuple[str, ...] = ()
        self._far: Folder | None = None
        self._hand: Sender | Checker | None = None

    def do(self, task: _Task) -> tuple[object, ...]:
        """One task, ``("send", near, errand, far, parts)`` or ``("check", errand, far, parts)``: outcomes, trouble."""
        *place, parts = task
        try:
            hand = self._at(tuple(place))
        except OSError as error:
            return [], (Side.FAR, "", error.errno or 0, "")
        return hand.send(parts) if isinstance(hand, Sender) else hand.check(parts)

    def _at(self, place: tuple[str, ...]) -> Sender | Checker:
        if place != self._place or self._hand is None:
            self.close()
            self._far = self._root.below(place[-1])
            send = place[0] == "send"
            self._hand = Sender(place[1], self._far, self._flow) if send else Checker(self._far, self._flow)
            self._place = place
        return self._hand

    def close(self) -> None:
        """Close what is open."""
        if self._hand is not None:
            self._hand.close()
            self._hand = None
        if self._far is not None:
            self._far.close()
            self._far = None


def main(arguments: Sequence[str]) -> None:
    """Serve until the engine closes the pipe. Arguments: the root's descriptor or ``-``, its path, ``limited|free``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl+c is for the engine, which then ends us
    descriptor, path, limited = arguments
    pipe = Pipe(sys.stdin.fileno(), sys.stdout.fileno())
    flow = Flow(pipe, limited=limited == "limited")
    tasks: queue.SimpleQueue[_Task] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, flow, tasks), name="listener", daemon=True).start()
    root = Folder(path, int(descriptor)) if descriptor != "-" else Folder.root(path)
    work = _Work(root, flow)
    try:
        while True:
            outcomes, trouble = work.do(tasks.get())
            pipe.write("done", outcomes, trouble, flow.counts())
    except Exception:  # noqa: BLE001  # told to the engine, which raises it
        pipe.write("crash", traceback.format_exc())
        os._exit(1)


def _listen(pipe: Pipe, flow: Flow, tasks: queue.SimpleQueue[_Task]) -> None:
    """Sort what comes in; nobody there any more means to stop at once, wherever the work is."""
    while (frame := pipe.read()) is not None:
        if frame[0] == "grant":
            flow.grant(frame[1])
        else:
            tasks.put(frame)
    os._exit(0)
