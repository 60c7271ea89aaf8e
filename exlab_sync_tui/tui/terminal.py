"""What if the terminal goes away while we draw on it? Nobody sees the picture; the engine ends in good order."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from textual.driver import Driver


class Forgiving:
    """A terminal's file that swallows what cannot be drawn any more.

    Textual's writer thread dies of the first ``EIO`` of a closed terminal, and the driver then waits for it for ever
    (8.2.8), with the engine's lock held.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Draw, if anybody still looks."""
        with suppress(OSError, ValueError):
            return self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Draw now, if anybody still looks."""
        with suppress(OSError, ValueError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def outliving(driver: type[Driver]) -> type[Driver]:
    """The same driver, which outlives its terminal; one that draws on no file is left as it is."""

    class OutlivingDriver(driver):  # type: ignore[misc, valid-type]  # the class that Textual chose for this system
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            file = getattr(self, "_file", None)
            if file is not None:
                self._file = Forgiving(file)

    return OutlivingDriver
