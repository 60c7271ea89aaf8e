"""Where do keys go that are typed before a dialog is there? To the dialog, in their order, and never to what is below.

The app hands a key to what has the focus; a key that nobody takes comes back up to the app, which does what it is bound
to. Keys right behind the one that opens a dialog are on that way already, and would be orders for the list. So they are
held from then on: a messenger follows the last of them, and once it is back and the dialog has its focus, they are
typed there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from textual.app import App
from textual.events import Event, Key, Paste
from textual.message import Message

from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.screen import Screen, ScreenResultCallbackType
    from textual.widget import Widget

T = TypeVar("T")

_NEVER_HELD = frozenset({"ctrl+q", "ctrl+c"})
_PATIENCE = 0.5
"""Seconds of reading after which it is said what is waited for."""

_LOST = 2.0
"""Seconds after which a messenger, or a dialog, is not waited for any more: it has been closed before it got there."""


class Followed(Message):
    """It has come the way of the keys: what was typed before it is not under way any more."""

    def __init__(self, errand: object) -> None:
        super().__init__()
        self.errand = errand


class TypedAheadApp(App[int]):
    """An app whose dialogs get what was typed since the key that opens them."""

    def __init__(self) -> None:
        super().__init__()
        self._held: list[Key | Paste] = []
        self._errands: list[object] = []
        self._is_for_somebody = False
        self._last_handed_to: Widget | None = None
        self._give_up: Callable[[], None] | None = None

    def say(self, sentence: str, severity: str = "information") -> None:
        """One sentence for the operator, of whatever characters; it takes the place of the one before."""
        self.clear_notifications()
        self.notify(safe_text(sentence), severity=severity, markup=False)  # type: ignore[arg-type]  # one of Textual's three

    async def on_event(self, event: Event) -> None:
        """Hold keys while what they are meant for is on its way."""
        if self._errands and isinstance(event, Key) and event.key not in _NEVER_HELD:
            if event.key == "escape" and self._give_up is not None:
                self._give_up()
            else:
                self._held.append(event)
        elif self._errands and isinstance(event, Paste) and not event.is_forwarded:
            self._held.append(event)
        else:
            if isinstance(event, Key) and not event.is_forwarded:
                self._last_handed_to = self.focused or self.screen
            await super().on_event(event)

    def open(self, screen: Screen[T], then: ScreenResultCallbackType[T] | None = None) -> None:
        """Put *screen* above everything else; what is typed from now on is typed there."""
        self.push_screen(screen, then)
        self.keys_go_to(screen)

    def keys_go_to(self, screen: Screen[T]) -> None:
        """*screen* has just been put above everything else."""
        errand = self._start()
        screen.call_later(self.call_later, self._arrive, errand)

    def keys_go_to_the_focus(self) -> None:
        """Something has just asked for the focus."""
        self.call_later(self._arrive, self._start())

    def look_first(self, doing: str, look: Callable[[], Awaitable[object]]) -> None:
        """Read something before a dialog opens; what is typed meanwhile is meant for that, or for nothing.

        *doing* is said if it takes long; escape gives up.
        """
        errand = self._follow()
        slow = self.set_timer(_PATIENCE, lambda: self.say(f"{doing}; esc gives up."))

        def done() -> None:
            slow.stop()
            self._give_up = None
            self.call_later(self._arrive, errand)

        async def run() -> None:
            try:
                await look()
            finally:
                done()

        work: Callable[[], Awaitable[None]] = run
        reading = self.run_worker(work, group="reading")

        def give_up() -> None:
            reading.cancel()
            done()
            self.say("Nothing was done.")

        self._give_up = give_up

    def on_followed(self, message: Followed) -> None:
        """The keys that were under way are all held."""
        message.stop()
        self.call_later(self._arrive, message.errand)

    def _start(self) -> object:
        self._is_for_somebody = True
        errand = self._follow()
        self._do_without_later(errand)
        return errand

    def _follow(self) -> object:
        """Hold keys from now on; a messenger goes behind those that are under way. The errand that the caller ends."""
        behind, ours = object(), object()
        way = self._last_handed_to
        if (
            way is not None
            and way.is_attached
            and way.screen in self.screen_stack
            and way.post_message(Followed(behind))
        ):
            self._errands.append(behind)
            self._do_without_later(behind)
        self._errands.append(ours)
        return ours

    def _do_without_later(self, errand: object) -> None:
        """What never arrives must not hold the keys for ever."""
        self.set_timer(_LOST, lambda: self.call_later(self._arrive, errand))

    async def _arrive(self, errand: object) -> None:
        """One errand is done; after the last one everything is typed, or dropped if no dialog came."""
        if errand not in self._errands:
            return
        self._errands.remove(errand)
        if self._errands:
            return
        held, self._held = sorted(self._held, key=lambda event: event.time), []
        for_somebody, self._is_for_somebody = self._is_for_somebody, False
        for event in held if for_somebody else ():
            await self.on_event(event.copy() if isinstance(event, Key) else event)
