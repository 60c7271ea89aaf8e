"""May the gate's findings of a rule pass in one run? Overrides and their revocation, by name and with a reason."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from exlab_sync_tui.engine.cockpit.view import Outcome
from exlab_sync_tui.engine.grants import entries_of, record_here, recorded_here
from exlab_sync_tui.errors import (
    CreationLockedError,
    CreationUnwritableError,
    NotFoundError,
    RefusedError,
    UsageError,
)
from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.provenance.overrides import in_force, new_override, new_tombstone, refuse_revoking
from exlab_sync_tui.queue.store import HistoryEntry
from exlab_sync_tui.text import count, parse_instant, safe_text, utc
from exlab_sync_tui.watch.discovery import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from exlab_sync_tui.engine.cockpit.view import Order
    from exlab_sync_tui.engine.works import Works
    from exlab_sync_tui.model.run import RunFolder
    from exlab_sync_tui.provenance.creation import Creation

    Entries = tuple[Mapping[str, Any], ...]


class _Said(TypedDict):
    operator: str
    reason: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Permit:
    """The wish that a rule's findings pass in one run; what an order's target says."""

    run_path: str
    rule: str
    reason: str
    expires_at: datetime | None = None

    def as_target(self) -> str:
        """ASCII, so that a path of any bytes passes through the store."""
        until = utc(self.expires_at) if self.expires_at else None
        return json.dumps({"run": self.run_path, "rule": self.rule, "reason": self.reason, "expires_at": until})

    @classmethod
    def of(cls, target: str) -> Permit:
        """The wish in an order's target."""
        told = json.loads(target)
        return cls(told["run"], told["rule"], told["reason"], parse_instant(told["expires_at"]))


@dataclass(frozen=True, slots=True)
class Revocation:
    """The wish that an override ends. ``override_id`` may be the beginning of it."""

    run_path: str
    override_id: str
    reason: str

    def as_target(self) -> str:
        """ASCII, as above."""
        return json.dumps({"run": self.run_path, "id": self.override_id, "reason": self.reason})

    @classmethod
    def of(cls, target: str) -> Revocation:
        """The wish in an order's target."""
        told = json.loads(target)
        return cls(told["run"], told["id"], told["reason"])


