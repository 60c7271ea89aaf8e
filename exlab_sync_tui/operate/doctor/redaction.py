"""How is a text shown to a stranger without a name in it? Only the program's own words, figures and ids stay.

A list of the names that are known could never be complete: messages quote files, hosts and people. So it is the other
way round: a word stays if it is one of those that this program writes itself and no part of a name that is known;
whatever else there is becomes ``name-1a2b3c4d``, the same for the same word within one archive.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from importlib.resources.abc import Traversable

_TOKEN = re.compile(r"[^\s\"'`()\[\]{},;]+")
_EDGES = ".:!?"
_WORD = re.compile(r"[a-z]{2,}")
_PARTS = re.compile(r"[_\-.]")
_HARMLESS = re.compile(
    r"[+-]?\d{1,3}(,\d{3})+|[+-]?\d+(\.\d+){0,2}%?|\d\d:\d\d(:\d\d)?"  # a figure, a version, a time; no address
    r"|\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?Z?)?"  # a moment
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{64}"  # an id, a digest
    r"|[aAB]|[KMGTP]iB(/s)?|[dhs]|[-=>|&/.·…]+"  # units and signs
)
_ENUMERATED = frozenset({"check", "mood", "kind", "scope", "state", "word", "after"})
"""Keys whose values are never anything but words of ours."""
_NOT_OURS = ("demo", "cli", "testing")
"""Rooms whose texts have names of examples in them."""


class Redactor:
    """Takes names out of texts. ``names`` are those that are known; *salt* makes pseudonyms of this archive alone."""

    def __init__(self, names: Iterable[str], *, salt: bytes) -> None:
        known = {part for name in names for part in _words(name)}
        self._words = vocabulary() - known
        self._salt = salt

    def text(self, text: str) -> str:
        """*text* without names."""
        return _TOKEN.sub(self._shown, text)

    def data(self, value: object) -> object:
        """JSON-like data, every text in it redacted; keys are ours and stay."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {key: inner if key in _ENUMERATED else self.data(inner) for key, inner in value.items()}
            case list() | tuple():
                return [self.data(inner) for inner in value]
            case _:
                return value

    def _shown(self, found: re.Match[str]) -> str:
        core = found[0].strip(_EDGES)
        if not core or _HARMLESS.fullmatch(core) or self._is_ours(core):
            return found[0]
        digest = hashlib.blake2b(core.encode(errors="surrogateescape"), key=self._salt, digest_size=4).hexdigest()
        return found[0].replace(core, f"name-{digest}")

    def _is_ours(self, core: str) -> bool:
        if not (core.islower() or (core[:1].isupper() and core[1:].islower()) or core.isupper()):
            return False
        return all(part in self._words or part.isdecimal() for part in _PARTS.split(core.lower()))


def _words(name: str) -> Iterator[str]:
    yield from _WORD.findall(name.lower())


@functools.cache
def vocabulary() -> frozenset[str]:
    """Every word in the texts that this program prints, read from its own source."""
    words: set[str] = set()
    for source in _sources(resources.files("exlab_sync_tui")):
        tree = ast.parse(source.read_text(encoding="utf-8"))
        docstrings = set() if source.name == "errors.py" else {id(node) for node in _docstrings(tree)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                words.update(_WORD.findall(node.value.lower()))
            elif isinstance(node, ast.arg | ast.keyword) and node.arg:
                words.update(_WORD.findall(node.arg))
    return frozenset(words)


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                yield statement.value


def _sources(folder: Traversable) -> Iterator[Traversable]:
    for item in folder.iterdir():
        if item.is_dir() and item.name not in _NOT_OURS:
            yield from _sources(item)
        elif item.name.endswith(".py") and item.name != "starter.py":
            yield item


def all_texts(value: object) -> Iterator[str]:
    """Every text in JSON-like data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from all_texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from all_texts(inner)


def names_in(settings: Mapping[str, object]) -> Iterator[str]:
    """Every text of a configuration: ids, labels, paths, hosts, people."""
    yield from all_texts(settings)
