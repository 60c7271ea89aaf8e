"""Who does in the sample lab what the script says? Writes, renames and moves in the lab's own folder, nowhere else."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exlab_sync_tui.demo.lab import SIGNALS, run_files
from exlab_sync_tui.demo.story import Deed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exlab_sync_tui.demo.instruments import SampleFile
    from exlab_sync_tui.demo.lab import SampleLab, SampleRun
    from exlab_sync_tui.demo.story import Scene
    from exlab_sync_tui.model.clock import Clock

_PLACEHOLDER, _FILLED_IN = "<sample>", "S12"


@dataclass(slots=True)
class _Writing:
    """A run that is being written: the files that are not finished, and how many bytes of the first one are there."""

    data: list[SampleFile]
    signal: list[SampleFile]
    size: int = field(init=False)
    offset: int = 0
    written: int = 0

    def __post_init__(self) -> None:
        self.size = sum(len(content) for _, content in self.data)
        self.data.reverse()


class Stage:
    """The lab on the disk. Files get the time of *clock*, as the engine's clock may go faster than the machine's."""

    def __init__(self, lab: SampleLab, clock: Clock) -> None:
        self._lab = lab
        self._clock = clock
        self._writing: dict[Path, _Writing] = {}
        self._deeds: dict[Deed, Callable[[SampleRun], None]] = {
            Deed.FINISH: self._finish,
            Deed.REPAIR: self._repair,
            Deed.CLEAR: self._clear,
        }

    @property
    def runs(self) -> tuple[SampleRun, ...]:
        """Every run of the lab."""
        return self._lab.runs

    async def perform(self, scene: Scene) -> None:
        """Do what the scene says; ``RETRY`` and ``REST`` are not done here."""
        await asyncio.to_thread(self._perform, scene)

    def _perform(self, scene: Scene) -> None:
        off = self._lab.nas.with_name("nas, switched off")
        if scene.deed is Deed.SWITCH_OFF:
            self._lab.nas.rename(off)
        elif scene.deed is Deed.SWITCH_ON:
            off.rename(self._lab.nas)
        elif scene.run is not None and scene.deed is Deed.WRITE:
            self._write(scene.run, scene.share)
        elif scene.run is not None and scene.deed in self._deeds:
            self._deeds[scene.deed](scene.run)

    def _write(self, run: SampleRun, share: float) -> None:
        writing = self._writing_of(run)
        goal = round(writing.size * share)
        while writing.data and writing.written < goal:
            rel, content = writing.data[-1]
            piece = content[writing.offset :][: goal - writing.written]
            self._append(run.path / rel, piece)
            writing.offset += len(piece)
            writing.written += len(piece)
            if writing.offset == len(content):
                writing.data.pop()
                writing.offset = 0

    def _finish(self, run: SampleRun) -> None:
        writing = self._writing_of(run)
        self._write(run, 1.0)
        for rel, content in (*reversed(writing.data), *writing.signal):  # of data, only empty files are left
            self._append(run.path / rel, content)
        del self._writing[run.path]

    def _writing_of(self, run: SampleRun) -> _Writing:
        if run.path not in self._writing:
            files = list(run_files(self._lab, run))
            signal = [file for file in files if file[0] in SIGNALS]
            self._writing[run.path] = _Writing([file for file in files if file[0] not in SIGNALS], signal)
        return self._writing[run.path]

    def _append(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(content)
        moment = self._clock.now().timestamp()
        os.utime(path, (moment, moment))

    def _repair(self, run: SampleRun) -> None:
        for path in sorted(run.path.rglob(f"*{_PLACEHOLDER}*")):
            path.rename(path.with_name(path.name.replace(_PLACEHOLDER, _FILLED_IN)))

    def _clear(self, run: SampleRun) -> None:
        there = self._lab.root / "moved away from the NAS" / run.nas_path
        there.parent.mkdir(parents=True)
        (self._lab.nas / run.nas_path).rename(there)
