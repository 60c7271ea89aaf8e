"""What follows from a failure is the class table of FORMATS.md §6, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from exlab_sync_tui.errors import TransportErrorKind
from exlab_sync_tui.model.hold import HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.retry import Decision, Phase, decide

K = TransportErrorKind
QUEUED, FAILED = SyncJobState.QUEUED, SyncJobState.FAILED
RUN, DESTINATION = HoldScope.RUN, HoldScope.DESTINATION


@dataclass
class Story:
    """A job to which one failure after another happens."""

    attempts: int = 0
    resent: bool = False

    def meets(self, step: str) -> Decision:
        phase, kind = step.split(":")
        decision = decide(K(kind), attempts=self.attempts, resent=self.resent, phase=Phase(phase))
        self.attempts, self.resent = decision.attempts, decision.resent
        return decision


CASES = [
    ("K-unknown-1", ["push:unknown"], QUEUED, 1, 30),
    ("K-mixed", ["push:network", "push:unknown", "push:network"], QUEUED, 3, 480),
    ("K-vanished", ["push:local_file_vanished"], FAILED, 0, None),
    ("K-hash-1", ["push:hash_mismatch"], QUEUED, 0, 0),
    ("K-hash-2", ["push:hash_mismatch", "push:hash_mismatch"], FAILED, 0, None),
    ("K-verify-missing-2", ["verify:hash_mismatch", "verify:hash_mismatch"], FAILED, 0, None),
    ("K-verify-net-5", ["verify:network"] * 5, FAILED, 5, None),
    ("K-net-2", ["push:network", "push:network"], QUEUED, 2, 120),
    ("fourth", ["push:network"] * 4, QUEUED, 4, 1_800),
    ("one counter for both phases", ["push:network", "verify:network", "push:unknown"], QUEUED, 3, 480),
    (
        "one re-send whatever is between",
        ["push:hash_mismatch", "push:network", "verify:hash_mismatch"],
        FAILED,
        1,
        None,
    ),
    ("a deferral spends nothing", ["push:network", "push:locked", "push:no_space"], QUEUED, 1, 0),
]


@pytest.mark.parametrize(
    ("steps", "state", "attempts", "delay"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_failures_one_after_another_lead_to(
    steps: list[str], state: SyncJobState, attempts: int, delay: int | None
) -> None:
    story = Story()
    for step in steps[:-1]:
        assert story.meets(step).state is QUEUED
    last = story.meets(steps[-1])
    assert (last.state, last.attempts, last.delay_seconds) == (state, attempts, delay)


@pytest.mark.parametrize(
    ("kind", "state", "hold", "scope", "held"),
    [
        (K.AUTH, FAILED, HoldKind.AUTH, DESTINATION, False),
        (K.LOCAL_FILE_VANISHED, FAILED, None, None, False),
        (K.NO_SPACE, QUEUED, HoldKind.NO_SPACE, DESTINATION, False),
        (K.PERMISSION, QUEUED, HoldKind.PERMISSION, DESTINATION, False),
        (K.READ_ONLY, QUEUED, HoldKind.READ_ONLY, DESTINATION, False),
        (K.WRONG_DESTINATION, QUEUED, HoldKind.WRONG_DESTINATION, DESTINATION, False),
        (K.SET_UP, QUEUED, HoldKind.SET_UP, DESTINATION, False),
        (K.CONFLICT, FAILED, HoldKind.CONFLICT, RUN, False),
        (K.NAMES, QUEUED, HoldKind.NAMES, RUN, True),
        (K.LOCKED, QUEUED, HoldKind.ACQUIRING, RUN, True),
        (K.CHANGED, QUEUED, HoldKind.ACQUIRING, RUN, True),
    ],
)
def test_what_is_not_the_networks_fault_spends_no_attempt(
    kind: K, state: SyncJobState, hold: HoldKind | None, scope: HoldScope | None, *, held: bool
) -> None:
    decision = decide(kind, attempts=3, resent=True, away=True, moved_forward=True)
    assert (decision.state, decision.hold, decision.scope, decision.held) == (state, hold, scope, held)
    assert (decision.attempts, decision.resent) == (3, True)
    assert decision.delay_seconds == (None if state is FAILED else 0)


@pytest.mark.parametrize("kind", [K.NETWORK, K.UNKNOWN])
def test_a_destination_that_is_away_costs_nothing(kind: K) -> None:
    decision = decide(kind, attempts=4, resent=False, away=True)
    assert (decision.state, decision.attempts, decision.delay_seconds) == (QUEUED, 4, 0)
    assert (decision.hold, decision.scope, decision.held) == (HoldKind.AWAY, DESTINATION, False)


@pytest.mark.parametrize("away", [False, None])
def test_without_a_probe_the_destination_counts_as_there(away: bool | None) -> None:  # a parameter
    decision = decide(K.NETWORK, attempts=4, resent=False, away=away)
    assert (decision.state, decision.attempts, decision.hold) == (FAILED, 5, None)


def test_an_attempt_that_moved_forward_is_not_counted() -> None:
    decision = decide(K.NETWORK, attempts=4, resent=False, moved_forward=True)
    assert (decision.state, decision.attempts, decision.delay_seconds) == (QUEUED, 4, 30)
    assert (decision.hold, decision.scope, decision.held) == (HoldKind.WAITING, RUN, False)


@pytest.mark.parametrize("kind", list(K))
def test_every_decision_says_a_sentence(kind: K) -> None:
    for attempts in (0, 4):
        sentence = decide(kind, attempts=attempts, resent=bool(attempts)).sentence
        assert sentence.endswith(".")
        assert sentence[0].isupper()
