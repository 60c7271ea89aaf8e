"""What does the bridge tell the screen? Messages; only their handlers touch widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from datetime import datetime

    from exlab_sync_tui.engine.cockpit.view import Outcome
    from exlab_sync_tui.model.event import Event
    from exlab_sync_tui.operate.objections import Objections
    from exlab_sync_tui.operate.run_log import RunLog
    from exlab_sync_tui.tui.detail import Detail
    from exlab_sync_tui.tui.files import FileList
    from exlab_sync_tui.tui.listing import Listing
    from exlab_sync_tui.tui.premises import Survey
    from exlab_sync_tui.tui.scene import Live, Scene


class News(Message):
    """Something happened."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event


class Looked(Message):
    """The store was looked at: a new picture, and the rows around those that are visible.

    ``place``: where the selected run is listed now, if it is not among those rows.
    """

    def __init__(self, scene: Scene, listing: Listing, place: int | None = None) -> None:
        super().__init__()
        self.scene = scene
        self.listing = listing
        self.place = place


class Found(Message):
    """A run that was looked for is listed at this place; its page is in memory."""

    def __init__(self, place: int, run_path: str) -> None:
        super().__init__()
        self.place = place
        self.run_path = run_path


class Sampled(Message):
    """Progress and the engine's pulse, four times a second at most, when they differ from before."""

    def __init__(self, live: Live) -> None:
        super().__init__()
        self.live = live


class Surveyed(Message):
    """Disks and limits, when they differ from before."""

    def __init__(self, survey: Survey) -> None:
        super().__init__()
        self.survey = survey


class Told(Message):
    """The story of the selected run; ``None``: it is not known any more."""

    def __init__(self, detail: Detail | None) -> None:
        super().__init__()
        self.detail = detail


class Ticked(Message):
    """A second has passed while somebody watches a countdown."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self.now = now


class FilesRead(Message):
    """The selected run's files around those that are visible."""

    def __init__(self, run_path: str, files: FileList) -> None:
        super().__init__()
        self.run_path = run_path
        self.files = files


class Judged(Message):
    """What the gate says of the selected run."""

    def __init__(self, run_path: str, objections: Objections) -> None:
        super().__init__()
        self.run_path = run_path
        self.objections = objections


class Logged(Message):
    """The selected run's own log."""

    def __init__(self, run_path: str, log: RunLog) -> None:
        super().__init__()
        self.run_path = run_path
        self.log = log


class Answered(Message):
    """What became of one or more orders."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


class Trouble(Message):
    """The store could not be read; it is tried again. An empty sentence: it works again."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self.sentence = sentence
