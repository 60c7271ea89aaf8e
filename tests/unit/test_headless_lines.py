"""How do events, progress, tables and the log look to a person and to a program?"""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exlab_sync_tui.engine.board import Phase, Progress
from exlab_sync_tui.engine.bus import Bus
from exlab_sync_tui.errors import NotFoundError, StateFolderError
from exlab_sync_tui.headless.bar import Bar, Rate, bar_line
from exlab_sync_tui.headless.logs import logging_to
from exlab_sync_tui.headless.reporter import Reporter
from exlab_sync_tui.headless.table import Column, cut, cut_middle, display_width, table
from exlab_sync_tui.headless.words import BAD, Look
from exlab_sync_tui.model.event import Event, EventKind
from exlab_sync_tui.model.job import SyncJobRow, SyncJobState
from exlab_sync_tui.operate.state_folder import log_path
from exlab_sync_tui.settings import LoggingBlock
from exlab_sync_tui.testing import ManualClock
from exlab_sync_tui.transport.base import Pulse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

AT = datetime(2025, 3, 9, 8, 0, tzinfo=UTC)
RUN = "/data/CONFOCAL_01/Kelp/Runs/Run_1"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def event(kind: EventKind, sentence: str, **data: str) -> Event:
    return Event(AT, kind, sentence, equipment_id="CONFOCAL_01", run_path=RUN, job_id="j1", data=data)


async def written(*events: Event, as_json: bool = False) -> list[str]:
    async def stream() -> AsyncIterator[Event]:
        for one in events:
            yield one

    out = io.StringIO()
    await Reporter(out, as_json=as_json).follow(stream())
    return out.getvalue().splitlines()


async def test_an_event_is_a_line_with_time_word_and_sentence() -> None:
    (line,) = await written(event(EventKind.RUN_VERIFIED, "CONFOCAL_01 Kelp/Runs/Run_1: verified."))
    assert line == f"{AT.astimezone():%H:%M:%S}  + verified   CONFOCAL_01 Kelp/Runs/Run_1: verified."


async def test_a_sentence_without_the_runs_name_gets_it_in_front() -> None:
    (line,) = await written(event(EventKind.HOLD_SET, "2 files changed", hold="acquiring", scope="run"))
    assert line.endswith("o acquiring  CONFOCAL_01 Run_1: 2 files changed")


async def test_what_the_next_or_the_last_line_says_is_not_said_twice() -> None:
    lines = await written(
        event(EventKind.HOLD_SET, "The place is taken.", hold="conflict", scope="run"),
        event(EventKind.RUN_FAILED, "The place is taken."),
        event(EventKind.HOLD_CLEARED, "No longer acquiring.", hold="acquiring"),
        event(EventKind.HOLD_SET, "The NAS is away.", hold="away", scope="destination"),
        event(EventKind.RUN_RETRY, "The NAS is away. Tried again in 30 s."),
    )
    assert [line.split()[2] for line in lines] == ["failed", "away"]


async def test_json_lines_leave_nothing_out_and_are_ascii() -> None:
    lines = await written(
        event(EventKind.HOLD_CLEARED, "No longer µ\x1b.", hold="acquiring"),
        Event(AT, EventKind.WARNING, "x", run_path="/a/\udcff"),
        as_json=True,
    )
    first, second = (json.loads(line) for line in lines)
    assert first == {
        "at": "2025-03-09T08:00:00Z",
        "event": "hold_cleared",
        "sentence": "No longer µ\x1b.",
        "equipment_id": "CONFOCAL_01",
        "run_path": RUN,
        "job_id": "j1",
        "data": {"hold": "acquiring"},
    }
    assert second["run_path"] == "/a/\udcff"
    assert all(line.isascii() and line.isprintable() for line in lines)


async def test_text_cannot_drive_the_terminal() -> None:
    (line,) = await written(event(EventKind.WARNING, "\x1b[2J\u202eRun_1\udcff"))
    assert line.endswith("\\x1b[2J\\u202eRun_1\\xff")


