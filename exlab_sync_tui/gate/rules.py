"""What is wrong with this name? The pure rules of ``FORMATS.md`` §5, without any input or output."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exlab_sync_tui.model.finding import Rule, Tier
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

TIER = {
    Rule.UNRESOLVED_PLACEHOLDER_TOKEN: Tier.HARD,
    Rule.LEFTOVER_JINJA_MARKER: Tier.HARD,
    Rule.ILLEGAL_FILESYSTEM_CHARACTER: Tier.HARD,
    Rule.RESERVED_FILESYSTEM_NAME: Tier.HARD,
    Rule.MODE_PREFIX_MISMATCH: Tier.HARD,
    Rule.ORPHAN: Tier.SOFT,
    Rule.MISSING_REQUIRED_FIELD: Tier.SOFT,
    Rule.MALFORMED_YAML_FRONT_MATTER: Tier.SOFT,
    Rule.UNSAFE_PROJECT_NAME: Tier.SOFT,
}
"""Which rules block a run and which are only shown."""

_ILLEGAL = r'[<>:"/\\|?*\x00-\x1f]'
_RESERVED = r"(?:con|prn|aux|nul|com[1-9]|lpt[1-9])"
_illegal = re.compile(_ILLEGAL)
_reserved = re.compile(rf"{_RESERVED}(?=\.|\Z)", re.IGNORECASE | re.ASCII)
_placeholder = re.compile("<[A-Za-z_][A-Za-z0-9_]*>")
_harmless = re.compile(
    rf"(?!(?i:{_RESERVED})(?:\.|\Z))" + r'[^<>:"/\\|?*\x00-\x1f{]*(?<![. ])\Z',
    re.ASCII,
)
_TRAILING = {".": "a dot", " ": "a blank"}
_MAX_PROJECT_BYTES = 255
_MAX_TOKEN = 120

_WHOLE = {"experimental": ("Run_", "Runs"), "test": ("TestRun_", "TestRuns")}
"""Prefix of the leaf and name of its parent, for each kind of run."""


@dataclass(frozen=True, slots=True)
class Objection:
    """What a rule has against a text: the ``token`` as it stands there, and a ``detail`` that is safe to show."""

    rule: Rule
    token: str
    detail: str


def is_harmless(name: str) -> bool:
    """Whether no name rule can object: one regular expression, because nearly every name passes here."""
    return _harmless.match(name) is not None


def name_objections(name: str) -> Iterator[Objection]:
    """What the four name rules have against one file or folder name (a single segment, surrogate-escaped)."""
    if is_harmless(name):
        return
    shown = safe_text(name)
    for rule, token in marks(name):
        yield Objection(rule, token, f"the name `{shown}` has `{safe_text(token)}`, which no template filled in")
    for character in dict.fromkeys(_illegal.findall(name)):
        yield Objection(
            Rule.ILLEGAL_FILESYSTEM_CHARACTER,
            character,
            f"the name `{shown}` has `{safe_text(character)}`, which other systems refuse in a name",
        )
    if name[-1:] in _TRAILING:
        yield Objection(
            Rule.ILLEGAL_FILESYSTEM_CHARACTER,
            name[-1],
            f"the name `{shown}` ends in {_TRAILING[name[-1]]}, which other systems drop",
        )
    reserved = _reserved.match(name)
    if reserved:
        yield Objection(
            Rule.RESERVED_FILESYSTEM_NAME,
            reserved[0],
            f"the name `{shown}` is `{reserved[0].upper()}` before its first dot, which Windows keeps for a device",
        )


def marks(text: str) -> Iterator[tuple[Rule, str]]:
    """Placeholder tokens and left-over Jinja markers in *text*, each distinct one once, in linear time."""
    for token in _distinct(match[0] for match in _placeholder.finditer(text)):
        yield Rule.UNRESOLVED_PLACEHOLDER_TOKEN, token
    for token in _distinct(_enclosed(text, "{{", "}")):
        yield Rule.LEFTOVER_JINJA_MARKER, token
    for token in _distinct(_enclosed(text, "{%", "%")):
        yield Rule.LEFTOVER_JINJA_MARKER, token


def _enclosed(text: str, opening: str, first_of_closing: str) -> Iterator[str]:
    r"""What ``\{\{[^}]*\}\}`` (or ``\{%[^%]*%\}``) finds, but in linear time on ``{{{{{{…``."""
    closing = f"{first_of_closing}}}"
    start = text.find(opening)
    while start >= 0:
        end = text.find(first_of_closing, start + 2)
        if end < 0:
            return
        if text.startswith(closing, end):
            yield text[start : end + 2]
            start = text.find(opening, end + 2)
        else:
            # every opening before this end meets the same end; the last one may share its own percent sign with it
            start = text.find(opening, end - 1)


def _distinct(tokens: Iterator[str]) -> Iterator[str]:
    seen = set()
    for token in tokens:
        short = token if len(token) <= _MAX_TOKEN else token[:_MAX_TOKEN] + "…"
        if short not in seen:
            seen.add(short)
            yield short


def mode_objections(run_kind: str | None, leaf: str, parent: str) -> Iterator[Objection]:
    """Object unless kind, prefix and parent folder all say the same; an unknown kind (``None``) leaves two to agree."""
    kinds = _WHOLE if run_kind is None else {run_kind: _WHOLE[run_kind]} if run_kind in _WHOLE else {}
    if any(leaf.startswith(prefix) and parent == container for prefix, container in kinds.values()):
        return
    kind = "" if run_kind is None else f"creation.json says `{safe_text(run_kind)}`, but "
    yield Objection(
        Rule.MODE_PREFIX_MISMATCH,
        f"{parent}/{leaf}",
        f"{kind}the folder is `{safe_text(parent)}/{safe_text(leaf)}`: an experimental run is `Runs/Run_…`"
        " and a test run is `TestRuns/TestRun_…`",
    )


def project_objections(name: str) -> Iterator[Objection]:
    """What makes a project's name unsafe as a folder name; the reasons are told together, once per token."""
    reasons = {character: f"has `{safe_text(character)}`" for character in dict.fromkeys(_illegal.findall(name))}
    if name[:1] in _TRAILING:
        reasons[name[0]] = f"begins with {_TRAILING[name[0]]}"
    if name[-1:] in _TRAILING:
        reasons[name[-1]] = f"ends in {_TRAILING[name[-1]]}"
    reserved = _reserved.match(name)
    if reserved:
        reasons[reserved[0]] = f"is `{reserved[0].upper()}`, which Windows keeps for a device"
    if len(name.encode("utf-8", "replace")) > _MAX_PROJECT_BYTES:  # an escaped byte counts as one
        reasons[""] = f"is longer than {_MAX_PROJECT_BYTES} bytes"
    for token, reason in reasons.items():
        yield Objection(Rule.UNSAFE_PROJECT_NAME, token, f"the project folder `{safe_text(name)}` {reason}")
