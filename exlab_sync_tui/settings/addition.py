"""How does one more instrument get into a configuration? Below the others; every other character stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from exlab_sync_tui.errors import ConfigError
from exlab_sync_tui.settings.document import parse
from exlab_sync_tui.settings.problems import key_text
from exlab_sync_tui.settings.schema import Settings
from exlab_sync_tui.settings.sentences import refusals
from exlab_sync_tui.settings.starter import item_lines
from exlab_sync_tui.settings.upgrade import exchange
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

_BY_HAND = "add it by hand, and `exlab-sync config check` says whether it is right."
_INDENT = 2


def add_instrument(path: Path, item: Mapping[str, object], now: datetime) -> Path:
    """Add *item* to the file at *path*; where the copy of the old one lies.

    Raises ``ConfigError`` if it cannot be read or written or would not be right; it is as it was then.
    """
    try:
        old = path.read_bytes()
        return exchange(path, old, with_instrument(old.decode("utf-8-sig"), item), now)
    except OSError as error:
        where = safe_text(error.filename or path)
        raise ConfigError(f"{where}: {error.strerror}; the configuration is as it was.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{safe_text(path)} is not UTF-8; save it again with that encoding.") from error


def with_instrument(text: str, item: Mapping[str, object]) -> str:
    """The text with *item* as its last instrument. Raises ``ConfigError`` if nothing else can stay as it is."""
    before = _settings(text)
    added = _put(text, item)
    after = _settings(added)
    if after.equipment[:-1] != before.equipment or after.model_copy(update={"equipment": before.equipment}) != before:
        raise ConfigError(f"The instrument cannot be added without changing something else; {_BY_HAND}")
    return added


def _settings(text: str) -> Settings:
    document = parse(text)
    if document.troubles:
        raise ConfigError("The configuration is not right; `exlab-sync config check` names the line.")
    try:
        return Settings.model_validate(document.value or {})
    except ValidationError as error:
        key, sentence, _ = next(iter(refusals(error)))
        raise ConfigError(safe_text(f"{key_text(key)} {sentence}")) from None


def _put(text: str, item: Mapping[str, object]) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.split("\n")
    found = _equipment(text)
    if found is None:
        whole = text if not text or text.endswith("\n") else text + end
        return whole + "".join(line + end for line in ("equipment:", *item_lines(item)))
    key, items = found
    if isinstance(items, SequenceNode) and items.value:
        if items.flow_style:
            raise ConfigError(f"The instruments stand in brackets, not one below the other; {_BY_HAND}")
        dash = lines[items.value[0].start_mark.line].rindex("-", 0, items.value[0].start_mark.column)
        last = _last_line(items)
        while last + 1 < len(lines) and _is_remark(lines[last + 1], dash):  # what is switched off in the last one
            last += 1
    else:
        dash, last = _INDENT, key.end_mark.line
        head, _, rest = lines[last].partition(":")
        lines[last] = head + ":" + rest.replace("[]", "", 1)
    if lines[last].endswith("\r") or last + 1 < len(lines):
        ending = "\r" if end == "\r\n" else ""
    else:  # the last line has no end
        lines[last] += end.removesuffix("\n")
        ending = end.removesuffix("\n")
        lines.append("")
    new = [" " * dash + line[_INDENT:] + ending for line in item_lines(item)]
    return "\n".join([*lines[: last + 1], *new, *lines[last + 1 :]])


def _equipment(text: str) -> tuple[Node, Node] | None:
    try:
        root = YAML().compose(text)
    except YAMLError as error:
        raise ConfigError("The configuration is no YAML; `exlab-sync config check` names the line.") from error
    pairs = root.value if isinstance(root, MappingNode) else []
    return next(((key, value) for key, value in pairs if key.value == "equipment"), None)


def _last_line(node: Node) -> int:
    """The last line on which something of a node stands."""
    if isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return max(_last_line(part) for part in (last if isinstance(last, tuple) else (last,)))
    is_block = isinstance(node, ScalarNode) and node.style in {"|", ">"}
    return int(node.end_mark.line) - (1 if is_block and node.end_mark.column == 0 else 0)


def _is_remark(line: str, dash: int) -> bool:
    bare = line.lstrip(" ")
    return bare.startswith("#") and len(line) - len(bare) > dash