class Permits:
    """Records overrides (``engine/grants.py`` says where), and who did it in the history and the run's log.

    All raise ``RefusedError`` for a name that ``operators.allowlist`` does not have, and what ``read_creation`` and
    ``locate`` raise.
    """

    def __init__(self, works: Works) -> None:
        self._works = works
        self._parts = works.parts
        self._recording = asyncio.Lock()

    async def add(self, order: Order, _again: bool) -> Outcome:
        """Let the findings of a rule pass; what the same person said in the same words before is not written twice."""
        wish = Permit.of(order.target)
        run = await self._run(wish.run_path, order.who)
        if not self._is_in_force(await entries_of(self._parts.store, run), wish, order.who):
            await self._add(run, wish, order.who)
            until = f" until {utc(wish.expires_at)}" if wish.expires_at else ""
            await self._tell(run, order.who, f"override of {wish.rule}{until}: {wish.reason}")
        return Outcome(f"{wish.rule} may pass in {_name(run)}. {await self._gate_says(run)}")

    async def revoke(self, order: Order, again: bool) -> Outcome:
        """End an override; *again*: it may have been ended already."""
        wish = Revocation.of(order.target)
        run = await self._run(wish.run_path, order.who)
        entries = await entries_of(self._parts.store, run)
        whole = _whole_id(entries, wish.override_id)
        if not (again and any(entry.get("revokes") == whole for entry in entries)):
            await self._revoke(run, whole, wish.reason, order.who)
            await self._tell(run, order.who, f"override {whole} revoked: {wish.reason}")
        return Outcome(f"The override {safe_text(whole)[:8]} of {_name(run)} was revoked. {await self._gate_says(run)}")

    async def _add(self, run: RunFolder, wish: Permit, who: str) -> None:
        said: _Said = {"operator": who, "reason": wish.reason, "recorded_at": self._parts.now()}
        rule, until = wish.rule, wish.expires_at
        if run.writes_locally:
            add = self._parts.creation.add_override
            await self._write(run, lambda: add(run.path, problem_class=rule, expires_at=until, **said))
            return
        async with self._recording:
            entry = new_override(str(uuid.uuid4()), problem_class=rule, expires_at=until, **said)
            await record_here(self._parts.store, run, entry)

    async def _revoke(self, run: RunFolder, override_id: str, reason: str, who: str) -> None:
        said: _Said = {"operator": who, "reason": reason, "recorded_at": self._parts.now()}
        if run.writes_locally:
            await self._write(run, lambda: self._parts.creation.revoke_override(run.path, override_id, **said))
            return
        async with self._recording:
            refuse_revoking(await entries_of(self._parts.store, run), override_id)
            await record_here(self._parts.store, run, new_tombstone(str(uuid.uuid4()), override_id, **said))

    def _is_in_force(self, entries: Entries, wish: Permit, who: str) -> bool:
        wanted = (wish.rule, who, wish.reason, wish.expires_at)
        return any(
            (one.problem_class, one.operator, one.reason, parse_instant(one.expires_at)) == wanted
            for one in in_force(entries, self._parts.now())
        )

    async def _run(self, path: str, who: str) -> RunFolder:
        allowed = self._works.allowlist
        if allowed and who not in allowed:
            raise RefusedError(
                f"{safe_text(who)} may not let findings pass: operators.allowlist names"
                f" {', '.join(map(safe_text, allowed))}. Ask one of them, or say who you are with --operator."
            )
        folders = [one.folder for one in self._works.instruments.values()]
        return await asyncio.to_thread(locate, Path(path), folders)

    async def _write(self, run: RunFolder, write: Callable[[], Creation]) -> None:
        try:
            await asyncio.to_thread(write)
        except (CreationLockedError, CreationUnwritableError) as error:
            place, why = safe_text(run.path), safe_text(error.__cause__)
            raise RefusedError(
                f"creation.json of {place} cannot be written now ({why}); nothing was recorded, try again."
            ) from error

    async def _tell(self, run: RunFolder, who: str, what: str) -> None:
        job = await self._parts.store.job_of(str(run.path))
        entry = HistoryEntry(self._parts.now(), str(run.path), job.id if job else "", who, safe_text(what))
        await self._parts.store.record(entry)
        sentence = f"{run.equipment_id} {run.below}: {what}, by {who}."
        self._parts.bus.say(
            EventKind.OPERATOR, sentence, job=job, equipment_id=run.equipment_id, run_path=str(run.path)
        )

    async def _gate_says(self, run: RunFolder) -> str:
        """What keeps the run here after that."""
        granted = await recorded_here(self._parts.store, run)
        verdict = await asyncio.to_thread(self._parts.validator.judge, run, at=self._parts.now(), granted=granted)
        if verdict.blocking:
            rules = ", ".join(dict.fromkeys(finding.rule.value for finding in verdict.blocking))
            return (
                f"The gate still has {count(len(verdict.blocking), 'finding')} that {_keep(verdict.blocking)}: {rules}."
            )
        return "The gate keeps nothing of it here."


def _keep(blocking: tuple[object, ...]) -> str:
    return "keeps it here" if len(blocking) == 1 else "keep it here"


def _name(run: RunFolder) -> str:
    return safe_text(run.path.name)


def _whole_id(entries: Entries, beginning: str) -> str:
    """The one id that begins so. Raises ``NotFoundError``, ``UsageError``."""
    known = [str(entry["id"]) for entry in entries if entry.get("id")]
    found = [one for one in known if one == beginning] or [one for one in known if one.startswith(beginning)]
    if not found or not beginning:
        raise NotFoundError(
            f"This run has no override {safe_text(beginning)}; `exlab-sync override list RUN` shows them."
        )
    if len(found) > 1:
        raise UsageError(f"{safe_text(beginning)} could be any of {', '.join(map(safe_text, found))}; type more of it.")
    return found[0]
