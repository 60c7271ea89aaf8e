"""How is ``creation.json`` read and changed while another program may be changing it, too?"""

from __future__ import annotations

import copy
import errno
import hashlib
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from exlab_sync_tui.errors import (
    CreationDuplicateKeysError,
    CreationInvalidError,
    CreationLockedError,
    CreationUnwritableError,
)
from exlab_sync_tui.model.run import CACHE_FOLDER
from exlab_sync_tui.provenance.atomic import LOCK_SECONDS, LockBusyError, locked, remove_stale, write_atomic
from exlab_sync_tui.provenance.creation_view import (
    CREATION_NAME,
    OUR_VERSION,
    Creation,
    parse_creation,
    read_bytes,
    read_creation,
)
from exlab_sync_tui.provenance.overrides import has_id, new_override, new_tombstone, refuse_revoking
from exlab_sync_tui.provenance.verbatim import render_object
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

__all__ = ["CREATION_NAME", "Creation", "CreationWriter", "read_creation"]

_STATUS = "sync_status"
_OVERRIDES = "validation_overrides"
_VERSION = "schema_version"
_OURS = frozenset({_STATUS, _OVERRIDES, _VERSION})
_BLOCKED = "blocked_by_validation"
_SETTLED = frozenset({"synced", "cleaned"})
"""What a later finding of the gate never replaces."""


class CreationWriter:
    """Changes ``creation.json`` under its lock, atomically, and nothing in it but what is ours (``FORMATS.md`` §2).

    Every method blocks and belongs in a thread. All raise what ``read_creation`` raises, and ``CreationLockedError``
    after *lock_seconds*, ``CreationUnwritableError`` if the system refuses, ``CreationDuplicateKeysError`` for a file
    that could not be written without loss.
    """

    def __init__(
        self,
        *,
        lock_seconds: float = LOCK_SECONDS,
        wait: Callable[[float], None] = time.sleep,
        new_id: Callable[[], object] = uuid4,
    ) -> None:
        self._lock_seconds = lock_seconds
        self._wait = wait
        self._new_id = new_id

    def set_sync_status(self, run: Path, status: str) -> Creation:
        """Store *status*; ``blocked_by_validation`` leaves ``synced`` and ``cleaned`` as they are."""
        return self.update(run, lambda document: _put_status(document, status))

    def add_override(
        self,
        run: Path,
        *,
        problem_class: str,
        operator: str,
        reason: str,
        recorded_at: datetime,
        expires_at: datetime | None = None,
    ) -> Creation:
        """Append an override; raises ``RefusedError`` without a class, a name or a reason."""
        entry = new_override(
            str(self._new_id()),
            problem_class=problem_class,
            operator=operator,
            reason=reason,
            recorded_at=recorded_at,
            expires_at=expires_at,
        )
        return self.update(run, lambda document: _entries(document).append(entry))

    def revoke_override(
        self, run: Path, override_id: str, *, operator: str, reason: str, recorded_at: datetime
    ) -> Creation:
        """Append a tombstone for *override_id*.

        Raises ``NotFoundError`` if the run has no such override, ``RefusedError`` without a name or a reason, for a
        tombstone, and for an override that was revoked before.
        """
        entry = new_tombstone(
            str(self._new_id()), override_id, operator=operator, reason=reason, recorded_at=recorded_at
        )

        def append(document: dict[str, Any]) -> None:
            entries = _entries(document)
            refuse_revoking(entries, override_id)
            entries.append(entry)

        return self.update(run, append)

    def update(self, run: Path, mutate: Callable[[dict[str, Any]], object]) -> Creation:
        """Let *mutate* change ``sync_status`` and ``validation_overrides`` in the document; what is on disk afterwards.

        Whatever *mutate* raises leaves the file as it was; touching anything else is a ``ValueError``. A change that
        changes nothing is not written.
        """
        read_bytes(run)  # where there is nothing to change, no lock file is made either
        with self._lock(run):
            before = parse_creation(read_bytes(run), run)
            data = _changed(before, run, mutate)
            if data is None:
                return before
            path = run / CACHE_FOLDER / CREATION_NAME
            with _writing(run):
                remove_stale(path)
                write_atomic(path, data, keep_mode_of=path)
            return parse_creation(data, run)

    def write_creation(self, run: Path, document: dict[str, Any]) -> Creation:
        """Write the first ``creation.json`` of a run; ``FileExistsError`` if there is one, which stays as it is."""
        data = _render(document, run)
        creation = parse_creation(data, run)
        path = run / CACHE_FOLDER / CREATION_NAME
        with _writing(run):
            path.parent.mkdir(exist_ok=True)
        with self._lock(run):
            if path.exists() or path.is_symlink():
                raise FileExistsError(errno.EEXIST, "The run has a creation.json already", str(path))
            with _writing(run):
                write_atomic(path, data)
        return creation

    def rendered(self, run: Path, *, sync_status: str) -> bytes:
        """The bytes that the file would have after ``set_sync_status``, for the far copy; nothing is written."""
        data = read_bytes(run)
        return _changed(parse_creation(data, run), run, lambda document: _put_status(document, sync_status)) or data

    @contextmanager
    def _lock(self, run: Path) -> Iterator[None]:
        with ExitStack() as held:
            with _writing(run):
                path = run / CACHE_FOLDER / CREATION_NAME
                held.enter_context(locked(path, seconds=self._lock_seconds, wait=self._wait))
            yield


