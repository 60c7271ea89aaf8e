"""What becomes of local copies and of conflicts? Keep, clean up, resolve, forget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.view import Order, Verb
from exlab_sync_tui.engine.cockpit.wishes import Forgetting, Keeping, Preview, Resolution
from exlab_sync_tui.errors import RefusedError
from exlab_sync_tui.model.hold import HoldKind
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.tui.acts.base import ActingApp
from exlab_sync_tui.tui.screens.upkeep import CleanupScreen, ReasonScreen, ResolveScreen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exlab_sync_tui.headless.words import Look
    from exlab_sync_tui.tui.listing import Row

_FORESEEING = "Looking which local copies may go"


class UpkeepActs(ActingApp):
    """Orders that let something go, each with its consequence first."""

    look: Look

    def action_keep_local(self) -> None:
        """Keep the selected run's local copy, or let it go again once its proof holds."""
        row = self.target()
        if row is None:
            return
        if row.job is None:
            self.say(f"{row.name} is not queued yet, so nothing would delete its local copy.", "warning")
            return
        keep = not row.job.keep_local
        orders = [(Verb.KEEP_LOCAL, Keeping(row.job.id, keep=keep).as_target())]
        if keep:
            self.order(orders)
            return
        consequence = (
            "Cleanup may then delete this PC's copy by itself, as soon as every interlock holds. The copy on the NAS"
            " stays."
        )
        self.ask(f"Let the local copy of {row.name} go again?", consequence, "Let it go", lambda: self.order(orders))

    def action_cleanup(self) -> None:
        """Show what cleanup would do with the chosen runs, and do it if it is wanted."""
        rows = self.targets()
        jobs = [row.job.id for row in rows if row.job is not None]
        if jobs:
            self.look_first(_FORESEEING, lambda: self._foresee(jobs))
        elif rows:
            self.say(f"{rows[0].name} is not queued yet; only verified runs are cleaned up.", "warning")

    def action_cleanup_all(self) -> None:
        """The same for every verified run."""
        self.look_first(_FORESEEING, lambda: self._foresee([""]))

    def action_resolve(self) -> None:
        """Decide about the selected run's conflict or damage."""
        row = self.target()
        if row is None:
            return
        if row.job is None or not _is_undecided(row):
            self.say(f"{row.name} has neither a conflict nor a damage, so there is nothing to decide.", "warning")
            return
        job, problem = row.job, row.hold.sentence if row.hold is not None else row.job.last_error or ""

        def chosen(way: str | None) -> None:
            if way is not None:
                self.order([(Verb.RESOLVE, Resolution(job.id, way).as_target())])

        self.open(ResolveScreen(row.name, problem), chosen)

    def action_forget(self) -> None:
        """Drop the selected run, which was deleted on purpose, with a reason."""
        row = self.target()
        if row is None:
            return
        if row.job is None:
            self.say(f"{row.name} is not queued yet, so there is nothing to forget.", "warning")
            return
        job_id = row.job.id

        def said(reason: str | None) -> None:
            if reason is not None:
                self.order([(Verb.FORGET, Forgetting(job_id, reason).as_target())])

        consequence = (
            "Only for a run that was deleted here on purpose: it is dropped from the list with its file records. What"
            " lies on the NAS is left alone, and a line in the history says who did it and why."
        )
        self.open(ReasonScreen(f"Forget {row.name}?", consequence, "Forget it"), said)

    async def _foresee(self, targets: Sequence[str]) -> None:
        who = self.options.operator
        try:
            answers = [await self.bridge.ask(Order(Verb.CLEANUP_PREVIEW, target, who)) for target in targets]
            previews = [Preview.of(answer) for answer in answers]
        except RefusedError as error:
            self.say(str(error), "error")
            return
        runs = [run for preview in previews for run in preview.runs]
        goes = [run.job_id for run in runs if run.would_go]
        everything = list(targets) == [""]

        def wanted(yes: bool | None) -> None:
            if yes:
                chosen = [""] if everything else goes
                self.order([(Verb.CLEANUP, target) for target in chosen], noun="run")
                self.main.unmark()

        sentence = previews[0].sentence if len(previews) == 1 else f"{len(goes):,} of {len(runs):,} would go."
        more = sum(preview.more for preview in previews)
        self.open(CleanupScreen(sentence, runs, more, self.look, self.clock.now()), wanted)


def _is_undecided(row: Row) -> bool:
    if row.hold is not None and row.hold.kind in {HoldKind.CONFLICT, HoldKind.DAMAGED}:
        return True
    job = row.job
    return job is not None and job.state is SyncJobState.FAILED
