"""Where does the program's own log go? Into a rotating file of the state folder, as text or JSON lines."""

from __future__ import annotations

import json
import logging
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import ExlabSyncError, StateFolderError
from exlab_sync_tui.operate.state_folder import log_path
from exlab_sync_tui.text import safe_text, utc, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exlab_sync_tui.settings import LoggingBlock

LOGGER = "exlab_sync_tui"
_MB = 1_000_000
_EXTRAS = ("job_id", "equipment_id", "run_path")
_SHOWN_OF_AN_ID = 8


class TextLines(logging.Formatter):
    """``2025-03-03T08:00:00Z INFO engine: text [CONFOCAL_01 Run_1 job 1a2b3c4d]``; a traceback follows below.

    All lines of one run have the same brackets, so `grep 1a2b3c4d` tells its story.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One record; its message cannot make a line of its own."""
        room = record.name.removeprefix(LOGGER).lstrip(".") or "exlab-sync"
        text = f"{without_secrets(record.getMessage())}{_about(record)}"
        line = f"{_moment(record)} {record.levelname} {room}: {text}"
        trace = self.formatException(record.exc_info).split("\n") if record.exc_info else []
        return "\n".join([line, *(without_secrets(part) for part in trace)])


def _about(record: logging.LogRecord) -> str:
    """What the record is about, in brackets; empty for the engine as a whole."""
    equipment_id, run_path, job_id = (getattr(record, name, "") for name in ("equipment_id", "run_path", "job_id"))
    parts = [
        equipment_id,
        run_path.rpartition("/")[2],
        f"job {job_id[:_SHOWN_OF_AN_ID]}" if job_id else "",
    ]
    told = " ".join(safe_text(part) for part in parts if part)
    return f" [{told}]" if told else ""


class JsonLines(logging.Formatter):
    """One JSON object per record."""

    def format(self, record: logging.LogRecord) -> str:
        """The keys ``at level logger message``, ids where there are some, and ``trace`` for an exception."""
        data: dict[str, object] = {
            "at": _moment(record),
            "level": record.levelname,
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
        }
        data |= {name: value for name in _EXTRAS if (value := getattr(record, name, ""))}
        if record.exc_info:
            data["trace"] = [without_secrets(line) for line in self.formatException(record.exc_info).split("\n")]
        return json.dumps(data)


class SharedLog(RotatingFileHandler):
    """One file for the engine and the verbs beside it: whoever finds it begun anew by another process goes on there."""

    def shouldRollover(self, record: logging.LogRecord) -> int:  # noqa: N802  # the base class's name
        """Asked before every record."""
        open_file = self.stream
        if open_file is not None and not _is_at(open_file.fileno(), self.baseFilename):
            open_file.close()
            self.stream = self._open()
        return super().shouldRollover(record)


def _is_at(fd: int, place: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), Path(place).stat())
    except FileNotFoundError:
        return False


@contextmanager
def logging_to(state: Path, block: LoggingBlock) -> Iterator[Path]:
    """Write our log below *state* meanwhile; an unexpected exception is written there with its traceback.

    Raises ``StateFolderError`` if the file cannot be made.
    """
    path = log_path(state)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = SharedLog(
            path, maxBytes=block.central_log_max_mb * _MB, backupCount=block.central_log_keep, encoding="utf-8"
        )
    except OSError as error:
        raise StateFolderError(
            f"The log {safe_text(path)} cannot be written: {error.strerror}. Choose another state folder with --state."
        ) from error
    handler.setFormatter(JsonLines() if block.as_json else TextLines())
    logger = logging.getLogger(LOGGER)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(block.level)
    try:
        yield path
    except ExlabSyncError:
        raise
    except Exception:
        logger.exception("unexpected error")
        raise
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        handler.close()


def _moment(record: logging.LogRecord) -> str:
    return utc(datetime.fromtimestamp(record.created, UTC))