@pytest.mark.parametrize("run_path", [RUN, ""])
async def test_an_instrument_is_called_what_it_is_called_and_drives_no_terminal(run_path: str) -> None:
    strange = Event(AT, EventKind.WARNING, "No.", equipment_id="[/b]\x1b]0;x\x07", run_path=run_path)
    (line,) = await written(strange)
    assert "[/b]\\x1b]0;x\\x07" in line
    assert line.isprintable()


def test_glyphs_are_ascii_where_the_stream_cannot_show_others() -> None:
    latin = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    assert not Look.of(latin).unicode
    assert Look.of(Terminal(), {}).unicode


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_is_respected(environ: dict[str, str]) -> None:
    assert Look.of(Terminal(), environ).colour_of(BAD) is None
    assert Look.of(Terminal(), {}).colour_of(BAD) == "red"


@given(st.text(), st.integers(1, 40))
def test_cut_text_is_never_wider_than_it_may_be(text: str, width: int) -> None:
    for shortened in (cut(text, width), cut_middle(text, width)):
        assert display_width(shortened) <= width
        assert shortened == text or display_width(text) > width


def test_wide_characters_and_combining_marks_line_up() -> None:
    lines = table((Column("a"), Column("b")), [("板", "1"), ("e\u0301", "2"), ("xx", "3")]).split("\n")
    assert lines == ["a   b", "板  1", "e\u0301   2", "xx  3"]


def test_a_table_is_cut_only_where_a_column_may_shrink() -> None:
    rows = [("Run_2025-03-03T08-30-with-a-long-name_A", "12,345"), ("Run_2025-03-03T08-30-with-a-long-name_B", "1")]
    lines = table((Column("run", shrinks=True), Column("files", right=True)), rows, width=30).split("\n")
    assert [display_width(line) for line in lines] == [30, 30, 30]
    assert lines[1].split()[0] != lines[2].split()[0]
    assert lines[1].endswith("12,345")


def transfer(size: int, sent: int) -> Progress:
    job = SyncJobRow("j1", RUN, "CONFOCAL_01", SyncJobState.RUNNING)
    return Progress(job, 0.0, Phase.SENDING, size=size, files=1, pulse=Pulse(sent_bytes=sent))


def test_the_bar_shows_share_bytes_rate_and_time_left() -> None:
    line = bar_line([transfer(4 << 20, 1 << 20)], 1 << 20, Look())
    assert line == "█████░░░░░░░░░░░░░░░  25%  1.00 MiB of 4.00 MiB  1.00 MiB/s  3.0 s left  sending CONFOCAL_01 Run_1"
    assert bar_line([transfer(10, 5), transfer(10, 0)], 0, Look(unicode=False)).endswith("25%  5 B of 20 B  2 runs")
    assert bar_line([transfer(0, 0)], 0, Look()) == "sending CONFOCAL_01 Run_1"


def test_the_bar_rewrites_its_line_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    terminal = Terminal()
    bar = Bar(terminal, ManualClock())
    bar.draw([transfer(10, 5)])
    bar.draw([])
    assert terminal.getvalue().endswith("\r" + " " * 59 + "\r")
    assert all(display_width(part) < 60 for part in terminal.getvalue().split("\r"))


async def test_the_bar_is_silent_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    await Bar(out, ManualClock()).watch(lambda: [transfer(10, 5)])
    assert out.getvalue() == ""


def test_the_rate_follows_and_forgets_what_has_ended() -> None:
    rate = Rate()
    rate.sample(0, 0)
    rate.sample(1, 100)
    assert rate.now == 100
    rate.sample(2, 300)
    assert 100 < rate.now < 200
    before = rate.now
    rate.sample(3, 0)
    assert rate.now == before


def test_the_log_has_one_safe_line_per_record(tmp_path: Path) -> None:
    with logging_to(tmp_path, LoggingBlock()) as path:
        logging.getLogger("exlab_sync_tui.engine").info("two\nlines\x1b")
        logging.getLogger("exlab_sync_tui.engine").debug("not at this level")
    assert path == log_path(tmp_path)
    (line,) = path.read_text().splitlines()
    assert line.endswith(" INFO engine: two\\nlines\\x1b")


