"""The sentences of the console say what is so, and no more."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest

from exlab_sync_tui.engine.cockpit.view import Flight, Outcome, Pulse
from exlab_sync_tui.headless.words import BAD, GOOD, MOVE, NOTE, WAIT, Look
from exlab_sync_tui.model.evidence import EvidenceLevel
from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobRow, SyncJobState
from exlab_sync_tui.operate.runs import KnownRun
from exlab_sync_tui.queue.store import Waiting
from exlab_sync_tui.settings import Settings
from exlab_sync_tui.tui.acts.base import summed
from exlab_sync_tui.tui.console import farewell
from exlab_sync_tui.tui.explain import explained
from exlab_sync_tui.tui.health import health
from exlab_sync_tui.tui.insight import Tab
from exlab_sync_tui.tui.listing import Row
from exlab_sync_tui.tui.moments import when
from exlab_sync_tui.tui.options import Instrument, Lab, lab_of
from exlab_sync_tui.tui.scene import Live, Scene, Tally, seconds_left
from exlab_sync_tui.tui.shell_words import shell_word
from exlab_sync_tui.tui.telling import Telling, proof, tell
from exlab_sync_tui.tui.themes import chosen
from exlab_sync_tui.tui.wanted import Wanted
from exlab_sync_tui.tui.widgets.spark import spark
from tests.tui.lab import CONFOCAL, LAB, NOW, READER, SEQUENCER, hold

S = SyncJobState
HERE, GONE = Pulse(alive=True, hosted=True), Pulse(alive=False, hosted=False, last_beat=NOW - timedelta(hours=1))
AWAY = hold(HoldKind.AWAY, "mount:/mnt/nas/lab", "nas01 does not answer.", scope=HoldScope.DESTINATION, ago=3_600)
FULL = replace(AWAY, kind=HoldKind.NO_SPACE, sentence="nas01 has 2 GiB left.")
PAUSED = hold(HoldKind.PAUSED, READER, "Paused by mira.", scope=HoldScope.EQUIPMENT, ago=3_600)
BARE = hold(HoldKind.ACQUIRING, "/x/a", "2 files changed.", scope=HoldScope.RUN, ago=9, equipment_id=CONFOCAL)


def scene(counts: dict[SyncJobState, int], *, equipment_id: str = CONFOCAL, **rest: object) -> Scene:
    return Scene(NOW, {(equipment_id, state): number for state, number in counts.items()}, **rest)  # type: ignore[arg-type]  # theirs


@pytest.mark.parametrize(
    ("seen", "pulse", "mood", "sentence"),
    [
        (scene({S.VERIFIED: 200, S.CLEANED: 14}), HERE, GOOD, "All 214 runs are safe on nas01."),
        (scene({S.CLEANUP_ELIGIBLE: 1}), HERE, GOOD, "The only run is safe on nas01."),
        (scene({}), HERE, NOTE, "No runs yet: watching the folders of 3 instruments."),
        (scene({S.QUEUED: 1}), HERE, MOVE, "1 run is on the way."),
        (
            scene({S.VERIFIED: 1, S.RUNNING: 2, S.QUEUED: 1}),
            HERE,
            MOVE,
            "3 runs are on the way. 1 of 4 runs are safe on nas01.",
        ),
        (scene({S.FAILED: 1}), HERE, BAD, "1 run needs you."),
        (
            scene({S.FAILED: 2, S.VERIFIED: 3}, stuck=(KnownRun("/x/a", CONFOCAL),)),
            HERE,
            BAD,
            "3 runs need you. 3 of 5 runs are safe on nas01.",
        ),
        (
            scene({S.QUEUED: 5}, destination_holds=(AWAY,)),
            HERE,
            WAIT,
            "nas01 is away since 13:02: 5 runs waiting, nothing lost.",
        ),
        (
            scene({S.VERIFIED: 5}, destination_holds=(AWAY,)),
            HERE,
            WAIT,
            "nas01 is away since 13:02: nothing is waiting.",
        ),
        (
            scene({S.QUEUED: 1}, destination_holds=(FULL,)),
            HERE,
            WAIT,
            "nas01 has 2 GiB left (since 13:02): 1 run waiting, nothing lost.",
        ),
        (
            scene({S.QUEUED: 2}, equipment_id=READER, instrument_holds={READER: PAUSED}),
            HERE,
            WAIT,
            "READER_01 is paused since 13:02: 2 runs waiting.",
        ),
        (
            scene({}, instrument_holds={READER: PAUSED, CONFOCAL: PAUSED}),
            HERE,
            WAIT,
            "READER_01 is paused since 13:02. So is 1 other instrument.",
        ),
        (
            scene({S.VERIFIED: 2}, instrument_holds={READER: replace(PAUSED, kind=HoldKind.CONFLICT)}),
            HERE,
            WAIT,
            "READER_01: Paused by mira. 2 of 2 runs are safe on nas01.",
        ),
        (scene({}, bare=(BARE,), run_holds={"/x/a": BARE}), HERE, NOTE, "1 run is not finished yet."),
        (
            scene({S.QUEUED: 4}),
            GONE,
            BAD,
            "No engine has been at work since 13:02: nothing moves, nothing is lost. `exlab-sync run` starts one.",
        ),
    ],
)
def test_the_health_line(seen: Scene, pulse: Pulse, mood: str, sentence: str) -> None:
    found = health(seen, pulse, LAB)
    assert (found.mood, found.sentence) == (mood, sentence)


@pytest.mark.parametrize(
    ("folders", "sentence"),
    [
        ([], "No runs yet: watching nothing, because no instrument is configured."),
        (["/data/a\x1b"], "No runs yet: watching /data/a\\x1b."),
    ],
)
def test_an_empty_lab_says_what_it_watches(folders: list[str], sentence: str) -> None:
    lab = Lab(tuple(Instrument(f"E{place}", folder) for place, folder in enumerate(folders)))
    assert health(scene({}), HERE, lab).sentence == sentence


def job(state: SyncJobState, **rest: object) -> SyncJobRow:
    return SyncJobRow("id", "/data/lab/Run_1", CONFOCAL, state, **rest)  # type: ignore[arg-type]  # theirs


def run_hold(kind: HoldKind, **rest: object) -> Hold:
    return hold(kind, "/data/lab/Run_1", "It is so.", scope=HoldScope.RUN, ago=60, **rest)


STAYS = "What is queued stays queued and goes on at the next start; `exlab-sync run` does it without a console."
ALIVE, DEAD = Live(pulse=HERE), Live(pulse=GONE)
FLIGHT = Flight("id", "/data/lab/Run_1", CONFOCAL, "checking", 10, 5, 1, 0)
GOES = Telling(NOTE, "queued", "goes by itself when its turn comes")
SOON = NOW + timedelta(seconds=28)


@pytest.mark.parametrize(
    ("row_job", "row_hold", "live", "told"),
    [
        (
            job(S.VERIFIED, verified_at=NOW, files_total=1, bytes_total=2_048, evidence=EvidenceLevel.READ_BACK),
            None,
            ALIVE,
            Telling(GOOD, "verified", "read back; 2 more proofs before cleanup"),
        ),
        (job(S.CLEANED), None, ALIVE, Telling(GOOD, "cleaned", "local copy deleted")),
        (
            job(S.CLEANUP_ELIGIBLE, verify_passes=2),
            run_hold(HoldKind.ACQUIRING),
            ALIVE,
            Telling(GOOD, "verified", "cleanup is next"),
        ),
        (
            job(S.VERIFIED, verify_passes=2, evidence=EvidenceLevel.RSYNC_CHECKSUM, verified_at=NOW),
            None,
            ALIVE,
            Telling(GOOD, "verified", "rsync checksums 2 times; cleanup in 1 d"),
        ),
        (
            job(S.VERIFIED, keep_local=True, evidence=EvidenceLevel.REMOTE_HASH),
            None,
            ALIVE,
            Telling(GOOD, "verified", "hashed by the NAS; kept here, as wished"),
        ),
        (job(S.CLEANED), run_hold(HoldKind.DAMAGED), ALIVE, Telling(BAD, "damaged", "It is so")),
        (job(S.FAILED, last_error="auth: \x1bno"), None, ALIVE, Telling(BAD, "failed", "auth: \\x1bno")),
        (job(S.FAILED), None, ALIVE, Telling(BAD, "failed", "the reason was not recorded")),
        (job(S.RUNNING), None, Live({"id": FLIGHT}, HERE), Telling(MOVE, "checking", "", FLIGHT)),
        (job(S.RUNNING), None, ALIVE, Telling(MOVE, "sending", "goes on in a moment")),
        (job(S.AWAITING_VERIFY), None, ALIVE, Telling(MOVE, "checking", "goes on in a moment")),
        (job(S.RUNNING), None, DEAD, Telling(WAIT, "stopped", "the next engine takes it up where it was")),
        (job(S.QUEUED), None, ALIVE, GOES),
        (job(S.QUEUED), None, DEAD, Telling(WAIT, "queued", "waits for an engine")),
        (
            job(S.QUEUED, next_attempt_at=SOON, last_error="network: reset"),
            None,
            ALIVE,
            Telling(WAIT, "waiting", "next attempt in 28 s: network: reset"),
        ),
        (
            job(S.QUEUED, next_attempt_at=NOW),
            None,
            ALIVE,
            GOES,
        ),
        (
            job(S.QUEUED),
            run_hold(HoldKind.NAMES, next_step="rename it."),
            ALIVE,
            Telling(BAD, "names", "It is so; rename it"),
        ),
        (
            None,
            run_hold(HoldKind.ACQUIRING, until=SOON),
            ALIVE,
            Telling(WAIT, "acquiring", "It is so; next look in 28 s"),
        ),
        (None, run_hold(HoldKind.BLOCKED), DEAD, Telling(BAD, "blocked", "It is so")),
        (None, None, ALIVE, Telling(NOTE, "unknown", "")),
    ],
)
def test_what_a_row_tells(row_job: SyncJobRow | None, row_hold: Hold | None, live: Live, told: Telling) -> None:
    found = tell(Row("/data/lab/Run_1", CONFOCAL, row_job, row_hold), scene({}), live, LAB)
    assert replace(found, amount="", age="", brief="", after=None) == told


@pytest.mark.parametrize(
    ("row_job", "row_hold", "numbers"),
    [
        (job(S.VERIFIED, verified_at=NOW - timedelta(hours=50), bytes_total=2_048), None, ("2.00 KiB", "2 d", "")),
        (job(S.QUEUED, enqueued_at=NOW - timedelta(seconds=200)), None, ("", "3 min", "")),
        (job(S.RUNNING, enqueued_at=NOW), None, ("10 B", "now", "")),
        (None, run_hold(HoldKind.ACQUIRING), ("", "1 min", "")),
        (
            job(S.CLEANED, evidence=EvidenceLevel.REMOTE_HASH, verify_passes=3),
            None,
            ("", "", "hashed by the NAS 3 times"),
        ),
    ],
)
def test_a_row_has_a_size_an_age_and_a_proof(
    row_job: SyncJobRow | None, row_hold: Hold | None, numbers: tuple[str, str, str]
) -> None:
    row = Row("/data/lab/Run_1", CONFOCAL, row_job, row_hold)
    moving = Live({"id": FLIGHT} if row_job is not None and row_job.state is S.RUNNING else {}, HERE)
    told = tell(row, scene({}), moving, LAB)
    assert (told.amount, told.age, proof(row)) == numbers


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (scene({}, instrument_holds={CONFOCAL: replace(PAUSED, key=CONFOCAL)}), "paused"),
        (scene({}, destination_holds=(AWAY,)), "away"),
        (scene({}, destination_holds=(replace(AWAY, kind=HoldKind.WRONG_DESTINATION),)), "wrong NAS"),
        (scene({}, destination_holds=(replace(AWAY, key="mount:/mnt/nas/plates"),)), "queued"),
    ],
)
def test_a_queued_run_tells_what_holds_its_instrument_or_its_destination(seen: Scene, word: str) -> None:
    assert tell(Row("/data/lab/Run_1", CONFOCAL, job(S.QUEUED)), seen, ALIVE, LAB).word == word


@pytest.mark.parametrize(
    ("row_job", "brief"),
    [
        (
            job(S.VERIFIED, evidence=EvidenceLevel.READ_BACK, verified_at=NOW - timedelta(minutes=3)),
            "read back, 3 min ago",
        ),
        (job(S.CLEANED, evidence=EvidenceLevel.RSYNC_CHECKSUM, verified_at=NOW), "rsync sums, now"),
        (job(S.QUEUED), "waits its turn"),
    ],
)
def test_where_there_is_little_room_the_proof_comes_first(row_job: SyncJobRow, brief: str) -> None:
    assert tell(Row("/data/lab/Run_1", CONFOCAL, row_job), scene({}), ALIVE, LAB).brief == brief


def test_what_becomes_of_a_local_copy_is_said_where_the_proof_has_its_own_column() -> None:
    row = Row("/data/lab/Run_1", CONFOCAL, job(S.VERIFIED, evidence=EvidenceLevel.READ_BACK, verify_passes=1))
    assert tell(row, scene({}), ALIVE, LAB).after == "1 more proof before cleanup"
    assert tell(row, scene({}), ALIVE, replace(LAB, cleanup=None)).after == "stays here: cleanup is off"


def test_a_run_behind_a_destination_that_is_away_says_what_it_waits_for() -> None:
    away = replace(AWAY, until=NOW + timedelta(minutes=4))
    told = tell(Row("/data/lab/Run_1", CONFOCAL, job(S.QUEUED)), scene({}, destination_holds=(away,)), ALIVE, LAB)
    assert (told.word, told.story) == ("away", "goes by itself when nas01 is back; next look in 4 min")
    assert told.brief == "until nas01 is back"


@pytest.mark.parametrize(
    ("waiting", "flight", "left"),
    [
        (Waiting(1_000), Flight("id", "/x", CONFOCAL, "sending", 400, 200, 1, 0, rate=10.0), 80.0),
        (Waiting(1_000), Flight("id", "/x", CONFOCAL, "checking", 400, 400, 1, 1, rate=10.0), 100.0),
        (Waiting(1_000, unsized=1), Flight("id", "/x", CONFOCAL, "sending", 400, 200, 1, 0, rate=10.0), None),
        (Waiting(1_000), Flight("id", "/x", CONFOCAL, "sending", 400, 200, 1, 0), None),
        (Waiting(1_000), None, None),
        (Waiting(), Flight("id", "/x", CONFOCAL, "sending", 400, 200, 1, 0, rate=10.0), None),
    ],
)
def test_the_backlog_of_an_instrument_has_an_end_only_where_it_can_be_known(
    waiting: Waiting, flight: Flight | None, left: float | None
) -> None:
    live = Live({"id": flight} if flight is not None else {}, HERE)
    assert seconds_left(scene({}, waiting={CONFOCAL: waiting}), live, CONFOCAL) == left
    assert seconds_left(scene({}), live, CONFOCAL) is None


@pytest.mark.parametrize(
    ("tally", "pulse", "sentence"),
    [
        (
            Tally(safe=3, queued=2, moving=1, failed=1, held=1),
            HERE,
            f"3 of 8 runs are safe; 3 still to send, 1 failed, 1 not queued yet. {STAYS}",
        ),
        (
            Tally(safe=3),
            HERE,
            "All 3 runs are safe. Nothing is watched until the next start; `exlab-sync run` watches without a console.",
        ),
        (
            Tally(safe=1),
            Pulse(alive=True, hosted=False),
            "The only run is safe. The engine goes on without this console.",
        ),
        (Tally(), GONE, "No run is known yet. No engine is at work; start one with `exlab-sync run`."),
    ],
)
def test_the_farewell_says_what_stays_queued(tally: Tally, pulse: Pulse, sentence: str) -> None:
    assert farewell(tally, pulse) == sentence


@pytest.mark.parametrize(
    ("before", "shown"),
    [
        (timedelta(hours=3), "11:02"),
        (timedelta(days=2), "3 Mar 14:02"),
        (timedelta(days=400), "30 Jan 2024"),
    ],
)
def test_moments_are_short(before: timedelta, shown: str) -> None:
    assert when(NOW - before, NOW) == shown


def test_a_filter_is_read_word_by_word() -> None:
    wanted = Wanted().typed("Failed sequencer_01 Tide  pool", [SEQUENCER, READER])
    assert wanted == Wanted(frozenset({"failed"}), SEQUENCER, "Tide pool")
    assert Wanted().typed("  ", [SEQUENCER]) == Wanted()


@pytest.mark.parametrize(
    ("wanted", "environ", "theme"),
    [
        ("auto", {}, "exlab-dark"),
        ("auto", {"COLORFGBG": "0;15"}, "exlab-light"),
        ("auto", {"COLORFGBG": "15;0"}, "exlab-dark"),
        ("nord", {"COLORFGBG": "0;15"}, "nord"),
        ("light", {}, "exlab-light"),
        ("high-contrast", {}, "exlab-contrast"),
        ("ansi", {}, "ansi-dark"),
        ("ansi", {"COLORFGBG": "0;15"}, "ansi-light"),
        ("no such theme", {}, "exlab-dark"),
    ],
)
def test_the_theme_follows_the_wish_or_else_the_terminal(wanted: str, environ: dict[str, str], theme: str) -> None:
    assert chosen(wanted, {"exlab-dark", "exlab-light", "exlab-contrast", "nord"}, environ) == theme


def test_the_lab_is_read_from_the_settings() -> None:
    equipment = {
        "id": CONFOCAL,
        "label": "Confocal",
        "local_root": "/data/lab",
        "nas_root": "//nas01/lab",
        "completeness_signal": "quiescence",
        "transport": {"type": "mount", "path": "/mnt/nas/lab"},
    }
    lab = lab_of(Settings.model_validate({"equipment": [equipment]}))
    assert lab == Lab((Instrument(CONFOCAL, f"/data/lab/{CONFOCAL}", "/mnt/nas/lab", "nas01"),))
    assert lab.far_roots == {CONFOCAL: "/mnt/nas/lab"}


def test_far_places_are_named_or_counted() -> None:
    def named(*names: str) -> str:
        return Lab(tuple(Instrument(name, "/", far_name=name) for name in names)).far_names

    assert (named("a", "a"), named("a", "b"), named("a", "b", "c")) == ("a", "a and b", "3 destinations")
    assert named() == "the destination"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("/data/lab/Run_1", "/data/lab/Run_1"),
        ("/data/my runs/a'b", "'/data/my runs/a'\"'\"'b'"),
        ("$(reboot)", "'$(reboot)'"),
        ("-rf", "./-rf"),
        ("a\x1b[2J\n\udcff\u00e9", "$'a\\x1b[2J\\x0a\\xff\\xc3\\xa9'"),
        ("it's\t\\", "$'it\\'s\\x09\\\\'"),
    ],
)
def test_a_word_for_a_shell_means_the_same_bytes(text: str, word: str) -> None:
    assert shell_word(text) == word
    told = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True).stdout
    assert told.removeprefix(b"./") == os.fsencode(text)


@pytest.mark.parametrize(
    ("points", "line"),
    [((), "    "), ((0, 0), "  ▁▁"), ((1, 2, 4, 8), "▁▂▄▇"), ((9, 1, 2, 4, 8), "▁▂▄▇")],
)
def test_a_rate_is_drawn_in_few_cells(points: tuple[float, ...], line: str) -> None:
    assert spark(points, 4, unicode=True) == line
    assert spark(points, 4, unicode=False).isascii()


@pytest.mark.parametrize(
    ("outcomes", "sentence", "code"),
    [
        ([Outcome("It was queued.")], "It was queued.", 0),
        ([Outcome("a"), Outcome("b")], "2 of 2 runs done.", 0),
        ([Outcome("a"), Outcome("No.", 1), Outcome("No.", 5)], "1 of 3 runs done. No.", 5),
        (
            [Outcome(f"No {number}.", 1) for number in range(5)],
            "0 of 5 runs done. No 0. No 1. No 2. And 2 more reasons.",
            1,
        ),
    ],
)
def test_several_answers_are_one_sentence(outcomes: list[Outcome], sentence: str, code: int) -> None:
    assert summed(outcomes, "run") == Outcome(sentence, code)


def test_a_part_of_the_screen_is_explained() -> None:
    for place in (*Tab, "runs", "log"):
        assert explained(place, Look(), {}).renderables
