"""Why is something not moving, and since when? Lays holds, ends them, and announces both."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exlab_sync_tui.model.event import EventKind
from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.queue.store import HistoryEntry
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from datetime import datetime

    from exlab_sync_tui.engine.bus import Bus
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.queue.store import JobStore


class HoldKeeper:
    """The only writer of holds."""

    def __init__(self, store: JobStore, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock

    async def lay(
        self,
        scope: HoldScope,
        key: str,
        kind: HoldKind,
        sentence: str,
        *,
        equipment_id: str,
        until: datetime | None = None,
        next_step: str = "",
        who: str = "engine",
    ) -> None:
        """Lay or renew a hold; it is announced, and told in the history, when its kind or its sentence is new."""
        hold = Hold(scope, key, kind, safe_text(sentence), self._clock.now(), until, safe_text(next_step), equipment_id)
        before = await self._store.hold(scope, key)
        if before is not None and before == replace(hold, since=before.since):
            return  # a hold that is renewed at every look costs no write
        is_news = (
            before is None
            or before.kind is not kind
            or (kind is not HoldKind.ACQUIRING and before.sentence != hold.sentence)
        )
        story = self._story(EventKind.HOLD_SET, hold, hold.sentence, who) if is_news else None
        await self._store.set_hold(hold, story=story)
        if is_news:
            run_path = key if scope is HoldScope.RUN else ""
            self._bus.say(
                EventKind.HOLD_SET,
                hold.sentence,
                equipment_id=equipment_id,
                run_path=run_path,
                hold=kind.value,
                scope=scope.value,
            )

    async def lift(self, scope: HoldScope, key: str, because: str = "", *, who: str = "engine") -> Hold | None:
        """End a hold, if there is one; the one that ended."""
        hold = await self._store.hold(scope, key)
        if hold is None:
            return None
        because = because or f"No longer {hold.kind.value.replace('_', ' ')}."
        await self._store.clear_hold(scope, key, story=self._story(EventKind.HOLD_CLEARED, hold, because, who))
        self._bus.say(
            EventKind.HOLD_CLEARED,
            because,
            equipment_id=hold.equipment_id,
            run_path=key if scope is HoldScope.RUN else "",
            hold=hold.kind.value,
            scope=scope.value,
        )
        return hold

    def _story(self, event: EventKind, hold: Hold, sentence: str, who: str) -> HistoryEntry:
        """The same as a line of history, from which an attached console makes the event again."""
        return HistoryEntry(
            at=self._clock.now(),
            run_path=hold.key if hold.scope is HoldScope.RUN else "",
            job_id="",
            who=who,
            what=sentence,
            data={
                "event": event.value,
                "hold": hold.kind.value,
                "scope": hold.scope.value,
                "equipment": hold.equipment_id,
            },
        )
