"""The first-run assistant tries every answer while it is typed, and writes a configuration that works."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Checkbox, Input, RadioSet, Static

from exlab_sync_tui.operate.first_run import Answers, id_for, objection, transport_of, try_folder, try_nas, try_signal
from exlab_sync_tui.settings.loading import load_settings
from exlab_sync_tui.tui.first_run.app import FirstRunApp
from exlab_sync_tui.tui.first_run.form import FirstRunScreen, Paper
from exlab_sync_tui.tui.options import ConsoleOptions
from tests.tui.conftest import TITLE, opened
from tests.tui.lab import FakeCockpit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from syrupy.assertion import SnapshotAssertion
    from textual.pilot import Pilot


@dataclass
class Form:
    """The form of a test."""

    app: FirstRunApp
    pilot: Pilot[bool]

    async def fill(self, **texts: str) -> None:
        """Type into the fields; then everything has been tried."""
        for name, text in texts.items():
            self.app.screen.query_one(f"#{name}", Input).value = text
            await self.settle()

    async def settle(self) -> None:
        """Let every answer be tried."""
        await self.pilot.pause()
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    def told(self, name: str) -> str:
        """What stands below a question."""
        return str(self.app.screen.query_one(f"#{name}", Static).render())


@asynccontextmanager
async def form(tmp_path: Path, *, size: tuple[int, int] = (100, 40)) -> AsyncIterator[Form]:
    app = FirstRunApp(Paper(tmp_path / "config" / "config.yaml", tmp_path / "state" / "queue.db"))
    async with app.run_test(size=size) as pilot:
        made = Form(app, pilot)
        await made.settle()
        yield made


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    for name in ("Plate_1", "Plate_2"):
        (tmp_path / "plates" / name).mkdir(parents=True)
    (tmp_path / "plates" / "Plate_1" / "done.flag").touch()
    (tmp_path / "nas").mkdir()
    return tmp_path


async def test_every_answer_is_tried_while_it_is_typed_and_then_written(lab: Path) -> None:
    async with form(lab) as shown:
        await shown.fill(folder=str(lab / "nowhere"))
        assert "cannot be read: No such file" in shown.told("tried-folder")
        await shown.fill(folder=str(lab / "plates"))
        assert "2 runs in it" in shown.told("tried-folder")
        assert shown.app.screen.query_one("#id", Input).value == "PLATES"
        shown.app.screen.query_one("#signal", RadioSet).query("RadioButton").first().value = True  # type: ignore[attr-defined]  # one
        await shown.fill(filename="done.flag", id="READER_01")
        assert "1 of 2 runs there has done.flag" in shown.told("tried-signal")
        await shown.fill(nas=str(lab / "nas"))
        assert "is no mounted share" in shown.told("tried-nas")
        await shown.pilot.press("ctrl+s")
        await shown.settle()
        assert "is no mounted share" in shown.told("says")
        assert not (lab / "config").exists()
        assert "[ ] A folder of this PC" in shown.text
        shown.app.screen.query_one("#nas", Input).focus()
        await shown.pilot.press("tab", "space")
        await shown.settle()
        assert "[x] A folder of this PC" in shown.text
        assert "It answers: a folder of this PC" in shown.told("tried-nas")
        await shown.pilot.press("ctrl+s")
        await shown.app.workers.wait_for_complete()
        await shown.pilot.pause()
        assert shown.app.return_value is True
    settings = load_settings(lab / "config" / "config.yaml", environ={}).settings
    (item,) = settings.equipment
    assert (item.id, item.folder, item.sentinel_filename) == ("READER_01", lab / "plates", "done.flag")
    assert (lab / "nas" / ".exlab-destination.json").exists()


async def test_a_wrong_answer_is_said_and_nothing_is_written(lab: Path) -> None:
    async with form(lab) as shown:
        await shown.fill(folder=str(lab / "plates"), nas=str(lab / "nas"), id="[/red] x")
        await shown.pilot.press("ctrl+s")
        await shown.settle()
        assert "must be capital letters" in shown.told("says")
        await shown.pilot.press("escape")
        assert shown.app.return_value is False
    assert not (lab / "config").exists()


async def test_what_is_tried_tells_what_it_found(lab: Path) -> None:
    plates, nas = str(lab / "plates"), str(lab / "nas")
    exlab = Answers(plates, plain=False, id="READER")
    assert "is named like the instrument" in (await try_folder(exlab)).sentence
    assert (await try_folder(Answers(plates, plain=False, id="plates"))).ok
    assert (await try_signal(Answers(plates, signal="manifest", filename="files.json"))).ok is False
    assert (await try_signal(Answers(plates, signal="manifest", filename="a/b"))).ok is False
    assert (await try_signal(Answers(nas, signal="manifest", filename="x"))).sentence.startswith("No run is there yet")
    assert (await try_nas(Answers(nas=str(lab / "nowhere")))).ok is False
    assert (await try_nas(Answers(nas=nas, local=True))).ok
    assert not objection(Answers(plates, id="A", nas=nas))


@pytest.mark.parametrize(
    ("place", "transport"),
    [
        ("/mnt/nas", {"type": "mount", "path": "/mnt/nas"}),
        ("lab@nas01:/srv/lab", {"type": "sftp", "ssh_target": "lab@nas01", "remote_path": "/srv/lab"}),
        ("nas01:lab", {"type": "rclone", "rclone_remote": "nas01", "rclone_remote_path": "lab"}),
    ],
)
def test_a_place_means_a_transport(place: str, transport: dict[str, object]) -> None:
    assert transport_of(place) == transport


@pytest.mark.parametrize(
    ("folder", "name"),
    [("/data/Plate reader 2/", "PLATE_READER_2"), ("/data/2024", ""), ("", ""), ("/x/CONFOCAL_01", "CONFOCAL_01")],
)
def test_a_folder_suggests_a_name(folder: str, name: str) -> None:
    assert id_for(folder) == name


async def test_the_assistant_looks_so(picture: SnapshotAssertion, tmp_path: Path) -> None:
    async with form(tmp_path) as shown:
        shown.app.screen.query_one("#says", Static).update("Writes ~/.config/exlab-sync/config.yaml.")
        for field in shown.app.screen.query(Input):
            field.cursor_blink = False
        await shown.fill(nas="nobody@[/red]:/x")
        for theme in ("dark", "light"):
            shown.app.theme = f"exlab-{theme}"
            for width, height in ((80, 24), (120, 36), (200, 60)):
                await shown.pilot.resize_terminal(width, height)
                shown.app._check_resize()
                for _ in range(3):
                    await shown.pilot.pause()
                assert shown.app.export_screenshot(title=TITLE) == picture(name=f"{theme}-{width}x{height}")


async def test_the_console_adds_an_instrument_with_the_same_questions(lab: Path) -> None:
    config = lab / "config.yaml"
    config.write_text("# Ours.\nequipment: []\n", encoding="utf-8")
    options = ConsoleOptions("mira", config=config, store_path=lab / "state" / "queue.db")
    cockpit = FakeCockpit()
    async with opened(cockpit, size=(100, 40), options=options) as console:
        await console.press("A")
        screen = console.app.screen
        assert isinstance(screen, FirstRunScreen)
        assert "One more instrument" in console.text
        await console.press("escape")
        assert console.notices == ["Nothing was written."]
        await console.press("A")
        screen = console.app.screen
        for name, text in (("folder", lab / "plates"), ("id", "READER_02"), ("nas", lab / "nas")):
            screen.query_one(f"#{name}", Input).value = str(text)
            await console.settle()
        screen.query_one("#local", Checkbox).value = True
        screen.query_one("#layout", RadioSet).focus()
        await console.press("r", "q", "d")  # keys of the console mean nothing here
        assert console.app.screen is screen
        await console.press("ctrl+s")
        await console.app.workers.wait_for_complete([one for one in console.app.workers if one.group == "write"])
        await console.settle()
        assert console.app.screen is console.app.main
        assert console.notices[-1].endswith("The next engine watches it: leave this console and open it again.")
        assert not cockpit.orders
    settings = load_settings(config, environ={}).settings
    assert [one.id for one in settings.equipment] == ["READER_02"]
    assert config.read_text(encoding="utf-8").startswith("# Ours.\n")
    assert (lab / "nas" / ".exlab-destination.json").exists()


async def test_a_console_without_a_configuration_says_that_none_can_be_added() -> None:
    async with opened(FakeCockpit()) as console:
        await console.press("A")
        assert console.notices[0].startswith("This console has no configuration of its own")
