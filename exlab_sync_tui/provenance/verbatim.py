"""How is a JSON object of another program changed without touching the rest of it?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Self


class VerbatimInt(int):
    """An integer that is written back with the very digits it was read from (``-0``)."""

    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number


class VerbatimFloat(float):
    """A number that is written back with the very characters it was read from (``1.10``, ``1e400``)."""

    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number


@dataclass(frozen=True, slots=True)
class ParsedObject:
    """A JSON object, key order kept, numbers verbatim. ``duplicates`` names keys that some object in it has twice."""

    document: dict[str, Any]
    duplicates: tuple[str, ...] = ()


def parse_object(data: bytes) -> ParsedObject:
    """Read one JSON object in UTF-8 (a byte order mark is passed over).

    Raises ``ValueError`` with the reason: not UTF-8, not JSON, not an object, nested too deeply.
    """
    duplicates: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            duplicates.extend(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return found

    try:
        document = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=collect,
            parse_int=_integer,
            parse_float=VerbatimFloat,
            parse_constant=VerbatimFloat,
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004  # the type is that of the file's content
    return ParsedObject(document, tuple(duplicates))


def render_object(document: dict[str, Any]) -> bytes:
    """Compact JSON in UTF-8, no line end. Raises ``ValueError`` for what JSON cannot say or is nested too deeply."""
    parts: list[str] = []
    try:
        _render(document, parts)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return "".join(parts).encode()


def _integer(text: str) -> VerbatimInt | VerbatimFloat:
    try:
        return VerbatimInt(text)
    except ValueError:  # more digits than Python converts
        return VerbatimFloat(text)


def _render(value: object, parts: list[str]) -> None:
    match value:
        case dict():
            opening = "{"
            for key, member in value.items():
                parts.append(f"{opening}{_quoted(key)}:")
                _render(member, parts)
                opening = ","
            parts.append("}" if value else "{}")
        case list() | tuple():
            opening = "["
            for member in value:
                parts.append(opening)
                _render(member, parts)
                opening = ","
            parts.append("]" if value else "[]")
        case VerbatimInt() | VerbatimFloat():
            parts.append(value.text)
        case str():
            parts.append(_quoted(value))
        case _:
            parts.append(json.dumps(value, allow_nan=False))


def _quoted(text: object) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{text!r} cannot be a key in JSON")  # noqa: TRY004  # one kind of error for one kind of fault
    quoted = json.dumps(text, ensure_ascii=False)
    # a lone surrogate has no UTF-8, only an escape
    return quoted if quoted.isascii() or _encodable(quoted) else json.dumps(text)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