@contextmanager
def _writing(run: Path) -> Iterator[None]:
    """Say what kept us from writing: those are debts, other errors are not."""
    try:
        yield
    except LockBusyError as error:
        raise CreationLockedError(
            f"creation.json of {safe_text(run)} is locked: {error}; the change is remembered and tried again."
        ) from error
    except OSError as error:
        raise CreationUnwritableError(
            f"creation.json of {safe_text(run)} cannot be written: {error.strerror}; "
            "the change is remembered and tried again."
        ) from error


def _changed(before: Creation, run: Path, mutate: Callable[[dict[str, Any]], object]) -> bytes | None:
    """The new bytes, or ``None`` if the document stays equal."""
    if before.duplicate_keys:
        raise CreationDuplicateKeysError(
            f"creation.json of {safe_text(run)} has the key {safe_text(before.duplicate_keys[0])!r} twice, so it "
            "cannot be written without losing one of them; remove the wrong one."
        )
    document = copy.deepcopy(before.raw)
    mutate(document)
    if _foreign(document, run) != _foreign(before.raw, run):
        raise ValueError(f"only {', '.join(sorted(_OURS))} of creation.json may be changed")
    document[_VERSION] = before.schema_version
    if before.version < OUR_VERSION:
        document[_VERSION] = ".".join(map(str, OUR_VERSION))
    _name_entries(document)
    data = _render(document, run)
    return None if data == _render(before.raw, run) else data


def _put_status(document: dict[str, Any], status: str) -> None:
    if not (status == _BLOCKED and document.get(_STATUS) in _SETTLED):
        document[_STATUS] = status


def _entries(document: dict[str, Any]) -> list[Any]:
    if document.get(_OVERRIDES) is None:
        document[_OVERRIDES] = []
    entries: list[Any] = document[_OVERRIDES]
    return entries


def _name_entries(document: dict[str, Any]) -> None:
    """Give each entry without an id one that follows from its content, so that the far copy has the same."""
    for place, entry in enumerate(document.get(_OVERRIDES) or ()):
        if isinstance(entry, dict) and not has_id(entry):
            seed = hashlib.sha256(b"%d %b" % (place, render_object(entry))).digest()
            entry["id"] = str(UUID(bytes=seed[:16], version=4))


def _foreign(document: dict[str, Any], run: Path) -> bytes:
    return _render({key: value for key, value in document.items() if key not in _OURS}, run)


def _render(document: dict[str, Any], run: Path) -> bytes:
    try:
        return render_object(document)
    except (TypeError, ValueError) as error:
        said = f"creation.json of {safe_text(run)} cannot be written: {error}; repair it."
        raise CreationInvalidError(said) from error
