"""One engine, two attached views, verbs from scripts, SIGKILL: real processes on one store; nothing doubled or lost."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.engine.cockpit.attached import Attached
from exlab_sync_tui.engine.cockpit.opening import open_cockpit
from exlab_sync_tui.engine.cockpit.view import Order, Verb
from exlab_sync_tui.errors import NotFoundError
from exlab_sync_tui.headless.client import make_client
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import HoldScope
from exlab_sync_tui.queue.sqlite import SQLiteStore
from exlab_sync_tui.queue.store import JobFilter
from exlab_sync_tui.settings.loading import load_settings
from tests.acceptance.bench_lab import Lab, write_run
from tests.checker import check_sides
from tests.checker_store import check_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from exlab_sync_tui.engine.cockpit.view import Outcome
    from exlab_sync_tui.model.event import Event
    from tests.acceptance.program import Program

HAMMER = """
import asyncio, json, random, sys
from pathlib import Path
from exlab_sync_tui.engine.cockpit.view import Order, Verb
from exlab_sync_tui.engine.cockpit.opening import open_cockpit
from exlab_sync_tui.headless.client import make_client
from exlab_sync_tui.settings.loading import load_settings

async def main(config, state, seed, runs):
    rng = random.Random(int(seed))
    settings = load_settings(Path(config), environ={}).settings
    cockpit = await open_cockpit(make_client(settings, Path(state) / "queue.db", operator=f"script {seed}"))
    told = [type(cockpit).__name__]
    verbs = [Verb.ENQUEUE] * 4 + [Verb.RETRY, Verb.PAUSE, Verb.RESUME, Verb.RESCAN]
    for _ in range(40):
        verb = rng.choice(verbs)
        target = "PLAIN_01" if verb in (Verb.PAUSE, Verb.RESUME, Verb.RESCAN) else rng.choice(runs)
        outcome = await cockpit.order(Order(verb, target, f"script {seed}"))
        told.append([verb.value, target, outcome.sentence, outcome.exit_code])
    await cockpit.stop()
    print(json.dumps(told))

