"""What does a YAML 1.2 text say, and on which line? Values without tags, objects or guesses (``FORMATS.md`` §9)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from exlab_sync_tui.settings.problems import KeyPath

_CORE = "tag:yaml.org,2002:"
_MERGE = _CORE + "merge"
_QUOTED = re.compile(r"(['\"]).{2,}\1")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that YAML itself forbids, or that is written twice."""

    line: int | None
    key: KeyPath
    message: str


@dataclass(frozen=True, slots=True)
class Document:
    """``value`` of plain dicts, lists and scalars; ``lines`` tells on which line (from 1) each key or item begins."""

    value: object
    lines: dict[KeyPath, int]
    troubles: tuple[Trouble, ...] = ()


def parse(text: str) -> Document:
    """Read *text*; what cannot be read becomes a trouble, never an exception. No trouble quotes a value."""
    reader = _Reader()
    try:
        value = reader.read(text)
    except RecursionError:
        trouble = Trouble(None, (), "nests too deeply, or refers to itself")
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        trouble = Trouble(line, (), f"has a character that YAML does not allow (U+{error.character:04X})")
    except YAMLError as error:
        trouble = _syntax(error)
    else:
        return Document(value, reader.lines, tuple(reader.troubles))
    return Document(None, {}, (trouble,))


def _syntax(error: YAMLError) -> Trouble:
    mark, words = None, ["it cannot be parsed"]
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        words = [part.split("\n")[0] for part in (error.context, error.problem) if part]
    # The parser's words can quote a piece of the file, and that piece can be a secret.
    said = safe_text(_QUOTED.sub("…", ", ".join(words)))
    return Trouble(mark.line + 1 if mark else None, (), f"is not valid YAML: {said}")


class _Reader:
    """Builds plain values from YAML nodes, and remembers the lines."""

    def __init__(self) -> None:
        self._yaml = YAML(typ="safe", pure=True)
        self.lines: dict[KeyPath, int] = {}
        self.troubles: list[Trouble] = []

    def read(self, text: str) -> object:
        node = self._yaml.compose(text)
        return None if node is None else self._value(node, ())

    def _value(self, node: Node, path: KeyPath) -> object:
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _item(self, node: Node, path: KeyPath) -> object:
        self.lines[path] = _line(node)
        return self._value(node, path)

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, object]:
        result: dict[str, object] = {}
        for key, source in node.value:
            if key.tag == _MERGE:
                result = self._merged(source, path) | result
        first: dict[str, int] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                continue
            if not isinstance(key, ScalarNode):
                self._object(key, path, "a key must be one word")
                continue
            name = key.value
            if name in first:
                self._object(key, (*path, name), f"is written twice; first on line {first[name]}")
                continue
            first[name] = self.lines[*path, name] = _line(key)
            result[name] = self._value(value, (*path, name))
        return result

    def _merged(self, source: Node, path: KeyPath) -> dict[str, object]:
        sources = source.value if isinstance(source, SequenceNode) else [source]
        result: dict[str, object] = {}
        for one in sources:
            if isinstance(one, MappingNode):
                result = self._mapping(one, path) | result
            else:
                self._object(one, path, "<< can only take in another block")
        return result

    def _scalar(self, node: Node, path: KeyPath) -> object:
        kind = str(node.tag)
        try:
            match kind.removeprefix(_CORE):
                case "null":
                    return None
                case "bool":
                    return self._yaml.constructor.construct_yaml_bool(node)
                case "int":
                    return self._yaml.constructor.construct_yaml_int(node)
                case "float":
                    return self._yaml.constructor.construct_yaml_float(node)
                case "str" | "timestamp" | "value" | "merge":
                    return node.value
                case _:
                    self._object(node, path, "has a YAML tag (!…), which has no meaning here")
        except (ValueError, KeyError, IndexError):
            self._object(node, path, "cannot be read as a value")
        return None

    def _object(self, node: Node, path: KeyPath, message: str) -> None:
        self.troubles.append(Trouble(_line(node), path, message))


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
