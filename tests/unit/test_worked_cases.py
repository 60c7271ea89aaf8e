"""Do the worked examples hold that are questions to one function? One test per case of ``data/worked_cases.json``."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exlab_sync_tui.cleanup.interlocks import (
    CleanupOptions,
    by_age,
    by_destination,
    by_passes,
    by_revocation,
    by_switch,
)
from exlab_sync_tui.errors import TransportErrorKind
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.job import SyncJobRow, SyncJobState
from exlab_sync_tui.provenance.overrides import revoked_since
from exlab_sync_tui.queue.retry import Phase, decide
from exlab_sync_tui.settings import Bandwidth, ConfigProblems, limit_kibps, load_settings
from exlab_sync_tui.text import parse_instant
from exlab_sync_tui.transport.rclone import words as rclone_words
from exlab_sync_tui.transport.rclone.words import Said
from exlab_sync_tui.transport.rsync import words as rsync_words
from exlab_sync_tui.transport.ssh.access import SshAccess
from exlab_sync_tui.transport.ssh.words import from_ssh

if TYPE_CHECKING:
    from collections.abc import Callable

_DATA = json.loads(Path(__file__).with_name("data").joinpath("worked_cases.json").read_text("utf-8"))
_ACCESS = SshAccess("vault.example", "lab", Path("/none/id"), Path("/none/known_hosts"), "/srv/lab")
_KINDS = {"vanished": "local_file_vanished", "missing_remote": "hash_mismatch"}
_INTERLOCKS = {"age": "min_age", "disabled": "enabled", "revocation": "revoked"}


def of(group: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    cases = _DATA[group]
    return pytest.mark.parametrize("case", cases, ids=[case["id"] for case in cases])


@of("bandwidth")
def test_the_cap_of_a_moment(case: dict[str, Any]) -> None:
    given = case["input"]
    moment = given.get("now_local") or given["transfer"]["sample_at"]
    bandwidth = Bandwidth.model_validate({"upload_mbps": given["upload_mbps"], "schedule": given["schedule"]})
    assert limit_kibps(bandwidth, datetime.fromisoformat(moment)) == case["expected"]


@of("backoff")
def test_what_follows_from_failures(case: dict[str, Any]) -> None:
    attempts, resent, state, delay = 0, False, "queued", None
    for step in case["input"]["steps"]:
        if step == "ok":
            state, delay = "verified", None
            continue
        phase, kind = step.split(":")
        kind = TransportErrorKind(_KINDS.get(kind, kind))
        decision = decide(kind, attempts=attempts, resent=resent, phase=Phase(phase))
        attempts, resent, state, delay = (
            decision.attempts,
            decision.resent,
            decision.state.value,
            decision.delay_seconds,
        )
    assert {"state": state, "attempts": attempts, "delay_s": delay} == case["expected"]


@of("failure_classes")
def test_the_class_of_what_a_tool_says(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expected"]
    said = given["stderr"]
    kind = {
        "rclone": lambda: rclone_words.kind_of([Said(said)]),
        "rsync": lambda: rsync_words.trouble(_ACCESS, given["exit"], said).error_kind,
        "ssh": lambda: from_ssh(_ACCESS, given["exit"], said).error_kind,
    }[given["tool"]]()
    assert kind.value in expected.get("accept", [expected["class"]])


@of("cleanup")
def test_the_first_interlock_that_blocks(case: dict[str, Any]) -> None:
    given = case["input"]
    now, since, block = parse_instant(given["now"]), parse_instant(given["verified_at"]), given["nas_cleanup"]
    assert now is not None
    assert since is not None
    options = CleanupOptions(
        configured=True,
        enabled=block["enabled"],
        min_passes=block["min_verify_passes"],
        min_age=timedelta(hours=block["min_age_hours"]),
    )
    job = SyncJobRow(
        "1", "/lab/a", "SCOPE", SyncJobState.VERIFIED, verified_at=since, passed_at=since,
        verify_passes=given["verify_passes"], evidence=EvidenceLevel.REMOTE_HASH,
    )  # fmt: skip
    revoked = "revoked" if revoked_since(given["validation_overrides"], since) else ""
    asked = (
        by_switch(options),
        by_passes(job, options),
        by_age(job, options, now),
        by_destination("" if given["remote_ok"] else "away"),
        by_revocation(revoked),
    )
    first = next((found.interlock.value for found in asked if found), None)
    expected = case["expected"]["blocked_by"]
    assert (first is None) is case["expected"]["allowed"]
    assert first == _INTERLOCKS.get(expected, expected)


@of("config")
def test_what_a_configuration_says(tmp_path: Path, case: dict[str, Any]) -> None:
    path, expected = tmp_path / "config.yaml", case["expected"]
    path.write_text(case["input"]["yaml"], encoding="utf-8")
    if not expected["valid"]:
        with pytest.raises(ConfigProblems) as caught:
            load_settings(path, environ={})
        assert [problem.key for problem in caught.value.problems] == [expected["key"]]
        return
    settings = load_settings(path, environ={}).settings
    parsed = expected.get("parsed", {})
    if "from" in parsed:
        transport = settings.equipment[0].transport
        assert transport is not None
        [window] = transport.bandwidth.schedule
        assert {"from": window.from_, "to": window.to} == parsed
    if "nas_cleanup.enabled" in parsed:
        assert settings.nas_cleanup is not None
        assert settings.nas_cleanup.enabled is parsed["nas_cleanup.enabled"]
