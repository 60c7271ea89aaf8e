"""What goes with a run? Overrides and their end, its paths, and what one would type in a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exlab_sync_tui.engine.cockpit.permits import Permit, Revocation
from exlab_sync_tui.engine.cockpit.view import Verb
from exlab_sync_tui.tui.acts.base import ActingApp
from exlab_sync_tui.tui.screens.command_line import CommandLineScreen
from exlab_sync_tui.tui.screens.override import OverrideScreen, RevokeScreen
from exlab_sync_tui.tui.shell_words import command_lines, shell_word

if TYPE_CHECKING:
    from exlab_sync_tui.operate.objections import Objections
    from exlab_sync_tui.tui.listing import Row
    from exlab_sync_tui.tui.screens.override import Wish


class PaperActs(ActingApp):
    """Override, revoke, copy, show as a command."""

    def action_override(self) -> None:
        """Let a rule's findings pass in the selected run."""
        row = self.target()
        if row is not None:
            self.look_first(f"Asking the gate about {row.name}", lambda: self._override(row))

    def action_revoke(self) -> None:
        """Take an override of the selected run back."""
        row = self.target()
        if row is not None:
            self.look_first(f"Asking the gate about {row.name}", lambda: self._revoke(row))

    def action_copy_path(self) -> None:
        """Copy the folder on this PC."""
        row = self.target()
        if row is not None:
            self._copy(row.run_path)

    def action_copy_far_path(self) -> None:
        """Copy the place on the NAS."""
        row = self.target()
        if row is None:
            return
        if row.job is None or not row.job.nas_path:
            self.say(f"{row.name} has no place on the NAS yet.", "warning")
            return
        root = self.lab.far_roots.get(row.equipment_id, "").rstrip("/")
        self._copy(f"{root}/{row.job.nas_path}" if root else row.job.nas_path)

    def action_command_line(self) -> None:
        """Show what to type for the selected run."""
        row = self.target()
        if row is None:
            return

        def chosen(line: str | None) -> None:
            if line:
                self._copy(line)

        self.open(CommandLineScreen(row.name, command_lines(row)), chosen)

    async def _override(self, row: Row) -> None:
        told = await self._asked(row)
        if told is None:
            return
        blocking = [finding for finding in told.findings if finding.blocks]
        if not blocking:
            self.say(f"The gate has nothing against {row.name} that keeps it here.")
            return

        def wished(wish: Wish | None) -> None:
            if wish is not None:
                permit = Permit(row.run_path, wish.rule, wish.reason, wish.expires_at)
                self.order([(Verb.OVERRIDE, permit.as_target())])

        self.open(OverrideScreen(row.name, blocking, self.options.operator, self.clock), wished)

    async def _revoke(self, row: Row) -> None:
        told = await self._asked(row)
        if told is None:
            return
        active = [one for one in told.overrides if one["state"] == "in force" or one["state"].startswith("until ")]
        if not active:
            self.say(f"No override of {row.name} is in force, so there is nothing to revoke.")
            return

        def chosen(answer: tuple[str, str] | None) -> None:
            if answer is not None:
                self.order([(Verb.REVOKE, Revocation(row.run_path, *answer).as_target())])

        self.open(RevokeScreen(row.name, active), chosen)

    async def _asked(self, row: Row) -> Objections | None:
        told = await self.bridge.objections(row.run_path)
        if told.problem:
            self.say(told.problem, "warning")
            return None
        return told

    def _copy(self, text: str) -> None:
        """What cannot be typed is copied as a word for a shell, so that no escape gets into anybody's clipboard."""
        copied = text if text.isprintable() else shell_word(text)
        self.copy_to_clipboard(copied)
        self.say(f"Copied, if this terminal allows it: {copied}")
