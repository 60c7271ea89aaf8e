"""How does a refusal of pydantic read to a person? Never with the refused value, which could be a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exlab_sync_tui.settings.problems import key_text
from exlab_sync_tui.settings.transports import TRANSPORT_TYPES
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from exlab_sync_tui.settings.problems import KeyPath

_SAID: Mapping[str, str] = {
    "missing": "missing; it must be set",
    "string_type": "must be text; put it in quotes",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "tuple_type": "must be a list",
    "dict_type": "must be a block of keys and values",
    "model_type": "must be a block of keys and values; leave it out for the defaults",
    "model_attributes_type": "must be a block of keys and values",
    "too_short": "must not be empty",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "union_tag_invalid": f"must be one of {', '.join(TRANSPORT_TYPES)}",
    "union_tag_not_found": f"missing; it must be one of {', '.join(TRANSPORT_TYPES)}",
}


def refusals(error: ValidationError) -> Iterator[tuple[KeyPath, str, str]]:
    """Key, sentence and nearest key of everything that *error* found."""
    for found in error.errors(include_url=False, include_input=False):
        context: dict[str, Any] = found.get("ctx", {})
        yield _written_path(found), _sentence(found, context), context.get("nearest", "")


def _sentence(found: ErrorDetails, context: dict[str, Any]) -> str:
    if "sentence" in context:
        return safe_text(context["sentence"])
    said = _SAID.get(found["type"])
    return said.format_map(context) if said else safe_text(found["msg"])


def _written_path(found: ErrorDetails) -> KeyPath:
    """The way to the value as the file has it: without the tag that pydantic puts behind a transport."""
    path: KeyPath = found["loc"]
    for place in range(len(path) - 1):
        if path[place] == "transport" and path[place + 1] in TRANSPORT_TYPES:
            path = (*path[: place + 1], *path[place + 2 :])
            break
    return (*path, "type") if found["type"].startswith("union_tag") else path


def shown_key(path: KeyPath) -> str:
    """The key as a problem shows it."""
    return safe_text(key_text(path))
