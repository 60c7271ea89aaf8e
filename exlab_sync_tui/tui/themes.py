"""Which colours does the console have? Three themes of its own; Textual's others can be chosen by name."""

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
CONTRAST = Theme(
    name="exlab-contrast",
    primary="#5fd7ff",
    secondary="#ffffff",
    accent="#5fd7ff",
    success="#5fff87",
    warning="#ffd75f",
    error="#ff8787",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    dark=True,
    variables={
        "footer-background": "#000000",
        "footer-key-foreground": "#5fd7ff",
        "block-cursor-background": "#003a70",
        "block-cursor-foreground": "#ffffff",
        "scrollbar": "#ffffff",
        "scrollbar-background": "#000000",
    },
)
OURS = (DARK, LIGHT, CONTRAST)
_SHORT_NAMES = {"dark": DARK.name, "light": LIGHT.name, "high-contrast": CONTRAST.name}
_LIGHT_BACKGROUNDS = frozenset({"7", "15"})


def chosen(wanted: str, known: Collection[str], environ: Mapping[str, str]) -> str:
    """The theme for a wish: ``dark``, ``light``, ``high-contrast``, ``ansi`` (the terminal's own colours), any other
    by its whole name; ``auto`` and unknown names follow the terminal, as far as ``COLORFGBG`` tells."""
    background = environ.get("COLORFGBG", "").rpartition(";")[2]
    is_light = background in _LIGHT_BACKGROUNDS
    if wanted == "ansi":
        return "ansi-light" if is_light else "ansi-dark"
    name = _SHORT_NAMES.get(wanted, wanted)
    if name in known:
        return name
    return LIGHT.name if is_light else DARK.name
