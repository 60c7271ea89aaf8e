"""What can be typed? Every verb of ``exlab-sync``; each loads what it needs when it is used."""

from __future__ import annotations

import sys

from exlab_sync_tui.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; ends the process with an exit code of ``FORMATS.md`` §11."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a sign still gets the sentence
    app(prog_name="exlab-sync")