asyncio.run(main(*sys.argv[1:4], sys.argv[4:]))
"""


@dataclass
class View:
    """An attached console without a screen: what it heard."""

    cockpit: Attached
    heard: list[Event] = field(default_factory=list)

    async def listen(self) -> None:
        async for event in self.cockpit.events():
            self.heard.append(event)

    def kinds(self, run: Path) -> list[EventKind]:
        return [event.kind for event in self.heard if event.run_path == str(run) and event.job_id]

    async def order(self, verb: Verb, target: object) -> Outcome:
        return await self.cockpit.order(Order(verb, str(target), "mira"))


@asynccontextmanager
async def view_of(lab: Lab) -> AsyncIterator[View]:
    cockpit = Attached(SQLiteStore(lab.state / "queue.db", attached=True), SystemClock(), {"PLAIN_01": lab.local})
    await until(lambda: started(cockpit), "there is a store to attach to")
    view = View(cockpit)
    listener = asyncio.create_task(view.listen())
    try:
        yield view
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
        await cockpit.stop()


async def until(condition: Callable[[], Awaitable[object] | object], what: str, *, within: float = 240) -> None:
    """Look again and again: what happens in another process cannot wake us."""

    async def holds() -> object:
        answer = condition()
        return await answer if isawaitable(answer) else answer

    try:
        async with asyncio.timeout(within):
            while not await holds():  # noqa: ASYNC110  # another process cannot set an event
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"within {within:g} s: {what}")


async def started(cockpit: Attached) -> bool:
    try:
        await cockpit.start()
    except NotFoundError:
        return False
    return True


async def alive(view: View, *, wanted: bool = True) -> None:
    async def as_wanted() -> bool:
        return (await view.cockpit.pulse()).alive is wanted

    await until(as_wanted, f"the engine is {'heard' if wanted else 'lost'}")


@asynccontextmanager
async def engine(lab: Lab) -> AsyncIterator[Program]:
    """``exlab-sync run``; told to stop at the end, if it still runs."""
    process = lab.start("run", "--json")
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.communicate)


def hammer(lab: Lab, seed: int, runs: list[Path]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HAMMER, str(lab.config), str(lab.state), str(seed), *map(str, runs)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


async def opened_beside(lab: Lab) -> str:
    """Which cockpit somebody gets who opens one now."""
    settings = load_settings(lab.config, environ={}).settings
    cockpit = await open_cockpit(make_client(settings, lab.state / "queue.db", operator="mira", start_lanes=False))
    await cockpit.stop()
    return type(cockpit).__name__


@pytest.mark.slow
async def test_two_views_and_two_scripts_at_once_double_and_lose_nothing(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    runs = [write_run(lab.local / f"Run_{n:02d}", small=20, large_mib=4, seed=n) for n in range(12)]
    async with engine(lab), view_of(lab) as one, view_of(lab) as two:
        await alive(one)
        scripts = [hammer(lab, seed, runs) for seed in (1, 2)]
        rng = random.Random(3)
        while any(script.poll() is None for script in scripts):
            for view in (one, two):
                verb = rng.choice([Verb.ENQUEUE, Verb.ENQUEUE, Verb.PAUSE, Verb.RESUME])
                await view.order(verb, "PLAIN_01" if verb is not Verb.ENQUEUE else rng.choice(runs))
        told = [json.loads((await asyncio.to_thread(script.communicate))[0]) for script in scripts]
        assert [each.pop(0) for each in told] == ["Attached", "Attached"]
        answers = [answer for each in told for answer in each]
        assert len(answers) == 80
        assert {code for *_, code in answers} <= {0, 1}, answers
        assert all(sentence for _, _, sentence, _ in answers)
        for run in runs:
            assert (await one.order(Verb.ENQUEUE, run)).ok
        assert (await two.order(Verb.RESUME, "PLAIN_01")).ok
        for view in (one, two):
            await until(
                lambda view=view: all(EventKind.RUN_VERIFIED in view.kinds(run) for run in runs),  # type: ignore[misc]
                "every view hears that every run is verified",
            )
        store = one.cockpit.store
        jobs = await store.jobs(JobFilter())
        assert sorted(job.run_path for job in jobs) == [str(run) for run in runs]
        assert {(job.state.value, job.attempts) for job in jobs} == {("verified", 0)}
        assert await store.unanswered() == []
        assert await store.hold(HoldScope.EQUIPMENT, "PLAIN_01") is None
        for view in (one, two):
            counted = Counter(kind for run in runs for kind in view.kinds(run))
            assert counted[EventKind.RUN_VERIFIED] == len(runs)
    assert not check_sides(
        {lab.place(run): run for run in runs}, lab.nas, expected=[lab.place(run) for run in runs], settled=True
    )
    assert not check_store(lab.state / "queue.db", lab.nas, acknowledged=runs)


@pytest.mark.slow
@pytest.mark.parametrize(("kills", "number"), [(3, 8), pytest.param(12, 40, marks=pytest.mark.full)])
async def test_orders_survive_kills_of_the_engine_and_a_second_engine_is_refused(
    tmp_path: Path, kills: int, number: int
) -> None:
    lab = Lab(tmp_path).prepare()
    runs = [write_run(lab.local / f"Run_{n:02d}", small=10, large_mib=16, seed=n) for n in range(number)]
    scripts: list[subprocess.Popen[str]] = []
    for _ in range(kills):
        async with engine(lab) as process, view_of(lab) as view, view_of(lab) as other:
            for each in (view, other):
                await until(lambda each=each: is_driven_by(each, process.pid), "the new engine is at work")  # type: ignore[misc]
            scripts = scripts or [hammer(lab, seed, runs) for seed in (4, 5)]
            second = await asyncio.to_thread(lab.run, "run")
            assert (second.returncode, second.stdout) == (5, "")
            assert f"process {process.pid}" in second.stderr
            process.send_signal(signal.SIGKILL)
    async with engine(lab) as process, view_of(lab) as view:
        await until(lambda: is_driven_by(view, process.pid), "the new engine is at work")
        told = [json.loads((await asyncio.to_thread(script.communicate))[0])[1:] for script in scripts]
        assert {code for each in told for *_, code in each} <= {0, 1, 12}, told
        assert all(sentence for each in told for _, _, sentence, _ in each)
        assert (await view.order(Verb.RESUME, "PLAIN_01")).ok
        for run in runs:
            assert (await view.order(Verb.ENQUEUE, run)).ok
        await until(lambda: all_verified(view, runs), "every run is verified")
        assert await view.cockpit.store.unanswered() == []
    assert not check_sides(
        {lab.place(run): run for run in runs}, lab.nas, expected=[lab.place(run) for run in runs], settled=True
    )
    assert not check_store(lab.state / "queue.db", lab.nas, acknowledged=runs)


@pytest.mark.slow
async def test_a_killed_engine_is_noticed_is_not_taken_over_and_goes_on_when_started_again(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    async with engine(lab) as first, view_of(lab) as view, view_of(lab) as other:
        await alive(view)
        run = write_run(lab.local / "Run_A", small=200, large_mib=300)
        assert await opened_beside(lab) == "Attached"
        await view.order(Verb.ENQUEUE, run)
        await until(lambda: EventKind.RUN_STARTED in view.kinds(run), "the run is started")
        assert (await view.cockpit.pulse()).process == first.pid
        first.send_signal(signal.SIGKILL)
        await alive(view, wanted=False)
        for each in (view, other):
            await until(lambda each=each: told_lost(each), "the loss is told")  # type: ignore[misc]
        refused = await view.order(Verb.PAUSE, "PLAIN_01")
        assert refused.exit_code == 12
        assert refused.sentence.startswith("The engine has not been heard of since ")
        assert refused.sentence.endswith("Start it with `exlab-sync run`. This was not done.")
        assert await view.cockpit.flights() == []
        assert await opened_beside(lab) == "Hosted", "nobody has taken the lock meanwhile"
        async with engine(lab) as second:
            await alive(view)
            assert (await view.cockpit.pulse()).process == second.pid
            for each in (view, other):
                await until(
                    lambda each=each: EventKind.RUN_VERIFIED in each.kinds(run),  # type: ignore[misc]
                    "the run is verified",
                )
                assert EventKind.ENGINE_STARTED in [event.kind for event in each.heard]
    assert not check_sides({lab.place(run): run}, lab.nas, expected=[lab.place(run)], settled=True)
    assert not check_store(lab.state / "queue.db", lab.nas, acknowledged=[run])


@pytest.mark.slow
async def test_a_pause_from_elsewhere_stops_a_real_transfer_and_outlives_the_engine(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    async with engine(lab), view_of(lab) as view:
        await alive(view)
        run = await asyncio.to_thread(write_run, lab.local / "Run_A", small=100, large_mib=1_024)
        await view.order(Verb.ENQUEUE, run)
        await until(lambda: EventKind.RUN_STARTED in view.kinds(run), "the run is started")
        assert (await view.order(Verb.PAUSE, "PLAIN_01")).ok
        await until(lambda: view.kinds(run)[-1] is EventKind.RUN_QUEUED, "the run is put back")
        arrived = far_bytes(lab)
        job = await view.cockpit.store.job_of(str(run))
        assert job is not None
        assert (job.state.value, job.attempts) == ("queued", 0)
    async with engine(lab), view_of(lab) as view:
        await alive(view)
        assert far_bytes(lab) >= arrived, "what has arrived stays"
        hold = await view.cockpit.store.hold(HoldScope.EQUIPMENT, "PLAIN_01")
        assert hold is not None
        assert hold.sentence.startswith("Paused by mira since ")
        job = await view.cockpit.store.job_of(str(run))
        assert job is not None
        assert job.state.value == "queued"
        assert (await view.order(Verb.RESUME, "PLAIN_01")).ok
        await until(lambda: EventKind.RUN_VERIFIED in view.kinds(run), "the run is verified")
    assert not check_sides({lab.place(run): run}, lab.nas, expected=[lab.place(run)], settled=True)


async def is_driven_by(view: View, process: int) -> bool:
    pulse = await view.cockpit.pulse()
    return pulse.alive and pulse.process == process


async def all_verified(view: View, runs: list[Path]) -> bool:
    jobs = await view.cockpit.store.jobs(JobFilter())
    return len(jobs) == len(runs) and {job.state.value for job in jobs} == {"verified"}


def told_lost(view: View) -> bool:
    return any(event.kind is EventKind.ENGINE_STOPPED and event.data.get("lost") for event in view.heard)


def far_bytes(lab: Lab) -> int:
    return sum(path.stat().st_size for path in lab.nas.rglob("*") if path.is_file())
