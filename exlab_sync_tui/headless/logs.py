"""Where does the program's own log go? Into a rotating file of the state folder, as text or JSON lines."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import ExlabSyncError, StateFolderError
from exlab_sync_tui.operate.state_folder import log_path
from exlab_sync_tui.text import safe_text, utc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exlab_sync_tui.settings import LoggingBlock

LOGGER = "exlab_sync_tui"
_MB = 1_000_000
_EXTRAS = ("job_id", "equipment_id")


class TextLines(logging.Formatter):
    """``2025-03-03T08:00:00Z INFO engine: text``; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """One record; its message cannot make a line of its own."""
        room = record.name.removeprefix(LOGGER).lstrip(".") or "exlab-sync"
        line = f"{_moment(record)} {record.levelname} {room}: {safe_text(record.getMessage())}"
        trace = self.formatException(record.exc_info).split("\n") if record.exc_info else []
        return "\n".join([line, *(safe_text(part) for part in trace)])


class JsonLines(logging.Formatter):
    """One JSON object per record."""

    def format(self, record: logging.LogRecord) -> str:
        """The keys ``at level logger message``, ids where there are some, and ``trace`` for an exception."""
        data: dict[str, object] = {
            "at": _moment(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        data |= {name: value for name in _EXTRAS if (value := getattr(record, name, ""))}
        if record.exc_info:
            data["trace"] = self.formatException(record.exc_info)
        return json.dumps(data)


@contextmanager
def logging_to(state: Path, block: LoggingBlock) -> Iterator[Path]:
    """Write our log below *state* meanwhile; an unexpected exception is written there with its traceback.

    Raises ``StateFolderError`` if the file cannot be made.
    """
    path = log_path(state)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
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
