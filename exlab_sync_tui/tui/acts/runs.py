"""What can be done with runs and instruments? Orders to the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.view import Verb
from exlab_sync_tui.model.hold import HoldKind
from exlab_sync_tui.text import count, safe_text
from exlab_sync_tui.tui.acts.base import ActingApp
from exlab_sync_tui.tui.screens.line import LineScreen

if TYPE_CHECKING:
    from exlab_sync_tui.tui.listing import Row

_BEING_WRITTEN = (
    "Its instrument has not said that it is finished. What is there now is sent and verified; a file that changes"
    " meanwhile sends the run back to waiting, and what is written after publishing is added, or becomes a second"
    " revision beside the first. Nothing is lost either way."
)


class RunActs(ActingApp):
    """Retry, verify, queue, pause."""

    def action_retry(self) -> None:
        """Queue the chosen runs again."""
        self._order_for_jobs(Verb.RETRY)

    def action_verify(self) -> None:
        """Compare the chosen runs with their destination."""
        self._order_for_jobs(Verb.VERIFY)

    def action_retry_all_failed(self) -> None:
        """Queue every failed run again, after a question."""
        failed = self.main.scene.tally().failed
        if not failed:
            self.say("No run has failed, so there is nothing to retry.")
            return
        runs = count(failed, "failed run")
        consequence = (
            "Each is queued afresh with all its attempts, oldest first. What has arrived already is compared, not sent"
            " again. A reason that has not been mended fails it again."
        )
        self.ask(f"Retry {runs}?", consequence, f"Retry {failed:,}", lambda: self.meanwhile(self._retry_every_failed()))

    def action_enqueue(self) -> None:
        """Queue the chosen runs now, whatever their finished-signal says, after a question."""
        rows = self.targets()
        if not rows:
            return
        fitting = [row for row in rows if row.job is None and not _is_blocked(row)]
        if not fitting:
            row = rows[0]
            why = "the gate keeps it here; let it pass, or repair it" if _is_blocked(row) else "it is queued already"
            self.say(f"{row.name}: {why}, so there is nothing to queue.", "warning")
            return
        name = fitting[0].name if len(fitting) == 1 else count(len(fitting), "run")
        orders = [(Verb.ENQUEUE, row.run_path) for row in fitting]
        self.ask(f"Queue {name} now?", _BEING_WRITTEN, "Queue now", lambda: self._send(orders))

    def action_enqueue_path(self) -> None:
        """Queue the run in a folder that is typed."""

        def typed(path: str | None) -> None:
            if path:
                self.order([(Verb.ENQUEUE, path)])

        hint = "The run's folder, below an instrument's folder. It is queued now, whatever its finished-signal says."
        self.open(LineScreen("Queue a folder", hint, placeholder="/data/lab/…", yes="Queue now"), typed)

    def action_pause(self) -> None:
        """Pause or resume the selected run's instrument."""
        row, instruments = self.main.selected, self.lab.instruments
        if row is None and len(instruments) != 1:
            self.say("No run is selected, so no instrument is chosen to pause.", "warning")
            return
        equipment_id = row.equipment_id if row is not None else instruments[0].id
        self.order([(Verb.RESUME if self.main.scene.is_paused(equipment_id) else Verb.PAUSE, equipment_id)])

    def action_rescan(self) -> None:
        """Look at every instrument's folders now."""
        self.order([(Verb.RESCAN, "")])

    async def _retry_every_failed(self) -> None:
        jobs = await self.bridge.failed()
        self.order([(Verb.RETRY, job.id) for job in jobs], noun="run")

    def _order_for_jobs(self, verb: Verb) -> None:
        rows = self.targets()
        if not rows:
            return
        jobs = [row.job for row in rows if row.job is not None]
        if not jobs:
            name = rows[0].name if len(rows) == 1 else count(len(rows), "marked run")
            be = "is" if len(rows) == 1 else "are"
            self.say(f"{name} {be} not queued yet, so there is nothing to {verb.value}.", "warning")
            return
        if verb is Verb.VERIFY:
            name = safe_text(rows[0].name) if len(rows) == 1 else count(len(jobs), "run")
            self.say(f"Comparing {name} with {'its' if len(jobs) == 1 else 'their'} destination.")
        self._send([(verb, job.id) for job in jobs])

    def _send(self, orders: list[tuple[Verb, str]]) -> None:
        self.order(orders, noun="run")
        self.main.unmark()


def _is_blocked(row: Row) -> bool:
    return row.hold is not None and row.hold.kind is HoldKind.BLOCKED
