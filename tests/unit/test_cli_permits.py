"""What the engine does with an override that is asked for twice, or that cannot be written now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui import CreationWriter, NASSyncClient, Validator
from exlab_sync_tui.demo.lab import TINY, Trait, build_lab
from exlab_sync_tui.engine.cockpit.permits import Permit, Revocation
from exlab_sync_tui.engine.cockpit.view import Order, Verb
from exlab_sync_tui.provenance.atomic import locked
from exlab_sync_tui.provenance.creation import CREATION_NAME, read_creation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

RULE = "unresolved_placeholder_token"


class Bench:
    """A started engine that moves nothing, and the run that its orders are about."""

    def __init__(self, client: NASSyncClient, run: Path) -> None:
        self.client = client
        self.run = run

    async def add(self) -> tuple[int, str]:
        wish = Permit(str(self.run), RULE, "as it is")
        outcome = await self.client.order(Order(Verb.OVERRIDE, wish.as_target(), "mira"))
        return outcome.exit_code, outcome.sentence

    async def revoke(self, override_id: str, *, again: bool = False) -> tuple[int, str]:
        wish = Revocation(str(self.run), override_id, "renamed")
        order = Order(Verb.REVOKE, wish.as_target(), "mira")
        outcome = await self.client._engine.steering.carry_out(order, again=again)
        return outcome.exit_code, outcome.sentence

    @property
    def ids(self) -> list[str]:
        return [str(entry["id"]) for entry in read_creation(self.run).validation_overrides]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    lab = build_lab(tmp_path, scale=TINY)
    client = NASSyncClient(
        config=lab.config,
        queue_db=tmp_path / "state" / "queue.db",
        validator=Validator(),
        cache_creation=CreationWriter(lock_seconds=0),
        start_lanes=False,
    )
    async with client:
        yield Bench(client, next(run.path for run in lab.runs if run.trait is Trait.BROKEN_NAME))


async def test_an_override_that_is_asked_for_twice_is_written_once(bench: Bench) -> None:
    assert await bench.add() == await bench.add()
    assert len(bench.ids) == 1
    history = await bench.client.store.history(str(bench.run))
    assert [line.what for line in history] == [f"override of {RULE}: as it is"]


async def test_a_revocation_that_an_ended_engine_had_begun_with_is_written_once(bench: Bench) -> None:
    await bench.add()
    (override_id,) = bench.ids
    assert (await bench.revoke(override_id[:6]))[0] == 0
    assert (await bench.revoke(override_id, again=True))[0] == 0
    assert len(bench.ids) == 2


async def test_a_file_that_another_program_has_locked_is_left_alone_and_that_is_said(bench: Bench) -> None:
    with locked(bench.run / ".exlab-wizard" / CREATION_NAME, seconds=0):
        code, sentence = await bench.add()
    assert code == 1
    assert "cannot be written now" in sentence
    assert sentence.endswith("; nothing was recorded, try again.")
    assert bench.ids == []
    assert await bench.client.store.history(str(bench.run)) == []


async def test_the_beginning_of_an_id_must_name_one_override(bench: Bench) -> None:
    entries = [{"id": f"ab{n}", "problem_class": RULE, "operator": "mira", "reason": "x"} for n in range(2)]
    CreationWriter().update(bench.run, lambda document: document.update(validation_overrides=entries))
    code, sentence = await bench.revoke("ab")
    assert (code, sentence) == (2, "ab could be any of ab0, ab1; type more of it.")
    assert (await bench.revoke(""))[0] == 3
    assert (await bench.revoke("ab1"))[0] == 0


async def test_an_order_passes_through_the_store_whatever_the_path_is(bench: Bench) -> None:
    wish = Permit("/lab/\udcff\x1b", RULE, "grün")
    assert wish.as_target().isascii()
    assert Permit.of(wish.as_target()) == wish
