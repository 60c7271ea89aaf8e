"""What do all actions share? The bridge, the selection, a voice, and a question before what cannot be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.view import Order, Outcome, Verb
from exlab_sync_tui.text import count
from exlab_sync_tui.tui.screens.ask import AskScreen
from exlab_sync_tui.tui.typed_ahead import TypedAheadApp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.tui.bridge import Bridge
    from exlab_sync_tui.tui.listing import Row
    from exlab_sync_tui.tui.options import ConsoleOptions, Lab
    from exlab_sync_tui.tui.premises import Premises
    from exlab_sync_tui.tui.screens.main import MainScreen

_TOLD = 3


class ActingApp(TypedAheadApp):
    """An app whose actions give orders; ``ConsoleApp`` fills the fields."""

    main: MainScreen
    bridge: Bridge
    lab: Lab
    options: ConsoleOptions
    clock: Clock
    premises: Premises

    def targets(self) -> list[Row]:
        """The runs that an order is for: the marked ones, else the selected one. Says so if there is none."""
        rows = self.main.targets
        if not rows:
            self.say("No run is selected.", "warning")
        return rows

    def target(self) -> Row | None:
        """The one selected run, for what can only be done to one. Says so if there is none."""
        row = self.main.selected
        if row is None:
            self.say("No run is selected.", "warning")
        return row

    def order(self, orders: Sequence[tuple[Verb, str]], *, noun: str = "order") -> None:
        """Hand orders over; one sentence says what became of them."""
        who = self.options.operator
        made = [Order(verb, target, who) for verb, target in orders]

        def sum_up(outcomes: Sequence[Outcome]) -> Outcome:
            return summed(outcomes, noun)

        self.run_worker(self.bridge.order(made, sum_up), group="orders")

    def ask(self, question: str, consequence: str, yes: str, then: Callable[[], object]) -> None:
        """Ask once, and do it if it is wanted."""

        def answered(wanted: bool | None) -> None:
            if wanted:
                then()
            else:
                self.say("Nothing was done.")

        self.open(AskScreen(question, consequence, yes), answered)

    def meanwhile(self, work: Awaitable[object]) -> None:
        """Do something that reads, beside everything else."""

        async def run() -> None:
            await work

        self._in_worker(run())

    def _in_worker(self, work: Coroutine[None, None, None]) -> None:
        self.run_worker(work, group="reading", exit_on_error=True)


def summed(outcomes: Sequence[Outcome], noun: str) -> Outcome:
    """One answer for several orders: the sentence itself for one, else how many were done and what the others said."""
    if len(outcomes) == 1:
        return outcomes[0]
    refused = [outcome for outcome in outcomes if not outcome.ok]
    done = f"{len(outcomes) - len(refused):,} of {count(len(outcomes), noun)} done."
    told = list(dict.fromkeys(outcome.sentence for outcome in refused))
    more = f" And {len(told) - _TOLD:,} more reasons." if len(told) > _TOLD else ""
    worst = max((outcome.exit_code for outcome in refused), default=0)
    return Outcome(" ".join([done, *told[:_TOLD]]) + more, worst)
