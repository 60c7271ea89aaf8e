"""The interlocks one by one: what blocks, in which words, and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from exlab_sync_tui.cleanup.interlocks import (
    Block,
    CleanupOptions,
    FarClock,
    Interlock,
    TreeFacts,
    by_age,
    by_debts,
    by_destination,
    by_keeping,
    by_passes,
    by_revocation,
    by_switch,
    by_tree,
    counts_as_pass,
    due_of_next_pass,
    passes_after,
)
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.job import SyncJobRow, SyncJobState

NOON = datetime(2025, 3, 9, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)
OPTIONS = CleanupOptions(configured=True, enabled=True)
JOB = SyncJobRow(
    "1",
    "/lab/a",
    "SCOPE",
    SyncJobState.VERIFIED,
    verified_at=NOON,
    passed_at=NOON,
    verify_passes=1,
    evidence=EvidenceLevel.REMOTE_HASH,
)
E = EvidenceLevel


class TestSwitch:
    def test_no_block_means_off(self) -> None:
        assert by_switch(CleanupOptions()) == Block(
            Interlock.ENABLED, "cleanup is off: the configuration has no nas_cleanup block"
        )
        assert not CleanupOptions().is_on

    def test_it_can_be_off_in_the_block(self) -> None:
        assert by_switch(CleanupOptions(configured=True)) == Block(
            Interlock.ENABLED, "cleanup is off: nas_cleanup.enabled is false"
        )

    def test_on_blocks_nothing(self) -> None:
        assert by_switch(OPTIONS) is None
        assert OPTIONS.is_on


class TestPasses:
    def test_too_few_say_when_the_next_one_is_taken(self) -> None:
        assert by_passes(JOB, OPTIONS) == Block(
            Interlock.PASSES, "1 verification pass so far, and 2 are needed", NOON + DAY
        )

    def test_without_a_block_nobody_takes_one(self) -> None:
        found = by_passes(JOB, CleanupOptions())
        assert found is not None
        assert found.until is None

    def test_enough_are_enough(self) -> None:
        assert by_passes(replace(JOB, verify_passes=2), OPTIONS) is None

    @pytest.mark.parametrize("evidence", [None, E.READ_BACK_CACHED, E.SIZE_MTIME])
    def test_weak_proof_never_suffices(self, evidence: EvidenceLevel | None) -> None:
        found = by_passes(replace(JOB, verify_passes=9, evidence=evidence), OPTIONS)
        assert found is not None
        assert found.sentence.endswith("only, and cleanup needs rsync_checksum at least")

    @pytest.mark.parametrize("evidence", [E.REMOTE_HASH, E.READ_BACK, E.RSYNC_CHECKSUM])
    def test_these_rungs_do(self, evidence: EvidenceLevel) -> None:
        assert by_passes(replace(JOB, verify_passes=2, evidence=evidence), OPTIONS) is None

    def test_only_the_last_missing_pass_waits_for_the_age(self) -> None:
        three = replace(OPTIONS, min_passes=3)
        assert due_of_next_pass(JOB, three) == NOON + 12 * HOUR
        second = replace(JOB, verify_passes=2, passed_at=NOON + 12 * HOUR)
        assert due_of_next_pass(second, three) == NOON + DAY
        late = replace(JOB, verify_passes=2, passed_at=NOON + 20 * HOUR)
        assert due_of_next_pass(late, three) == NOON + 32 * HOUR
        assert due_of_next_pass(replace(JOB, passed_at=None), three) == NOON + 12 * HOUR
        assert due_of_next_pass(replace(JOB, verified_at=None, passed_at=None), three) is None


class TestAge:
    def test_equal_is_enough(self) -> None:
        assert by_age(JOB, OPTIONS, NOON + DAY) is None

    def test_a_second_less_is_not(self) -> None:
        assert by_age(JOB, OPTIONS, NOON + DAY - timedelta(seconds=1)) == Block(
            Interlock.AGE, "it was verified less than 1 d ago", NOON + DAY
        )

    def test_a_stamp_in_the_future_blocks(self) -> None:
        found = by_age(JOB, OPTIONS, NOON - HOUR)
        assert found is not None
        assert "still to come; set the clock" in found.sentence
        assert by_age(JOB, replace(OPTIONS, min_age=timedelta(0)), NOON - HOUR) is not None

    def test_no_stamp_blocks(self) -> None:
        found = by_age(replace(JOB, verified_at=None), OPTIONS, NOON)
        assert found is not None
        assert found.until is None

    def test_both_clocks_must_agree(self) -> None:
        far = datetime(2031, 1, 1, tzinfo=UTC)  # the far clock may be wrong altogether: only its passing counts
        now = NOON + DAY
        assert by_age(JOB, OPTIONS, now, FarClock(far, far + DAY)) is None
        found = by_age(JOB, OPTIONS, now, FarClock(far, far + 23 * HOUR))
        assert found is not None
        assert "one of the two clocks is wrong" in found.sentence
        assert found.until == now + HOUR

    def test_an_early_local_clock_is_named_before_the_far_one(self) -> None:
        found = by_age(JOB, OPTIONS, NOON + HOUR, FarClock(NOON, NOON + 9 * DAY))
        assert found is not None
        assert found.until == NOON + DAY


class TestTheOthers:
    def test_they_repeat_the_problem_or_block_nothing(self) -> None:
        assert by_destination("") is None
        assert by_destination("nas01 is away") == Block(Interlock.DESTINATION, "nas01 is away")
        assert by_revocation("") is None
        assert by_revocation("revoked") == Block(Interlock.REVOKED, "revoked")

    def test_a_tree_is_named_by_its_first_differences(self) -> None:
        assert by_tree(TreeFacts()) is None
        assert by_tree(TreeFacts(problem="unreadable")) == Block(Interlock.TREE, "unreadable")
        assert by_tree(TreeFacts(("n",), ("c\x1b", "d", "e"), ("g", "h"))) == Block(
            Interlock.TREE,
            "the local folder is not as recorded: c\\x1b and 2 others are changed, n is new, g and 1 other are gone",
        )

    def test_a_kept_run_says_how_to_end_that(self) -> None:
        assert by_keeping(JOB) is None
        found = by_keeping(replace(JOB, keep_local=True))
        assert found is not None
        assert "keep-local --undo" in found.sentence

    def test_debts_are_counted_and_the_first_reason_is_given(self) -> None:
        assert by_debts(()) is None
        assert by_debts(("", "creation.json is locked.")) == Block(
            Interlock.DEBT, "2 writes still owed: creation.json is locked"
        )
        assert by_debts(("",)) == Block(Interlock.DEBT, "1 write still owed: it is paid as soon as possible")


class TestCounting:
    def test_passes_lie_apart(self) -> None:
        assert not counts_as_pass(JOB, E.REMOTE_HASH, NOON + 12 * HOUR - timedelta(seconds=1), 12 * HOUR)
        assert counts_as_pass(JOB, E.REMOTE_HASH, NOON + 12 * HOUR, 12 * HOUR)
        assert counts_as_pass(JOB, None, NOON + 12 * HOUR, 12 * HOUR), "a run without files"
        assert not counts_as_pass(replace(JOB, verified_at=None, passed_at=None), E.REMOTE_HASH, NOON, HOUR)

    def test_after_a_damage_the_next_one_counts_at_once(self) -> None:
        assert counts_as_pass(replace(JOB, verify_passes=0), E.REMOTE_HASH, NOON, 12 * HOUR)

    def test_a_weaker_proof_than_before_does_not_count_for_cleanup(self) -> None:
        later = NOON + DAY
        assert not counts_as_pass(JOB, E.READ_BACK_CACHED, later, HOUR)
        weak = replace(JOB, evidence=E.READ_BACK_CACHED)
        assert counts_as_pass(weak, E.READ_BACK_CACHED, later, HOUR)
        assert not counts_as_pass(weak, E.SIZE_MTIME, later, HOUR)
        assert counts_as_pass(replace(JOB, evidence=None), E.SIZE_MTIME, later, HOUR)

    def test_the_weakest_rung_of_all_passes_stands(self) -> None:
        assert passes_after(JOB, E.RSYNC_CHECKSUM) == (2, E.RSYNC_CHECKSUM)
        assert passes_after(JOB, None) == (2, E.REMOTE_HASH)
        assert passes_after(replace(JOB, evidence=None), E.READ_BACK) == (2, E.READ_BACK)

    def test_what_was_proved_too_weakly_begins_anew(self) -> None:
        weak = replace(JOB, evidence=E.SIZE_MTIME, verify_passes=5)
        assert passes_after(weak, E.READ_BACK) == (1, E.READ_BACK)
        assert passes_after(weak, E.SIZE_MTIME) == (6, E.SIZE_MTIME)
