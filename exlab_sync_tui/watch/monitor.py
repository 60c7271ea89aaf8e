"""Where has something just changed? Hints from the system's events, or by the clock where it sends none.

Hints make things faster, never right: events get lost, overflow and do not come from other PCs, so the rescan is the
truth (``ARCHITECTURE.md`` decision 3). Containers are watched without what is below them, open runs with everything in
them, finished trees not at all. Each of the two kinds is one set of watches in a thread of its own, which is built anew
when other folders are to be watched; the old one goes on until the new one stands.

Where events do not come (network file systems, FUSE) or could not be asked for (the system's limits), the instrument is
hinted at as a whole every ``poll_seconds``.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVarTuple

import watchfiles

from exlab_sync_tui.platform import tells_changes
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping

    from exlab_sync_tui.model.clock import Clock

_GATHER_MS = 400
_STEP_MS = 100
_ALIVE_MS = 250
_COALESCE_SECONDS = 0.2
_MEND_SECONDS = 30.0
_MOST_RUNS = 500
"""Open runs watched at the same time, the newest; looks at the others wait for the rescan."""
_LIMITS = ("watch limit", "too many open files", "no space left on device", "os error 28", "os error 24")
_OURS = ".exlab-"
_Told = TypeVarTuple("_Told")


@dataclass(frozen=True, slots=True)
class Hint:
    """Something may have changed: ``path`` is an open run, or what came or went in a container; empty if anywhere."""

    equipment_id: str
    path: str = ""


class Watch(Protocol):
    """What of ``watchfiles.watch`` is used; yields sets of ``(change, path)``, an empty one every so often."""

    def __call__(
        self, *paths: str, recursive: bool, stop_event: threading.Event
    ) -> Iterator[Collection[tuple[object, str]]]:
        """Watch until *stop_event* is set. Raises ``OSError`` or ``RuntimeError`` when that cannot be done."""
        ...


@dataclass(frozen=True, slots=True)
class _Aim:
    """What one instrument wants to have watched."""

    containers: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()


@dataclass(slots=True)
class _Eye:
    """One set of watches. ``owners`` maps each watched folder to its instrument."""

    owners: Mapping[str, str]
    recursive: bool
    stop: threading.Event = field(default_factory=threading.Event)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    thread: threading.Thread | None = None
    failure: str = ""


class Monitor:
    """Hints for all instruments. ``say`` takes a sentence for the operator; *watch* is for tests."""

    def __init__(
        self,
        clock: Clock,
        say: Callable[[str], None],
        *,
        poll_seconds: float = 2.0,
        watch: Watch | None = None,
        tells: Callable[[str], bool] = tells_changes,
    ) -> None:
        self._clock = clock
        self._say = say
        self._poll_seconds = poll_seconds
        self._watch = watch or _watch
        self._tells = tells
        self._aims: dict[str, _Aim] = {}
        self._blind: set[str] = set()
        self._eyes: dict[bool, _Eye] = {}
        self._limited: dict[bool, str] = {}
        self._fresh: set[Hint] = set()
        self._news = asyncio.Event()
        self._aimed = asyncio.Event()
        self._told = ""
        self._mend_at: float | None = None

    def aim(self, equipment_id: str, *, containers: Collection[str], runs: Collection[str]) -> None:
        """Watch these folders from now on; of *runs*, oldest first, the newest few hundred. Cheap if nothing is new."""
        aim = _Aim(tuple(sorted(containers)), tuple(runs)[-_MOST_RUNS:])
        if self._aims.get(equipment_id) != aim:
            self._aims[equipment_id] = aim
            self._aimed.set()

    def sees(self, equipment_id: str) -> bool:
        """Whether changes of this instrument are told by events; otherwise it is polled."""
        return equipment_id not in self._blind and not self._limited

    async def hints(self) -> AsyncGenerator[set[Hint], None]:
        """What may have changed, as it happens, until the generator is closed; then nothing is watched any more."""
        tasks = [asyncio.create_task(self._keep_aim()), asyncio.create_task(self._poll())]
        try:
            while True:
                news = asyncio.ensure_future(self._news.wait())
                try:
                    await asyncio.wait({news, *tasks}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    news.cancel()
                for task in tasks:
                    if task.done():
                        task.result()
                self._news.clear()
                fresh, self._fresh = self._fresh, set()
                if fresh:
                    yield fresh
        finally:
            threads = [eye.thread for eye in self._eyes.values() if eye.thread is not None]
            for eye in self._eyes.values():
                eye.stop.set()  # before anything is awaited: whoever cancels twice must not leave a thread behind
            self._eyes = {}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for thread in threads:
                await asyncio.to_thread(thread.join)

    async def _keep_aim(self) -> None:
        """Build the watches anew when something else is to be watched, or when they broke."""
        while True:
            await self._aimed.wait()
            await self._clock.sleep(_COALESCE_SECONDS)
            self._aimed.clear()
            self._blind = await asyncio.to_thread(self._find_blind, dict(self._aims))
            for recursive in (False, True):
                await self._renew(recursive=recursive)
            self._tell_limits()

    def _find_blind(self, aims: Mapping[str, _Aim]) -> set[str]:
        return {
            equipment_id for equipment_id, aim in aims.items() if aim.containers and not self._tells(aim.containers[0])
        }

    async def _renew(self, *, recursive: bool) -> None:
        owners = await asyncio.to_thread(self._owners, dict(self._aims), recursive=recursive)
        old = self._eyes.get(recursive)
        if old is not None and not old.failure and old.owners == owners:
            return
        eye = _Eye(owners, recursive)
        if owners:
            eye.thread = threading.Thread(
                target=self._look_out, args=(eye, asyncio.get_running_loop()), name="monitor", daemon=True
            )
            eye.thread.start()
            try:
                await eye.ready.wait()
            except asyncio.CancelledError:
                eye.stop.set()
                raise
        if old is not None:
            old.stop.set()
        self._eyes[recursive] = eye
        self._limited.pop(recursive, None)
        if eye.failure:
            self._failed(eye)
        else:  # what changed between the look that found a folder and its first watch has been missed
            known = old.owners if old is not None else {}
            self._note({Hint(owner, path) for path, owner in owners.items() if path not in known})

    def _owners(self, aims: Mapping[str, _Aim], *, recursive: bool) -> dict[str, str]:
        return {
            path: equipment_id
            for equipment_id, aim in aims.items()
            if equipment_id not in self._blind
            for path in (aim.runs if recursive else aim.containers)
            if _can_be_watched(path)
        }

    def _look_out(self, eye: _Eye, loop: asyncio.AbstractEventLoop) -> None:
        """The thread of one set of watches."""
        failure = "the watching ended by itself"
        try:
            for changes in self._watch(*eye.owners, recursive=eye.recursive, stop_event=eye.stop):
                _tell(loop, eye.ready.set)
                found = {hint for _, path in changes if (hint := _hint(path, eye)) is not None}
                if found:
                    _tell(loop, self._note, found)
        except (OSError, RuntimeError) as error:
            failure = safe_text(error) or type(error).__name__
        if not eye.stop.is_set():
            _tell(loop, self._ended, eye, failure)

    def _note(self, hints: set[Hint]) -> None:
        if hints:
            self._fresh |= hints
            self._news.set()

    def _ended(self, eye: _Eye, failure: str) -> None:
        """A set of watches broke: anything may have changed, and it is built again after a while."""
        eye.failure = failure
        if not eye.ready.is_set():
            eye.ready.set()
        elif self._eyes.get(eye.recursive) is eye:
            self._failed(eye)
            self._tell_limits()

    def _failed(self, eye: _Eye) -> None:
        if any(sign in eye.failure.lower() for sign in _LIMITS):
            self._limited[eye.recursive] = _limit_sentence(eye.failure)
        self._note({Hint(owner) for owner in eye.owners.values()})
        self._mend_at = self._clock.monotonic() + _MEND_SECONDS

    def _tell_limits(self) -> None:
        sentence = next(iter(self._limited.values()), "")
        if sentence and sentence != self._told:
            self._say(sentence)
        self._told = sentence

    async def _poll(self) -> None:
        while True:
            await self._clock.sleep(self._poll_seconds)
            self._note({Hint(equipment_id) for equipment_id in self._aims if not self.sees(equipment_id)})
            if self._mend_at is not None and self._clock.monotonic() >= self._mend_at:
                self._mend_at = None
                self._aimed.set()


def _watch(*paths: str, recursive: bool, stop_event: threading.Event) -> Iterator[Collection[tuple[object, str]]]:
    return watchfiles.watch(
        *paths,
        watch_filter=None,
        debounce=_GATHER_MS,
        step=_STEP_MS,
        stop_event=stop_event,
        rust_timeout=_ALIVE_MS,
        yield_on_timeout=True,
        raise_interrupt=False,
        force_polling=False,
        recursive=recursive,
        ignore_permission_denied=True,
    )


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[[*_Told], object], *told: *_Told) -> None:
    with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
        loop.call_soon_threadsafe(callback, *told)


def _hint(path: str, eye: _Eye) -> Hint | None:
    """The watched run that *path* lies in, or what lies directly in a watched container; nothing for our own writes."""
    place, inside = path, ""
    while place not in eye.owners:
        place, _, inside = place.rpartition("/")
        if not place:
            return None
    if inside.startswith(_OURS):
        return None
    return Hint(eye.owners[place], place if eye.recursive or not inside else f"{place}/{inside}")


def _can_be_watched(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:  # watchfiles takes UTF-8 only; the rescan finds what changes there
        return False
    return Path(path).is_dir()


def _limit_sentence(failure: str) -> str:
    instances = "24" in failure or "open files" in failure.lower()
    name = "fs.inotify.max_user_instances" if instances else "fs.inotify.max_user_watches"
    now = _limit(name)
    figure = f" ({now:,} now)" if now else ""
    more = max(4 * now, 1_024 if instances else 524_288)
    return (
        f"The system lets this user watch no more folders: {name}{figure} is used up. Folders are looked at every few"
        f" seconds instead, which costs more; raise it with `sysctl -w {name}={more}`, and in /etc/sysctl.d to keep it."
    )


def _limit(name: str) -> int:
    try:
        return int(Path("/proc/sys", *name.split(".")).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
