"""How is the assistant opened? An app of its own, because there is no engine to watch yet."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from textual.app import App

from exlab_sync_tui.headless.words import Look
from exlab_sync_tui.model.clock import SystemClock
from exlab_sync_tui.tui.first_run.form import FirstRunScreen, Paper
from exlab_sync_tui.tui.terminal import outliving
from exlab_sync_tui.tui.themes import OURS, chosen

if TYPE_CHECKING:
    from pathlib import Path

    from textual.driver import Driver


class FirstRunApp(App[bool]):
    """``True`` once a configuration has been written."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, paper: Paper, *, ascii_only: bool = False) -> None:
        super().__init__()
        self.title = "exlab-sync"
        self._screen_of = FirstRunScreen(paper, Look(unicode=not ascii_only, colour=True), SystemClock())
        for theme in OURS:
            self.register_theme(theme)
        self.theme = chosen("auto", self.available_themes, os.environ)

    def get_driver_class(self) -> type[Driver]:
        """Textual's driver for this terminal, made to outlive it."""
        return outliving(super().get_driver_class())

    def on_mount(self) -> None:
        self.push_screen(self._screen_of, self.exit)


def ask_first(config: Path, store_path: Path, *, adding: bool = False, ascii_only: bool = False) -> bool:
    """Ask for a first instrument, or for one more, and write it into *config*; whether it was written."""
    return bool(FirstRunApp(Paper(config, store_path, adding), ascii_only=ascii_only).run())
