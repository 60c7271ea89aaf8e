"""Which colours does the console have? Two calm themes of its own; Textual's others can be chosen by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.theme import Theme

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

DARK = Theme(
    name="exlab-dark",
    primary="#6cb6d9",
    secondary="#8fa8b8",
    accent="#6cb6d9",
    success="#7cc48f",
    warning="#dcb45f",
    error="#e87f78",
    foreground="#d5dbe0",
    background="#14191d",
    surface="#1a2126",
    panel="#222b31",
    dark=True,
    variables={
        "footer-background": "#1a2126",
        "footer-key-foreground": "#6cb6d9",
        "block-cursor-background": "#2b3a44",
        "block-cursor-foreground": "#f2f5f7",
        "scrollbar": "#2f3b43",
        "scrollbar-background": "#14191d",
    },
)
LIGHT = Theme(
    name="exlab-light",
    primary="#1f6f94",
    secondary="#56707f",
    accent="#1f6f94",
    success="#2f7a45",
    warning="#8f6200",
    error="#b3372f",
    foreground="#232b30",
    background="#fbfbf9",
    surface="#f2f3f0",
    panel="#e8eae6",
    dark=False,
    variables={
        "footer-background": "#f2f3f0",
        "footer-key-foreground": "#1f6f94",
        "block-cursor-background": "#d8e6ee",
        "block-cursor-foreground": "#101518",
        "scrollbar": "#c9cfcc",
        "scrollbar-background": "#fbfbf9",
    },
)
OURS = (DARK, LIGHT)
_LIGHT_BACKGROUNDS = frozenset({"7", "15"})


def chosen(wanted: str, known: Collection[str], environ: Mapping[str, str]) -> str:
    """The theme for a wish; ``auto`` and unknown names follow the terminal, as far as ``COLORFGBG`` tells."""
    if wanted in known:
        return wanted
    background = environ.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT.name if background in _LIGHT_BACKGROUNDS else DARK.name
