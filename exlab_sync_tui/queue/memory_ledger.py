"""What does a store in memory keep besides jobs? Orders, debts, observations and notes, as the file does."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from exlab_sync_tui.errors import StoreError
from exlab_sync_tui.queue.commands import KEPT
from exlab_sync_tui.queue.rows import plain
from exlab_sync_tui.queue.store import Command

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from exlab_sync_tui.model.entry import FileRecord
    from exlab_sync_tui.model.hold import Hold
    from exlab_sync_tui.model.job import SyncJobRow
    from exlab_sync_tui.queue.store import Debt, DebtKind, HistoryEntry, Observation


@dataclass(slots=True)
class Content:
    """All that a store has."""

    jobs: dict[str, SyncJobRow] = field(default_factory=dict)
    files: dict[str, dict[bytes, FileRecord]] = field(default_factory=dict)
    holds: dict[tuple[bytes, str], Hold] = field(default_factory=dict)
    history: list[HistoryEntry] = field(default_factory=list)
    debts: dict[tuple[bytes, DebtKind], Debt] = field(default_factory=dict)
    observations: dict[str, Observation] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    commands: dict[str, Command] = field(default_factory=dict)


class MemoryLedger:
    """The part of ``MemoryStore`` that is not about jobs and their files."""

    def __init__(self) -> None:
        self._content = Content()
        self._is_open = False
        self._store_id = str(uuid.uuid4())

    @property
    def store_id(self) -> str:
        """A uuid4 made with the store."""
        return self._store_id

    @property
    def _now(self) -> Content:
        if not self._is_open:
            raise StoreError("The job store in memory is not open; open it first.")
        return self._content

    async def open(self) -> None:
        """Open; what was there before is there again."""
        self._is_open = True

    async def close(self) -> None:
        """Close; a second call does nothing."""
        self._is_open = False

    async def ask(self, command: Command) -> None:
        """Leave an order for the engine, once."""
        asked = Command(command.id, plain(command.verb), command.target, plain(command.who), command.at)
        self._now.commands.setdefault(command.id, asked)

    async def unanswered(self, limit: int = 1_000) -> list[Command]:
        """The orders that have no outcome yet, oldest first."""
        return [command for command in self._now.commands.values() if command.done_at is None][:limit]

    async def take(self, command_id: str, *, at: datetime) -> bool:
        """Begin with an order; ``False`` if it was withdrawn or answered."""
        command = self._now.commands.get(command_id)
        if command is None or command.done_at is not None:
            return False
        self._now.commands[command_id] = replace(command, taken_at=at)
        return True

    async def answer(self, command_id: str, outcome: str, exit_code: int, *, at: datetime) -> None:
        """Write what became of an order, once, and drop those answered a day ago."""
        command = self._now.commands.get(command_id)
        if command is not None and command.done_at is None:
            done = replace(command, outcome=plain(outcome), exit_code=exit_code, done_at=at)
            self._now.commands[command_id] = done
        for old in [each for each in self._now.commands.values() if each.done_at and each.done_at < at - KEPT]:
            del self._now.commands[old.id]

    async def answered(self, command_id: str) -> Command | None:
        """The order with its outcome; ``None`` as long as it has none."""
        command = self._now.commands.get(command_id)
        return command if command is not None and command.done_at is not None else None

    async def withdraw(self, command_id: str) -> bool:
        """Take an order back; ``False`` if the engine has begun with it."""
        command = self._now.commands.get(command_id)
        if command is None or command.taken_at is not None or command.done_at is not None:
            return False
        del self._now.commands[command_id]
        return True

    async def debts(self, run_path: str = "") -> list[Debt]:
        """What is owed, oldest first."""
        owed = [debt for debt in self._now.debts.values() if run_path in {"", debt.run_path}]
        return sorted(owed, key=lambda debt: (debt.since, os.fsencode(debt.run_path), debt.kind))

    async def owe(self, debt: Debt) -> None:
        """Remember an owed write."""
        kept = replace(debt, last_error=plain(debt.last_error))
        self._now.debts[os.fsencode(debt.run_path), debt.kind] = kept

    async def unpaid(self, debt: Debt, reason: str) -> None:
        """Note why *debt* could not be paid, unless a newer value has replaced it."""
        if self._is_owed(debt):
            await self.owe(replace(debt, last_error=reason))

    async def paid(self, debt: Debt) -> None:
        """Forget *debt*, unless a newer value has replaced it."""
        if self._is_owed(debt):
            del self._now.debts[os.fsencode(debt.run_path), debt.kind]

    def _is_owed(self, debt: Debt) -> bool:
        owed = self._now.debts.get((os.fsencode(debt.run_path), debt.kind))
        return owed is not None and (owed.value, owed.since) == (debt.value, debt.since)

    async def observation(self, run_path: str) -> Observation | None:
        """How the run looked last time."""
        return self._now.observations.get(run_path)

    async def observations(self, run_paths: Sequence[str]) -> dict[str, Observation]:
        """How these runs looked last time, by run path."""
        return {path: self._now.observations[path] for path in run_paths if path in self._now.observations}

    async def observe(self, observation: Observation) -> None:
        """Remember how the run looks."""
        self._now.observations[observation.run_path] = observation

    async def mark_taken(self, run_path: str, fingerprint: str) -> None:
        """The run was handed over as it looked, unless that has been forgotten meanwhile."""
        seen = self._now.observations.get(run_path)
        if seen is not None and seen.fingerprint == fingerprint:
            self._now.observations[run_path] = replace(seen, taken=True)

    async def forget_observation(self, run_path: str) -> None:
        """Stop remembering how the run looks."""
        self._now.observations.pop(run_path, None)

    async def note(self, key: str, value: str | None) -> None:
        """Keep one small text under a key; ``None`` removes it."""
        if value is None:
            self._now.notes.pop(key, None)
        else:
            self._now.notes[key] = value

    async def noted(self, key: str) -> str | None:
        """The text under a key."""
        return self._now.notes.get(key)
