"""What does the bridge tell the screen? Messages; only their handlers touch widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from exlab_sync_tui.engine.cockpit.view import Outcome
    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.tui.detail import Detail
    from exlab_sync_tui.tui.listing import Listing
    from exlab_sync_tui.tui.scene import Live, Scene


class News(Message):
    """Something happened."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event


class Looked(Message):
    """The store was looked at: a new picture, and the rows around those that are visible."""

    def __init__(self, scene: Scene, listing: Listing) -> None:
        super().__init__()
        self.scene = scene
        self.listing = listing


class Sampled(Message):
    """Progress and the engine's pulse, four times a second at most, when they differ from before."""

    def __init__(self, live: Live) -> None:
        super().__init__()
        self.live = live


class Told(Message):
    """The story of the selected run; ``None``: it is not known any more."""

    def __init__(self, detail: Detail | None) -> None:
        super().__init__()
        self.detail = detail


class Answered(Message):
    """What became of an order."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


class Trouble(Message):
    """The store could not be read; it is tried again. An empty sentence: it works again."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self.sentence = sentence
