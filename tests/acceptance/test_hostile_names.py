"""Names that want to run, to hide or to drive a terminal: moved, proved by GNU's own tool, and shown harmlessly."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.bench_lab import SENTINEL, Lab, adopt, instrument, write_exlab_run
from tests.checker import check_sides, snapshot_tree
from tests.checker_store import check_store

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [
    b"esc \x1b[2J\x1b[1;31mred",
    b"c1 \xc2\x9b2J",
    b"bell \x07 and \x08 back",
    b"markup [b] [red]x[red] <b>",
    b"new\nline",
    b"carriage\rreturn",
    b"tab\there",
    b"back\\slash \\n",
    b"$(reboot)",
    b"`reboot`; reboot",
    b"-rf",
    b"--help",
    b"not utf-8 \xff\xfe",
    b"a surrogate \xed\xb2\x80",
    b"right to left \xe2\x80\xae gpj.exe",
    b"\xc3\xa9 composed",
    b"e\xcc\x81 decomposed",
    b"Case",
    b"cASE",
    b" blank in front and behind ",
    b"dot behind.",
    b"CON",
    b"quote ' and \"",
    b"percent %s {x} {{y}}",
    b"*",
    b"?",
    b"~",
    b"#",
    b"...",
    "ü".encode() * 127,
    b"x" * 255,
]
RUN = b"Run_\x1b[31m\n$(reboot) \xff [b]"
UNSAFE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def fill(run: Path) -> None:
    """Every name as a file and as a folder with a file of that name in it."""
    for name in NAMES:
        (run / os.fsdecode(name)).write_bytes(b"content of " + name)
        deep = run / "folders" / os.fsdecode(name)
        deep.mkdir(parents=True)
        (deep / os.fsdecode(name)).write_bytes(b"inside " + name)
    (run / "run[").mkdir()
    (run / "run[" / "foo] closes what nobody opened").write_bytes(b"markup across a folder")


def is_harmless(text: str) -> bool:
    return not UNSAFE.search(text)


def told(lab: Lab, *words: str) -> str:
    """What a verb says, byte for byte, on both streams."""
    done = subprocess.run(lab.command(*words), stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=240)
    return (done.stdout + done.stderr).decode("utf-8")


def proved_by_gnu(far: Path) -> None:
    """``sha256sum -c``, as anybody can call it years later."""
    tool = shutil.which("sha256sum")
    if tool is None:
        pytest.skip("sha256sum is not installed")
    done = subprocess.run(
        [tool, "--check", "--strict", "--quiet", ".exlab-wizard/checksums.sha256"],
        cwd=far,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def write_hostile_run(lab: Lab) -> Path:
    run = lab.local / os.fsdecode(RUN)
    run.mkdir(parents=True)
    fill(run)
    (run / "link out \x1b").symlink_to("/etc/passwd")
    (run / SENTINEL).touch()
    return run


def test_the_gate_objects_to_such_names_and_says_so_harmlessly(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    write_hostile_run(lab)
    done = lab.run("run", "--once")
    assert done.returncode == 11, done.stdout + done.stderr
    assert is_harmless(done.stdout)
    assert not (lab.nas / "PLAIN_01").exists()
    for words in (["list"], ["status"], ["show", "reboot"], ["why", "reboot"]):
        assert is_harmless(told(lab, *words)), words
        json_text = told(lab, *words, "--json")
        assert is_harmless(json_text)
        json.loads(json_text)


OVERRIDDEN = [
    "illegal_filesystem_character",
    "reserved_filesystem_name",
    "leftover_jinja_marker",
    "unresolved_placeholder_token",
]


def test_names_that_somebody_has_allowed_arrive_unharmed(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.local.mkdir()
    lab.nas.mkdir()
    adopt(lab.nas)
    lab.configure(instrument("EXLAB_01", lab.local, lab.nas, layout="exlab"))
    run = write_exlab_run(lab.local, os.fsdecode(RUN), small=2)
    fill(run)
    override(run)
    before = snapshot_tree(run)
    done = subprocess.run(lab.command("run", "--once"), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    text = (done.stdout + done.stderr).decode("utf-8")
    assert done.returncode == 0, text
    assert is_harmless(text)
    place = f"EXLAB_01/Kelp/Runs/{run.name}"
    assert not check_sides({place: run}, lab.nas, expected=[place], settled=True)
    assert not check_store(lab.state / "queue.db", lab.nas, acknowledged=[run])
    data = {rel: seen for rel, seen in before.items() if not rel.startswith(".exlab-wizard")}
    now = snapshot_tree(run)
    assert {rel: now.get(rel) for rel in data} == data
    proved_by_gnu(lab.nas / place)
    proved_by_gnu(run)
    for words in (["list"], ["status"], ["show", "reboot"], ["why", "reboot"], ["verify", "reboot"]):
        text = told(lab, *words)
        assert is_harmless(text), words
        assert not [line for line in text.splitlines() if line.lstrip().startswith("$(")], "no name makes a line"
        if words[0] != "verify":
            data_text = told(lab, *words, "--json")
            assert is_harmless(data_text), words
            json.loads(data_text)
    log = (lab.state / "log" / "exlab-sync.log").read_text(errors="strict")
    assert is_harmless(log)
    wizard = [*run.glob(".exlab-wizard/wizard.*.log"), *lab.local.glob("EXLAB_01/.exlab-wizard/wizard.*.log")]
    assert wizard
    assert all(is_harmless(path.read_text(errors="strict")) for path in wizard)


def test_the_verbs_about_the_gate_never_drive_the_terminal(tmp_path: Path) -> None:
    lab = Lab(tmp_path).prepare()
    run = write_hostile_run(lab)
    why = "the vendor \x1b[31mnames\x1b[0m it so\n[b]$(reboot)\u202e"
    who = "mira\x1b]0;title\x07"
    judged = json.loads(told(lab, "check", str(run), "--json"))
    assert {finding["rule"] for finding in judged[0]["findings"]} == set(OVERRIDDEN)
    for rule in OVERRIDDEN:
        added = told(lab, "override", "add", str(run), rule, "--reason", why, "--operator", who)
        assert is_harmless(added), rule
    assert "The gate keeps nothing of it here." in added
    before = snapshot_tree(run)
    assert lab.run("run", "--once").returncode == 0
    assert snapshot_tree(run) == before
    for words in (["check"], ["why"], ["override", "list"], ["show"], ["enqueue"]):
        assert is_harmless(told(lab, *words, str(run))), words
    for words in (["check"], ["why"], ["override", "list"], ["show"]):
        data = told(lab, *words, str(run), "--json")
        assert is_harmless(data), words
        json.loads(data)
    listed = json.loads(told(lab, "override", "list", str(run), "--json"))
    assert {(one["operator"], one["reason"]) for one in listed} == {(who, why)}, "the record has the very words"
    ended = told(lab, "override", "revoke", str(run), listed[0]["id"], "--reason", why, "--operator", who)
    assert is_harmless(ended)
    assert "was revoked" in ended
    assert is_harmless((lab.state / "log" / "exlab-sync.log").read_text(errors="strict"))


def override(run: Path) -> None:
    path = run / ".exlab-wizard" / "creation.json"
    creation = json.loads(path.read_text())
    creation["validation_overrides"] = [
        {
            "id": f"0d1c5a3e-6b53-4f0a-9c59-2f6f4d1a7e{number:02}",
            "problem_class": rule,
            "operator": "asmith",
            "recorded_at": "2025-03-03T08:00:00Z",
            "reason": "the instrument writes such names",
            "revoked": False,
        }
        for number, rule in enumerate(OVERRIDDEN)
    ]
    path.write_text(json.dumps(creation))
