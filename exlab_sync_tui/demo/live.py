"""How is the sample lab watched while it lives? On the console, or as lines until the story is over."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from exlab_sync_tui.demo.clock import QuickClock
from exlab_sync_tui.demo.director import Director
from exlab_sync_tui.demo.folder import sample_folder
from exlab_sync_tui.demo.judge import judge
from exlab_sync_tui.demo.lab import TINY, Expected, Scale, plan_lab, prepare, write_run
from exlab_sync_tui.demo.narrated import Narrated
from exlab_sync_tui.demo.stage import Stage
from exlab_sync_tui.demo.story import already_there, story
from exlab_sync_tui.demo.verdict import conclude, what_stays
from exlab_sync_tui.engine.cockpit.opening import open_cockpit
from exlab_sync_tui.engine.cockpit.view import Order, Verb
from exlab_sync_tui.engine.destinations import adopt
from exlab_sync_tui.headless.bar import Bar
from exlab_sync_tui.headless.client import make_client
from exlab_sync_tui.headless.logs import logging_to
from exlab_sync_tui.headless.once import attended
from exlab_sync_tui.headless.reporter import Reporter
from exlab_sync_tui.headless.signals import exit_code_of, until_signal
from exlab_sync_tui.operate.state_folder import STORE_NAME
from exlab_sync_tui.settings.schema import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
    from pathlib import Path

    from exlab_sync_tui.demo.lab import SampleLab
    from exlab_sync_tui.engine.client import NASSyncClient
    from exlab_sync_tui.engine.cockpit.view import Cockpit, Outcome
    from exlab_sync_tui.model.clock import Clock

_LIVE = Scale(planes=24, side=512, tiles=1_500, reads=120)
_SETTLE_SECONDS = 3.0
_PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class LiveLab:
    """A sample lab whose story has not begun yet, and the clock that everything in it goes by."""

    plan: SampleLab
    settings: Settings
    store_path: Path
    clock: Clock

    @classmethod
    def make(cls, root: Path, clock: Clock, *, seed: int, tiny: bool = False) -> LiveLab:
        """Plan the lab, make its folders below *root*, and adopt its NAS. In the end each of its runs is safe."""
        scale = TINY if tiny else _LIVE
        plan = plan_lab(root, seed=seed, scale=scale, settle_seconds=_SETTLE_SECONDS, live=True)
        prepare(plan)
        for run in already_there(plan):
            write_run(plan, run)
        plan = replace(plan, runs=tuple(replace(run, expected=Expected.VERIFIED) for run in plan.runs))
        settings, store_path = Settings.model_validate(plan.config), root / "state" / STORE_NAME
        for item in settings.equipment:
            asyncio.run(adopt(settings, item.id, local=True, store_path=store_path))
        return cls(plan, settings, store_path, clock)

    def client(self, operator: str = "") -> NASSyncClient:
        """An engine for the lab, not started yet."""
        return make_client(self.settings, self.store_path, operator=operator, clock=self.clock)


class Show(Protocol):
    """Opens a console over the cockpit that *opening* gives, with work *beside* it, until somebody leaves it."""

    def __call__(
        self,
        opening: Callable[[], Awaitable[Cockpit]],
        settings: Settings,
        *,
        beside: Sequence[Callable[[Cockpit], Coroutine[None, None, object]]],
        clock: Clock,
    ) -> int:
        """The exit code."""
        ...


def run_on_console(
    show: Show, *, seed: int = 1, speed: float = 1, keep: bool = False, tiny: bool = False, operator: str = ""
) -> int:
    """Play the story below a console, which *show* opens, until somebody leaves it; the exit code."""
    with _living(seed=seed, speed=speed, keep=keep, tiny=tiny) as live:

        async def opening() -> Cockpit:
            return Narrated(await open_cockpit(live.client(operator), watch=True))

        async def play(cockpit: Cockpit) -> None:
            tell = cockpit.tell if isinstance(cockpit, Narrated) else lambda _: None
            await Director(Stage(live.plan, live.clock), cockpit.store, live.clock, tell).play(story(live.plan))

        code = show(opening, live.settings, beside=[play], clock=live.clock)
    reporter = Reporter(sys.stdout)
    reporter.write(
        f"{what_stays(live.plan.config_path if keep else None)} `exlab-sync init` begins with your own instruments."
    )
    return code


def run_as_lines(
    *,
    seed: int = 1,
    speed: float = 1,
    keep: bool = False,
    tiny: bool = False,
    as_json: bool = False,
    operator: str = "",
) -> int:
    """Play the story to its end as lines, then check what became of each run; 0 if that is what the story says."""
    with _living(seed=seed, speed=speed, keep=keep, tiny=tiny) as live:
        bar = Bar(sys.stderr, live.clock, wanted=not as_json)
        reporter = Reporter(sys.stdout, as_json=as_json, bar=bar)
        client = live.client(operator)

        async def retry(job_id: str) -> Outcome:
            return await client.order(Order(Verb.RETRY, job_id, client.user))

        async def play() -> bool:
            client.watch()
            stage = Stage(live.plan, live.clock)
            director = Director(stage, client.store, live.clock, reporter.show, retry, _PATIENCE)
            return await director.play(story(live.plan))

        ended = asyncio.run(until_signal(attended(client, reporter, bar, play)))
        if isinstance(ended, signal.Signals):
            reporter.write(f"Stopped by {ended.name}.")
            return exit_code_of(ended)
        outcomes = asyncio.run(judge(live.plan, live.store_path))
        return conclude(reporter, outcomes, config=live.plan.config_path if keep else None)


@contextmanager
def _living(*, seed: int, speed: float, keep: bool, tiny: bool) -> Iterator[LiveLab]:
    with sample_folder(keep=keep) as root:
        live = LiveLab.make(root, QuickClock(speed), seed=seed, tiny=tiny)
        with logging_to(live.store_path.parent, live.settings.logging):
            yield live
