"""Is this run finished?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import ConfigError
from exlab_sync_tui.model.hold import HoldKind
from exlab_sync_tui.text import ago, count, duration, safe_text
from exlab_sync_tui.watch.signals import FileList, Quiet, Sentinel, Signal
from exlab_sync_tui.watch.survey import Survey, survey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exlab_sync_tui.model.run import RunFolder


class SignalKind(StrEnum):
    """``completeness_signal`` of the configuration."""

    SENTINEL_FILE = "sentinel_file"
    MANIFEST = "manifest"
    QUIESCENCE = "quiescence"


@dataclass(frozen=True, slots=True)
class CompletenessOptions:
    """How an instrument says that a run is finished (``FORMATS.md`` §4). Raises ``ConfigError`` if that cannot work.

    ``busy_patterns`` are names that mean *not finished*; one that has been there for ``busy_hint_seconds`` without any
    change in the run is probably forgotten. The file of the signal itself is never busy.
    """

    signal: SignalKind
    sentinel_filename: str | None = None
    manifest_filename: str | None = None
    settle_seconds: float = 30
    busy_patterns: tuple[str, ...] = ("*.partial", "*.part", "*.tmp", "*.crdownload", "~$*", "*.lock")
    litter_patterns: tuple[str, ...] = ("Thumbs.db", "desktop.ini", ".DS_Store", "._*")
    busy_hint_seconds: float = 86_400

    def __post_init__(self) -> None:
        if self.signal is not SignalKind.QUIESCENCE and not self.signal_file:
            needed = "sentinel_filename" if self.signal is SignalKind.SENTINEL_FILE else "manifest_filename"
            raise ConfigError(f"completeness_signal {self.signal.value} needs {needed}.")

    @property
    def signal_file(self) -> str:
        """Name of the file that gives the signal; empty for ``quiescence``."""
        names = {SignalKind.SENTINEL_FILE: self.sentinel_filename, SignalKind.MANIFEST: self.manifest_filename}
        return names.get(self.signal) or ""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a run saw.

    ``kind`` is the hold of a run that is not finished: ``acquiring``, or ``locked`` if something cannot be read.
    ``fingerprint`` is empty if the tree could not be read whole; ``since`` is when it was first seen as it is now.
    ``due`` is the moment at which stillness alone will have been long enough; ``None`` if something else is waited for.
    ``files`` and ``size`` (bytes) are those of the data files.
    """

    finished: bool
    sentence: str
    kind: HoldKind
    fingerprint: str
    since: datetime
    due: datetime | None = None
    files: int = 0
    size: int = 0


def look(
    run: RunFolder,
    options: CompletenessOptions,
    *,
    at: datetime,
    fingerprint: str | None = None,
    since: datetime | None = None,
    seen: datetime | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Look:
    """Look at a run once, at the moment *at*. One walk; for threads.

    *fingerprint*, *since* and *seen* are what the look before left: the tree, since when it was so, and when that was.
    A run is finished when its signal is given, no name is busy, every file opens, and the tree has been the same for
    ``settle_seconds`` between two of our own looks. A clock that went back starts the waiting anew.
    Raises ``OSError`` if the run folder itself is gone, ``StoppedError`` once *cancelled* says so.
    """
    if since is not None and max(since, seen or since) > at:
        fingerprint, since, seen = None, None, None
    settle = timedelta(seconds=options.settle_seconds)
    try:
        signal = _signal(run.path, options)
        found = survey(
            run.path,
            signal,
            busy_patterns=options.busy_patterns,
            litter_patterns=options.litter_patterns,
            signal_file=options.signal_file,
            window_ns=(_nanoseconds(seen or since or at - settle), _nanoseconds(at)),
            # opening every file is dear, so only a look that can be the last one does it
            try_files=at - (since or at) >= settle and not signal.absent(),
            cancelled=cancelled,
        )
    except OSError as error:
        if not run.path.is_dir():
            raise
        return _torn(error, run.path, at)
    still_since = since if since is not None and found.fingerprint == fingerprint else at
    return _Judgement(options, found, signal.missing(), at=at, since=still_since, is_first=since is None).passed()


def _signal(run: Path, options: CompletenessOptions) -> Signal:
    if options.signal is SignalKind.SENTINEL_FILE:
        return Sentinel(run, options.signal_file)
    if options.signal is SignalKind.MANIFEST:
        return FileList(run, options.signal_file)
    return Quiet()


def _torn(error: OSError, root: Path, at: datetime) -> Look:
    """A tree that could not be read whole has no fingerprint, so that stillness is counted anew."""
    name = safe_text(error.filename or root)
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        sentence = f"{name} went away while it was looked at; the run is still being written"
        return Look(finished=False, sentence=sentence, kind=HoldKind.ACQUIRING, fingerprint="", since=at)
    sentence = f"{name} cannot be read ({safe_text(error.strerror)}); it is tried again at the next look"
    return Look(finished=False, sentence=sentence, kind=HoldKind.LOCKED, fingerprint="", since=at)


class _Judgement:
    """Puts what was seen into one sentence."""

    def __init__(
        self,
        options: CompletenessOptions,
        found: Survey,
        missing: str,
        *,
        at: datetime,
        since: datetime,
        is_first: bool,
    ) -> None:
        self._options = options
        self._found = found
        self._missing = missing
        self._at = at
        self._since = since
        self._is_first = is_first
        self._still = (at - since).total_seconds()

    def passed(self) -> Look:
        found, settle = self._found, self._options.settle_seconds
        if found.busy and self._still >= self._options.busy_hint_seconds:
            return self._look(self._forgotten())
        if self._missing:
            return self._look(f"{self._activity()}; waiting for {self._missing}")
        if found.busy:
            more = f" and {found.busy_count - 1:,} more" if found.busy_count > 1 else ""
            return self._look(f"`{safe_text(found.busy)}`{more} is still being written, by its name")
        if self._still < settle:
            due = self._since + timedelta(seconds=settle)
            return self._look(f"{self._activity()}; finished once nothing changes for {duration(settle)}", due=due)
        if found.unreadable:
            return self._look(self._locked(), kind=HoldKind.LOCKED)
        given = f" and `{safe_text(self._options.signal_file)}` is there" if self._options.signal_file else ""
        return self._look(f"finished: nothing has changed for {duration(self._still)}{given}", finished=True)

    def _activity(self) -> str:
        found = self._found
        if self._since != self._at:
            return f"nothing has changed for {duration(self._still)}"
        if found.recent:
            newest = datetime.fromtimestamp(found.newest_ns / 1e9, UTC)
            return f"{count(found.recent, 'file')} changed {ago(newest, self._at)}"
        return "seen for the first time" if self._is_first else "something changed since the last look"

    def _forgotten(self) -> str:
        name = safe_text(self._found.busy)
        return (
            f"`{name}` has a name that means unfinished, but nothing has changed for {duration(self._still)}: "
            "if nothing writes it any more, rename or remove it"
        )

    def _locked(self) -> str:
        found = self._found
        more = f" and {found.unreadable_count - 1:,} more" if found.unreadable_count > 1 else ""
        return (
            f"`{safe_text(found.unreadable)}`{more} cannot be read ({safe_text(found.reason)}); "
            "it is tried again at the next look"
        )

    def _look(
        self, sentence: str, *, finished: bool = False, kind: HoldKind = HoldKind.ACQUIRING, due: datetime | None = None
    ) -> Look:
        found = self._found
        return Look(finished, sentence, kind, found.fingerprint, self._since, due, found.files, found.size)


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000