def test_the_log_can_be_json_lines(tmp_path: Path) -> None:
    with logging_to(tmp_path, LoggingBlock.model_validate({"json": True, "level": "warning"})) as path:
        logging.getLogger("exlab_sync_tui").warning("a %s", "b", extra={"job_id": "j1", "equipment_id": ""})
    record = json.loads(path.read_text())
    assert {"level": "WARNING", "logger": "exlab_sync_tui", "message": "a b", "job_id": "j1"}.items() <= record.items()
    assert "equipment_id" not in record


def test_an_unexpected_error_is_logged_with_its_traceback_and_an_expected_one_is_not(tmp_path: Path) -> None:
    for error in (NotFoundError("expected"), ZeroDivisionError("unexpected")):
        with pytest.raises(type(error)), logging_to(tmp_path, LoggingBlock()):
            raise error
    text = log_path(tmp_path).read_text()
    assert "ZeroDivisionError: unexpected" in text
    assert "NotFoundError" not in text


def test_the_log_is_begun_anew_when_it_is_full(tmp_path: Path) -> None:
    block = LoggingBlock.model_validate({"central_log_max_mb": 1, "central_log_keep": 1})
    with logging_to(tmp_path, block) as path:
        for _ in range(40):
            logging.getLogger("exlab_sync_tui").info("x" * 60_000)
    assert sorted(file.name for file in path.parent.iterdir()) == ["exlab-sync.log", "exlab-sync.log.1"]
    assert path.stat().st_size <= 1_000_000


def test_a_line_says_which_run_it_is_about_and_has_no_secret(tmp_path: Path) -> None:
    about = {
        "job_id": "1a2b3c4d-0000-4000-8000-000000000000",
        "equipment_id": "READER_01",
        "run_path": "/lab/Run\x1b_1",
    }
    with logging_to(tmp_path, LoggingBlock()) as path:
        logging.getLogger("exlab_sync_tui").info("password=hunter2 was said", extra=about)
        logging.getLogger("exlab_sync_tui").info("nothing in particular")
    first, second = path.read_text().splitlines()
    assert first.endswith(" INFO exlab-sync: password=*** was said [READER_01 Run\\x1b_1 job 1a2b3c4d]")
    assert second.endswith(" INFO exlab-sync: nothing in particular")


def test_two_processes_share_a_log_that_is_begun_anew(tmp_path: Path) -> None:
    block = LoggingBlock.model_validate({"central_log_max_mb": 1, "central_log_keep": 3})
    logger = logging.getLogger("exlab_sync_tui")
    with logging_to(tmp_path, block) as path:
        (engine,) = logger.handlers
        path.rename(path.with_name("exlab-sync.log.1"))  # what another process does when it is full
        logger.info("after that")
        assert engine in logger.handlers
    assert path.read_text().endswith("INFO exlab-sync: after that\n")


@pytest.mark.parametrize(
    ("kind", "hold", "level"),
    [
        (EventKind.RUN_DISCOVERED, "", "DEBUG"),
        (EventKind.HOLD_SET, "acquiring", "DEBUG"),
        (EventKind.HOLD_CLEARED, "acquiring", "DEBUG"),
        (EventKind.RUN_QUEUED, "", "INFO"),
        (EventKind.RUN_VERIFIED, "", "INFO"),
        (EventKind.OPERATOR, "", "INFO"),
        (EventKind.HOLD_SET, "away", "WARNING"),
        (EventKind.RUN_RETRY, "", "WARNING"),
        (EventKind.RUN_FAILED, "", "ERROR"),
        (EventKind.FILE_MISMATCH, "", "ERROR"),
    ],
)
def test_an_event_is_logged_as_loudly_as_it_matters(
    caplog: pytest.LogCaptureFixture, kind: EventKind, hold: str, level: str
) -> None:
    with caplog.at_level("DEBUG", logger="exlab_sync_tui"):
        Bus(ManualClock()).say(kind, "said", hold=hold)
    (record,) = caplog.records
    assert record.levelname == level


def test_a_log_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file")
    with (
        pytest.raises(StateFolderError, match="Choose another state folder with --state"),
        logging_to(tmp_path, LoggingBlock()),
    ):
        pass
