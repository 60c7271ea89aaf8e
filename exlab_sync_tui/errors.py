"""What can go wrong? Each class's docstring is the sentence that the operator reads when none more exact was given."""

from __future__ import annotations

import inspect
from enum import StrEnum


class ExlabSyncError(Exception):
    """Something went wrong in exlab-sync; the log has the details."""

    exit_code = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join((inspect.getdoc(type(self)) or "").split()))


class ConfigError(ExlabSyncError):
    """The configuration cannot be used; run `exlab-sync config check` to see every problem in it."""

    exit_code = 7


class UsageError(ExlabSyncError):
    """The command was not understood; `--help` shows how it is written."""

    exit_code = 2


class NotFoundError(ExlabSyncError):
    """There is no such run; `exlab-sync list` shows the ones that are known."""

    exit_code = 3


class UnknownEquipmentError(NotFoundError):
    """This folder does not lie below any configured instrument's folder; `exlab-sync config show` lists them."""


class OrphanRunError(ExlabSyncError):
    """The run has no readable creation.json, so it cannot be queued; let ExLab-Wizard make one."""

    exit_code = 11


class RefusedError(ExlabSyncError):
    """The action does not fit the state of the run; `exlab-sync why RUN` says what it is waiting for."""


class EngineNeededError(ExlabSyncError):
    """This needs a running engine and none runs; start one with `exlab-sync run`."""

    exit_code = 12


class EngineRunningError(ExlabSyncError):
    """Another engine already drives this store; `exlab-sync status` shows what it is doing."""

    exit_code = 5


class FolderOwnedError(ExlabSyncError):
    """Another store already owns this folder; use that store, or remove its ownership file once it is retired."""


class StateFolderError(ExlabSyncError):
    """The state folder cannot be used; choose a writable folder on a local disk with --state."""

    exit_code = 7


class StoreError(ExlabSyncError):
    """The job store cannot be read or written; check the disk that holds the state folder."""


class StoreTooNewError(StoreError):
    """The job store was written by a newer exlab-sync; upgrade this program, the store was left untouched."""


class StoreDamagedError(StoreError):
    """The job store is damaged and was left untouched; `exlab-sync run` sets it aside and rebuilds it."""


class IllegalTransitionError(StoreError):
    """A job was asked to make a step that its state does not allow; nothing was changed."""


class StoppedError(ExlabSyncError):
    """The work was stopped because somebody asked for it; it goes on where it was."""

    exit_code = 5


class UnsafePathError(ExlabSyncError):
    """A path does not stay inside its folder; rename it."""


class CreationError(ExlabSyncError):
    """creation.json cannot be read; repair it or let ExLab-Wizard write it again."""


class CreationVersionError(CreationError):
    """creation.json has a schema version that this program does not know (major 1 is ours)."""


class CreationInvalidError(CreationError):
    """creation.json lacks a part that this program needs."""


class CreationLockedError(CreationError):
    """creation.json is locked by another program; the change is remembered and tried again."""


class CreationDuplicateKeysError(CreationInvalidError):
    """creation.json has a key twice, so it cannot be written without losing one of them; remove the wrong one."""


class CreationUnwritableError(CreationError):
    """creation.json cannot be written; the change is remembered and tried again."""


class IngestError(ExlabSyncError):
    """ingest.json cannot be continued; repair it or let ExLab-Wizard write it again."""


class NotifyError(ExlabSyncError):
    """A notification cannot be sent; `exlab-sync notify test` says why."""


class TransportErrorKind(StrEnum):
    """Classes of failure; the reaction to each is the table in ``FORMATS.md`` §6."""

    NETWORK = "network"
    AUTH = "auth"
    HASH_MISMATCH = "hash_mismatch"
    LOCAL_FILE_VANISHED = "local_file_vanished"
    UNKNOWN = "unknown"
    NO_SPACE = "no_space"
    PERMISSION = "permission"
    READ_ONLY = "read_only"
    CONFLICT = "conflict"
    LOCKED = "locked"
    CHANGED = "changed"
    SET_UP = "set_up"
    WRONG_DESTINATION = "wrong_destination"
    NAMES = "names"
    OVERSIZE = "oversize"


class TransportError(ExlabSyncError):
    """Moving the run failed; `exlab-sync why RUN` says when it is tried again."""

    def __init__(
        self,
        message: str | None = None,
        error_kind: TransportErrorKind = TransportErrorKind.UNKNOWN,
        *,
        needed_bytes: int = 0,
    ) -> None:
        super().__init__(message)
        self.error_kind = error_kind
        self.needed_bytes = needed_bytes
        """Of ``NO_SPACE``, where it is known: how much room would do."""
