"""Orders to the engine, and the news of every run: the stores keep these promises alike."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.errors import NotFoundError, StoreError
from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.queue.commands import PRUNE_SQL, UNANSWERED_SQL
from exlab_sync_tui.queue.memory import MemoryStore
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.queue.store import Command, HistoryEntry, JobStore, NewJob

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOON = datetime(2025, 3, 9, 12, 0, 0, 123_456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
STRANGE = "/data/lab/Ω [/red]\x1b[2J\n-rf\udcff"
PAUSED = Hold(HoldScope.EQUIPMENT, "SCOPE", HoldKind.PAUSED, "Paused by mira.", NOON, equipment_id="SCOPE")
STORY = HistoryEntry(NOON, "", "", "mira", "Paused by mira.", data={"event": "hold_set"})


def order(name: str = "1", target: str = STRANGE) -> Command:
    return Command(name, "retry", target, "mira", NOON)


@pytest.fixture(params=["sqlite", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[JobStore]:
    made: JobStore = SQLiteStore(tmp_path / "queue.db") if request.param == "sqlite" else MemoryStore()
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    made = SQLiteStore(tmp_path / "queue.db")
    await made.open()
    await made.close()
    return tmp_path / "queue.db"


class TestOrders:
    async def test_an_order_waits_until_it_is_answered(self, store: JobStore) -> None:
        await store.ask(order())
        assert await store.unanswered() == [order()]
        assert await store.answered("1") is None
        assert await store.take("1", at=NOON + SECOND)
        assert await store.unanswered() == [replace(order(), taken_at=NOON + SECOND)]
        await store.answer("1", "Queued again.", 0, at=NOON + 2 * SECOND)
        assert await store.unanswered() == []
        assert await store.answered("1") == Command(
            "1", "retry", STRANGE, "mira", NOON, NOON + SECOND, "Queued again.", 0, NOON + 2 * SECOND
        )

    async def test_orders_come_in_the_order_of_asking(self, store: JobStore) -> None:
        for name in ("b", "a", "c"):
            await store.ask(order(name))
        assert [command.id for command in await store.unanswered()] == ["b", "a", "c"]
        assert [command.id for command in await store.unanswered(2)] == ["b", "a"]

    async def test_asking_twice_is_asking_once(self, store: JobStore) -> None:
        await store.ask(order())
        await store.ask(replace(order(), target="other"))
        assert await store.unanswered() == [order()]

    async def test_an_answered_order_is_not_asked_again_by_its_id(self, store: JobStore) -> None:
        await store.ask(order())
        await store.answer("1", "Done.", 0, at=NOON)
        await store.ask(order())
        assert await store.unanswered() == []

    async def test_the_first_answer_counts(self, store: JobStore) -> None:
        await store.ask(order())
        await store.answer("1", "Done.", 0, at=NOON)
        await store.answer("1", "Not done.", 1, at=NOON + SECOND)
        answered = await store.answered("1")
        assert answered is not None
        assert (answered.outcome, answered.exit_code, answered.done_at) == ("Done.", 0, NOON)

    async def test_an_order_can_be_withdrawn_until_it_is_taken(self, store: JobStore) -> None:
        await store.ask(order("1"))
        await store.ask(order("2"))
        assert await store.take("1", at=NOON)
        assert not await store.withdraw("1")
        assert await store.withdraw("2")
        assert not await store.take("2", at=NOON)
        assert not await store.withdraw("2")
        assert [command.id for command in await store.unanswered()] == ["1"]

    async def test_an_answered_order_is_neither_taken_nor_withdrawn(self, store: JobStore) -> None:
        await store.ask(order())
        await store.answer("1", "Done.", 0, at=NOON)
        assert not await store.take("1", at=NOON)
        assert not await store.withdraw("1")
        assert await store.answered("1") is not None

    async def test_an_order_that_a_killed_engine_had_taken_is_taken_again(self, store: JobStore) -> None:
        await store.ask(order())
        assert await store.take("1", at=NOON)
        await store.close()
        await store.open()
        assert await store.unanswered() == [replace(order(), taken_at=NOON)]
        assert await store.take("1", at=NOON + SECOND)

    async def test_what_was_answered_a_day_ago_is_dropped(self, store: JobStore) -> None:
        for name in ("old", "new", "open"):
            await store.ask(order(name))
        await store.answer("old", "Done.", 0, at=NOON)
        await store.answer("new", "Done.", 0, at=NOON + timedelta(hours=24, seconds=1))
        assert await store.answered("old") is None
        assert await store.answered("new") is not None
        assert [command.id for command in await store.unanswered()] == ["open"]

    async def test_what_is_not_there_is_not_answered(self, store: JobStore) -> None:
        await store.answer("none", "Done.", 0, at=NOON)
        assert await store.answered("none") is None
        assert not await store.take("none", at=NOON)

    async def test_bytes_that_are_not_text_are_written_out(self, store: JobStore) -> None:
        await store.ask(replace(order(), who="mi\udc80ra"))
        await store.answer("1", "No run \udcff.", 3, at=NOON)
        answered = await store.answered("1")
        assert answered is not None
        assert (answered.who, answered.outcome) == ("mi\\udc80ra", "No run \\udcff.")


class TestNews:
    async def test_news_are_the_lines_of_every_run(self, store: JobStore) -> None:
        assert await store.newest() == 0
        assert await store.news(0) == []
        for name in ("a", "b", "c"):
            await store.enqueue(NewJob(name, f"/lab/{name}", "SCOPE", name), at=NOON, who="monitor")
        assert [line.run_path for line in await store.news(0)] == ["/lab/a", "/lab/b", "/lab/c"]
        assert [line.seq for line in await store.news(1)] == [2, 3]
        assert [line.seq for line in await store.news(0, limit=2)] == [1, 2]
        assert await store.newest() == 3
        assert await store.news(3) == []

    async def test_a_hold_is_told_in_the_same_step(self, store: JobStore) -> None:
        await store.set_hold(PAUSED, story=STORY)
        await store.set_hold(PAUSED)
        assert await store.news(0) == [replace(STORY, seq=1)]

    async def test_the_end_of_a_hold_is_told_if_there_was_one(self, store: JobStore) -> None:
        resumed = replace(STORY, what="Resumed.", data={"event": "hold_cleared"})
        assert await store.clear_hold(PAUSED.scope, PAUSED.key, story=resumed) is None
        assert await store.news(0) == []
        await store.set_hold(PAUSED)
        assert await store.clear_hold(PAUSED.scope, PAUSED.key, story=resumed) == PAUSED
        assert [line.what for line in await store.news(0)] == ["Resumed."]


class TestAttached:
    async def test_an_attached_store_may_only_ask(self, path: Path) -> None:
        attached = SQLiteStore(path, attached=True)
        await attached.open()
        await attached.ask(order("1"))
        await attached.ask(order("2"))
        assert await attached.withdraw("1")
        assert await attached.unanswered() == [order("2")]
        for change in (
            attached.take("2", at=NOON),
            attached.answer("2", "Done.", 0, at=NOON),
            attached.note("key", "value"),
            attached.enqueue(NewJob("1", "/lab/a", "SCOPE", "a"), at=NOON, who="x"),
        ):
            with pytest.raises(StoreError, match="open for reading only"):
                await change
        await attached.close()
        await attached.close()

    async def test_it_reads_what_the_engine_writes_and_the_engine_what_it_asks(self, path: Path) -> None:
        engine, attached = SQLiteStore(path), SQLiteStore(path, attached=True)
        await engine.open()
        await attached.open()
        await asyncio.gather(*(attached.ask(order(str(n))) for n in range(20)))
        assert len(await engine.unanswered()) == 20
        assert await engine.take("3", at=NOON)
        assert not await attached.withdraw("3")
        await engine.answer("3", "Done.", 0, at=NOON)
        answered = await attached.answered("3")
        assert answered is not None
        assert answered.outcome == "Done."
        assert attached.store_id == engine.store_id
        await attached.close()
        await engine.close()

    async def test_looking_for_orders_reads_none_that_were_answered(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            for sql, value, index in (
                (UNANSWERED_SQL, 1, "commands_unanswered"),
                (PRUNE_SQL, "2025", "commands_answered"),
            ):
                (plan,) = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", (value,))]
                assert index in plan

    async def test_without_a_store_there_is_nothing_to_attach_to(self, tmp_path: Path) -> None:
        attached = SQLiteStore(tmp_path / "queue.db", attached=True)
        with pytest.raises(NotFoundError):
            await attached.open()
        assert not (tmp_path / "queue.db").exists()
        with pytest.raises(StoreError, match="not open"):
            await attached.ask(order())
