"""What does the gate read in the files that a template rendered?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.gate.content import RenderedFiles, content_objections, read_text
from exlab_sync_tui.model.finding import Rule
from exlab_sync_tui.tree.folder import Folder

if TYPE_CHECKING:
    from pathlib import Path

_TOKEN, _MARKER, _YAML = (
    Rule.UNRESOLVED_PLACEHOLDER_TOKEN,
    Rule.LEFTOVER_JINJA_MARKER,
    Rule.MALFORMED_YAML_FRONT_MATTER,
)


def _rules(name: str, text: str) -> list[Rule]:
    return [objection.rule for objection in content_objections(name, text)]


def test_every_mark_in_a_rendered_text_is_told_once() -> None:
    objections = list(content_objections("a.ini", "x=<date>\ny=<date>\nz={{ z }}\n{% if a %}"))
    assert [(objection.rule, objection.token) for objection in objections] == [
        (_TOKEN, "<date>"),
        (_MARKER, "{{ z }}"),
        (_MARKER, "{% if a %}"),
    ]


def test_a_file_full_of_marks_is_told_in_a_hundred() -> None:
    assert len(_rules("a.txt", "".join(f"<a{n}>" for n in range(1_000)))) == 100


@pytest.mark.parametrize("name", ["a.md", "A.MD", "a.markdown"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_of_markdown_only_the_front_matter_counts(name: str, end: str) -> None:
    text = end.join(["---", "title: <title>", "---", "prose with <b>bold</b> and {{ braces }}"])
    assert _rules(name, text) == [_TOKEN]
    assert not _rules(name, f"intro{end}{text}")
    assert not _rules(name, "")


def test_front_matter_must_close_within_two_hundred_lines() -> None:
    lines = ["---", *["a: 1"] * 197]
    assert not _rules("a.md", "\n".join([*lines, "# 199", "---", "prose"]))
    assert _rules("a.md", "\n".join([*lines, "# 199", "# 200", "---", "prose"])) == [_YAML]
    assert _rules("a.md", "---\ntitle: <title>\n") == [_YAML]
    assert _rules("a.md", "---") == [_YAML]


@pytest.mark.parametrize(
    "front",
    [
        "title: [1",
        "a: b: c",
        "x: *nowhere",
        "title: {{ name }}",
        "a: 1\n...\nb: 2",
        "\tx: 1",
        "a: \x07",
        "[" * 3_000,
        "%YAML x",
    ],
)
def test_front_matter_that_no_reader_can_load_is_malformed(front: str) -> None:
    assert _YAML in _rules("a.md", f"---\n{front}\n---\n")


@pytest.mark.parametrize(
    "front", ["", "title: fine", "just words", "a: &x [1, *x]", "a: {b: [c, {d: e}]}", "!tag {a: 1}"]
)
def test_front_matter_that_is_yaml_passes(front: str) -> None:
    assert not _rules("a.md", f"---\n{front}\n---\n")


def test_rendered_is_what_has_a_source_in_the_template(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.ini.jinja").write_text("")
    (tmp_path / "sub" / "b.ini.jinja").write_text("")
    (tmp_path / "c.ini").write_text("")
    (tmp_path / "d.ini.jinja").mkdir()
    rendered = RenderedFiles(str(tmp_path))
    assert rendered
    assert "a.ini" in rendered
    assert "sub/b.ini" in rendered
    for rel in ("b.ini", "c.ini", "d.ini", "nowhere/a.ini", "a\0/x"):
        assert rel not in rendered


@pytest.mark.parametrize("source", [None, "", "spectro_run", "./spectro_run"])
def test_a_template_that_cannot_be_known_renders_nothing(source: str | None) -> None:
    rendered = RenderedFiles(source)
    assert not rendered
    assert "a.ini" not in rendered


def test_text_is_read_without_a_mark_and_with_undecodable_bytes_replaced(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_bytes(b"\xef\xbb\xbf---\xff")
    with Folder.root(tmp_path) as root:
        assert read_text(root, "sub/a.txt", 100) == "---\ufffd"


def test_a_file_that_grew_or_is_binary_or_no_file_is_not_scanned(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 11)
    (tmp_path / "exact").write_bytes(b"x" * 10)
    (tmp_path / "binary").write_bytes(b"x\0x")
    (tmp_path / "late").write_bytes(b"x" * 8192 + b"\0")
    os.mkfifo(tmp_path / "fifo")
    with Folder.root(tmp_path) as root:
        assert read_text(root, "large", 10) is None
        assert read_text(root, "exact", 10) == "x" * 10
        assert read_text(root, "binary", 10) is None
        assert read_text(root, "fifo", 10) is None
        assert read_text(root, "late", 10_000) == "x" * 8192 + "\0"


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("<token>")
    (tmp_path / "link").symlink_to("secret")
    with Folder.root(tmp_path) as root, pytest.raises(OSError, match="link"):
        read_text(root, "link", 10)
