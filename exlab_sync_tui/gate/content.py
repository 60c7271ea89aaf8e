"""Did a template leave something unfinished in this file?"""

from __future__ import annotations

import itertools
import os
import re
import stat
from pathlib import PurePath
from typing import TYPE_CHECKING

from exlab_sync_tui.gate.rules import Objection, marks
from exlab_sync_tui.model.finding import Rule
from exlab_sync_tui.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exlab_sync_tui.tree.folder import Folder

_JINJA = ".jinja"
_MARKDOWN = (".md", ".markdown")
_SNIFFED = 8192
_FRONT_MATTER_LINES = 200
_FENCE = "---"
_line_end = re.compile(r"\r\n?|\n")
_SHOWN_PER_FILE = 100


class RenderedFiles:
    """Which files did the run's template render? Those with ``<rel>.jinja`` under ``template.source_path``.

    Only an absolute ``source_path`` is looked up. A relative one is relative to a template library that this program
    does not know; then, and when the template folder is gone or unreadable, no file counts as rendered, so that no
    content can block (``FORMATS.md`` §5).
    """

    __slots__ = ("_listed", "_source")

    def __init__(self, source_path: str | None) -> None:
        self._source = source_path if source_path and PurePath(source_path).is_absolute() else None
        self._listed: dict[str, frozenset[str]] = {}

    def __bool__(self) -> bool:
        return self._source is not None

    def __contains__(self, rel: str) -> bool:
        folder, _, name = rel.rpartition("/")
        sources = self._listed.get(folder)
        if sources is None:
            sources = self._listed[folder] = self._sources_in(folder)
        return name in sources

    def _sources_in(self, folder: str) -> frozenset[str]:
        """What the sources in one template folder render to: one listing is cheaper than a look per file."""
        if self._source is None:
            return frozenset()
        try:
            with os.scandir(f"{self._source}/{folder}") as found:
                return frozenset(
                    source.name.removesuffix(_JINJA)
                    for source in found
                    if source.name.endswith(_JINJA) and source.is_file()
                )
        except (OSError, ValueError):
            return frozenset()


def read_text(run: Folder, rel: str, max_bytes: int) -> str | None:
    """The text of a file, undecodable bytes replaced; ``None`` if it is not to be scanned.

    Not scanned are files that are larger than *max_bytes*, have NUL in their first 8,192 bytes, or are no regular
    file any more.
    Raises ``OSError`` with ``filename`` if the file is gone or cannot be read.
    """
    folder, _, name = rel.rpartition("/")
    with run.below(folder) as parent, os.fdopen(parent.open_file(name), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return None
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes or b"\0" in data[:_SNIFFED]:
        return None
    return data.decode("utf-8-sig", "replace")


def content_objections(name: str, text: str) -> Iterator[Objection]:
    """What the content rules have against the *text* of a rendered file; of Markdown only the front matter is read.

    At most the first 100 marks of a file are told: somebody has to open it after the first.
    """
    if not name.lower().endswith(_MARKDOWN):
        yield from _mark_objections(text)
        return
    opening, *lines = _line_end.split(text, maxsplit=_FRONT_MATTER_LINES)
    if opening.rstrip() != _FENCE:
        return
    block = list(itertools.takewhile(lambda line: line.rstrip() != _FENCE, lines[: _FRONT_MATTER_LINES - 1]))
    if len(block) == min(len(lines), _FRONT_MATTER_LINES - 1):
        yield Objection(
            Rule.MALFORMED_YAML_FRONT_MATTER,
            _FENCE,
            f"it opens with `{_FENCE}` and has no closing `{_FENCE}` within its first {_FRONT_MATTER_LINES} lines",
        )
        return
    front = "\n".join(block)
    yield from _mark_objections(front)
    problem = _yaml_problem(front)
    if problem:
        yield Objection(Rule.MALFORMED_YAML_FRONT_MATTER, _FENCE, f"its front matter is not YAML: {problem}")


def _mark_objections(text: str) -> Iterator[Objection]:
    for rule, token in itertools.islice(marks(text), _SHOWN_PER_FILE):
        yield Objection(rule, token, f"its text has `{safe_text(token)}`, which no template filled in")


def _yaml_problem(text: str) -> str:
    """Why *text* is not YAML that a reader can load; empty if it is. Nothing is constructed from it."""
    # only runs with rendered Markdown pay for the parser
    from ruamel.yaml import YAML  # noqa: PLC0415
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415
    from ruamel.yaml.nodes import MappingNode, ScalarNode  # noqa: PLC0415

    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        line = f" in its line {error.problem_mark.line + 1}" if error.problem_mark else ""
        return safe_text(error.problem or error.context or "it cannot be parsed") + line
    except (YAMLError, ValueError) as error:
        return safe_text(error)
    except RecursionError:
        return "it is nested too deeply"
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if node is None or isinstance(node, ScalarNode) or id(node) in seen:
            continue
        seen.add(id(node))
        if not isinstance(node, MappingNode):
            waiting.extend(node.value)
            continue
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                return f"a list or a mapping stands where a key belongs in its line {key.start_mark.line + 1}"
            waiting.append(value)
    return ""
