"""The live demo's story: what is written when, what befalls the lab, and who is told."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exlab_sync_tui.demo.clock import QuickClock
from exlab_sync_tui.demo.director import Director
from exlab_sync_tui.demo.folder import sample_folder
from exlab_sync_tui.demo.lab import SIGNALS, TINY, SampleLab, SampleRun, Trait, plan_lab, prepare, run_files, write_run
from exlab_sync_tui.demo.live import run_on_console
from exlab_sync_tui.demo.narrated import Narrated
from exlab_sync_tui.demo.stage import Stage
from exlab_sync_tui.demo.story import Cue, Deed, Scene, already_there, story
from exlab_sync_tui.engine.cockpit.view import Order, Outcome, Verb
from exlab_sync_tui.model.event import Event, EventKind
from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.model.job import SyncJobState
from exlab_sync_tui.queue.memory import MemoryStore
from exlab_sync_tui.queue.store import NewJob
from exlab_sync_tui.testing import ManualClock
from tests.tui.lab import FakeCockpit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from pathlib import Path

    from exlab_sync_tui.engine.cockpit.view import Cockpit
    from exlab_sync_tui.model.clock import Clock
    from exlab_sync_tui.settings import Settings

S = SyncJobState
AWAY = Hold(HoldScope.DESTINATION, "mount:/nas", HoldKind.AWAY, "It is away.", ManualClock().now())


@pytest.fixture
def lab(tmp_path: Path) -> SampleLab:
    plan = plan_lab(tmp_path / "lab", scale=TINY, live=True)
    prepare(plan)
    return plan


def run_with(lab: SampleLab, trait: Trait) -> SampleRun:
    return next(run for run in lab.runs if run.trait is trait)


def files_below(folder: Path) -> dict[str, bytes]:
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118  # names that are not UTF-8
            with open(path, "rb") as file:  # noqa: PTH123  # as above
                found[os.path.relpath(path, folder)] = file.read()
    return found


class TestTheScript:
    def test_it_is_the_same_whenever_it_is_read_and_lasts_about_two_minutes(self, lab: SampleLab) -> None:
        scenes = story(lab)
        assert scenes == story(lab)
        assert list(scenes) == sorted(scenes, key=lambda scene: scene.at)
        assert 100 <= scenes[-1].at <= 130

    def test_every_run_is_there_already_or_is_finished_once_after_it_has_grown(self, lab: SampleLab) -> None:
        scenes = story(lab)
        finished = [scene.run for scene in scenes if scene.deed is Deed.FINISH]
        assert {*finished, *already_there(lab)} == set(lab.runs)
        assert len(finished) + len(already_there(lab)) == len(lab.runs)
        for run in finished:
            shares = [scene.share for scene in scenes if scene.run is run and scene.deed is Deed.WRITE]
            assert len(shares) >= 8
            assert shares == sorted(set(shares))
            assert shares[-1] == 1

    def test_an_instrument_writes_one_run_at_a_time(self, lab: SampleLab) -> None:
        for instrument in {run.instrument for run in lab.runs}:
            busy = [
                scene.run
                for scene in story(lab)
                if scene.deed in {Deed.WRITE, Deed.FINISH} and scene.run and scene.run.instrument is instrument
            ]
            changes = [run for run, before in zip(busy, [None, *busy], strict=False) if run is not before]
            assert len(changes) == len(set(changes))

    def test_each_mishap_waits_until_the_one_before_was_noticed(self, lab: SampleLab) -> None:
        mishaps = [
            (scene.deed, scene.cue) for scene in story(lab) if scene.deed not in {Deed.WRITE, Deed.FINISH, Deed.REST}
        ]
        assert mishaps == [
            (Deed.SWITCH_OFF, None),
            (Deed.SWITCH_ON, Cue.AWAY),
            (Deed.CLEAR, Cue.FAILED),
            (Deed.RETRY, Cue.BACK),
            (Deed.REPAIR, Cue.BLOCKED),
            (Deed.RETRY, None),
        ]

    def test_what_is_told_fits_into_the_event_log_at_eighty_columns_and_names_its_run(self, lab: SampleLab) -> None:
        for scene in story(lab):
            assert len(scene.words) <= 54
            if scene.words and scene.run:
                assert scene.run.path.name in scene.words


class TestTheStage:
    async def test_a_run_grows_by_its_share_and_the_signal_comes_last(self, lab: SampleLab) -> None:
        run, stage = run_with(lab, Trait.MANY_FILES), Stage(lab, ManualClock())
        content = dict(run_files(lab, run))
        data = sum(len(text) for rel, text in content.items() if rel not in SIGNALS)
        for share in (0.1, 0.5, 0.5, 1.0):
            await stage.perform(Scene(0, Deed.WRITE, run, share))
            there = files_below(run.path)
            assert sum(map(len, there.values())) == round(data * share)
            assert all(content[rel].startswith(text) for rel, text in there.items())
            assert "manifest.json" not in there
        await stage.perform(Scene(0, Deed.FINISH, run))
        assert files_below(run.path) == content

    async def test_everything_is_written_in_the_end_even_empty_files_and_hostile_names(self, lab: SampleLab) -> None:
        stage = Stage(lab, ManualClock())
        for run in lab.runs:
            await stage.perform(Scene(0, Deed.WRITE, run, 0.3))
            await stage.perform(Scene(0, Deed.FINISH, run))
            assert files_below(run.path) == dict(run_files(lab, run))

    async def test_files_carry_the_time_of_the_labs_own_clock(self, lab: SampleLab) -> None:
        run, clock = lab.runs[0], ManualClock()
        await Stage(lab, clock).perform(Scene(0, Deed.FINISH, run))
        assert {path.stat().st_mtime for path in run.path.rglob("*") if path.is_file()} == {clock.now().timestamp()}

    async def test_the_nas_goes_away_as_it_is_and_comes_back_so(self, lab: SampleLab) -> None:
        before, stage = files_below(lab.nas), Stage(lab, ManualClock())
        await stage.perform(Scene(0, Deed.SWITCH_OFF))
        assert not lab.nas.exists()
        await stage.perform(Scene(0, Deed.SWITCH_ON))
        assert before
        assert files_below(lab.nas) == before

    async def test_the_repair_gives_every_file_a_name_without_placeholder(self, lab: SampleLab) -> None:
        run = run_with(lab, Trait.BROKEN_NAME)
        write_run(lab, run)
        await Stage(lab, ManualClock()).perform(Scene(0, Deed.REPAIR, run))
        wanted = {rel.replace("<sample>", "S12"): text for rel, text in run_files(lab, run)}
        assert files_below(run.path) == wanted

    async def test_what_lies_in_the_way_is_moved_whole_and_not_deleted(self, lab: SampleLab) -> None:
        run = run_with(lab, Trait.OCCUPIED)
        place = lab.nas / run.nas_path
        before = files_below(place)
        await Stage(lab, ManualClock()).perform(Scene(0, Deed.CLEAR, run))
        assert not place.exists()
        assert place.parent.is_dir()
        assert (
            before.items()
            <= {rel.rpartition(f"{place.name}/")[2]: text for rel, text in files_below(lab.root).items()}.items()
        )

    async def test_nothing_outside_the_lab_is_touched_by_the_whole_story(self, lab: SampleLab) -> None:
        beside = lab.root.parent / "precious"
        beside.mkdir()
        stage = Stage(lab, ManualClock())
        for scene in story(lab):
            await stage.perform(scene)
        assert sorted(lab.root.parent.iterdir()) == [lab.root, beside]
        assert list(beside.iterdir()) == []


class Play:
    """A director on a clock that is moved by hand, over a store whose content is made up."""

    def __init__(self, lab: SampleLab, **options: object) -> None:
        self.clock, self.store, self.lab = ManualClock(), MemoryStore(), lab
        self.told: list[tuple[float, str]] = []
        self.director = Director(
            Stage(lab, self.clock),
            self.store,
            self.clock,
            lambda event: self.told.append((self.clock.monotonic(), event.sentence)),
            **options,  # type: ignore[arg-type]  # what the director takes
        )

    @classmethod
    async def of(cls, lab: SampleLab, **options: object) -> Play:
        play = cls(lab, **options)
        await play.store.open()
        return play

    def begin(self, *scenes: Scene) -> asyncio.Task[bool]:
        return asyncio.create_task(self.director.play(scenes))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let time pass; what is written to the disk needs real time, so the clock waits for it."""
        while not condition():
            await self.clock.advance(0.25)
            await asyncio.to_thread(lambda: None)

    async def job(self, run: SampleRun, *states: SyncJobState) -> str:
        new = NewJob(run.nas_path, str(run.path), run.instrument.value, run.nas_path)
        job, _ = await self.store.enqueue(new, at=self.clock.now(), who="test")
        for state in states:
            await self.store.move(job.id, state, at=self.clock.now(), who="test", what="test")
        return job.id


VERIFIED = (S.RUNNING, S.AWAITING_VERIFY, S.VERIFIED)


class TestTheDirector:
    async def test_scenes_are_played_at_their_moments(self, lab: SampleLab) -> None:
        play = await Play.of(lab)
        task = play.begin(Scene(1, Deed.REST, words="one"), Scene(4, Deed.REST, words="two"))
        await play.until(task.done)
        assert [sentence for _, sentence in play.told] == ["one", "two"]
        assert [at for at, _ in play.told] == pytest.approx([1, 4], abs=0.5)
        assert await task is True

    async def test_a_late_cue_moves_what_comes_behind_it(self, lab: SampleLab) -> None:
        play = await Play.of(lab)
        task = play.begin(Scene(1, Deed.REST, cue=Cue.AWAY, words="away"), Scene(3, Deed.REST, words="after"))
        await play.clock.advance(20)
        assert play.told == []
        await play.store.set_hold(AWAY)
        await play.until(task.done)
        (first, _), (second, _) = play.told
        assert first >= 20
        assert second - first == pytest.approx(2, abs=0.5)

    @pytest.mark.parametrize("cue", [Cue.FAILED, Cue.BLOCKED, Cue.BACK, Cue.ALL_SAFE])
    async def test_each_cue_is_waited_for_and_then_seen(self, lab: SampleLab, cue: Cue) -> None:
        play, run = await Play.of(lab), lab.runs[0]
        await play.store.set_hold(AWAY)
        task = play.begin(Scene(0, Deed.REST, run, cue=cue))
        await play.clock.advance(5)
        assert not task.done()
        if cue is Cue.FAILED:
            await play.job(run, S.RUNNING, S.FAILED)
        elif cue is Cue.BLOCKED:
            await play.store.set_hold(replace(AWAY, scope=HoldScope.RUN, key=str(run.path), kind=HoldKind.BLOCKED))
        elif cue is Cue.BACK:
            await play.store.clear_hold(AWAY.scope, AWAY.key)
        else:
            for each in lab.runs:
                await play.job(each, *VERIFIED)
        await play.until(task.done)
        assert await task is True

    async def test_patience_ends_a_story_that_does_not_go_on(self, lab: SampleLab) -> None:
        play = await Play.of(lab, patience=10)
        task = play.begin(Scene(0, Deed.REST, cue=Cue.AWAY), Scene(1, Deed.REST, words="never"))
        await play.until(task.done)
        assert await task is False
        assert play.told == []

    async def test_who_watches_is_asked_to_press_the_key(self, lab: SampleLab) -> None:
        play, run = await Play.of(lab), run_with(lab, Trait.OCCUPIED)
        await play.job(run, S.RUNNING, S.FAILED)
        await play.until(play.begin(Scene(0, Deed.RETRY, run)).done)
        assert [sentence for _, sentence in play.told] == [f"Select {run.path.name} and press r to try again."]

    async def test_without_anybody_the_director_retries_and_says_only_what_went_wrong(self, lab: SampleLab) -> None:
        tried: list[str] = []
        answers = iter([Outcome("It is queued again."), Outcome("It cannot be.", 1)])

        async def retry(job_id: str) -> Outcome:
            tried.append(job_id)
            return next(answers)

        play, run = await Play.of(lab, retry=retry), run_with(lab, Trait.OCCUPIED)
        job_id = await play.job(run, S.RUNNING, S.FAILED)
        await play.until(play.begin(Scene(0, Deed.RETRY, run), Scene(1, Deed.RETRY, run)).done)
        assert tried == [job_id, job_id]
        assert [sentence for _, sentence in play.told] == ["It cannot be."]

    async def test_nobody_is_asked_once_it_has_been_done(self, lab: SampleLab) -> None:
        play, run = await Play.of(lab), run_with(lab, Trait.OCCUPIED)
        await play.job(run, S.RUNNING, S.FAILED, S.QUEUED)
        await play.until(play.begin(Scene(0, Deed.RETRY, run)).done)
        assert play.told == []

    async def test_the_whole_story_can_be_played_in_a_moment(self, lab: SampleLab) -> None:
        play, refused, unnamed = await Play.of(lab), run_with(lab, Trait.OCCUPIED), run_with(lab, Trait.BROKEN_NAME)
        for run in already_there(lab):
            write_run(lab, run)
        job_id = await play.job(refused, S.RUNNING, S.FAILED)
        await play.store.set_hold(AWAY)
        await play.store.set_hold(replace(AWAY, scope=HoldScope.RUN, key=str(unnamed.path), kind=HoldKind.BLOCKED))
        task = play.begin(*story(lab))
        await play.until(lambda: any("NAS is on again" in sentence for _, sentence in play.told))
        await play.store.clear_hold(AWAY.scope, AWAY.key)
        await play.until(lambda: any("press r" in sentence for _, sentence in play.told))
        for state in (S.QUEUED, *VERIFIED):
            await play.store.move(job_id, state, at=play.clock.now(), who="test", what="test")
        for run in lab.runs:
            if run is not refused:
                await play.job(run, *VERIFIED)
        await play.until(task.done)
        assert play.told[-1][1] == "That was the story: every run is safe on the NAS."
        for run in lab.runs:
            wanted = {rel.replace("<sample>", "S12"): text for rel, text in run_files(lab, run)}
            assert files_below(run.path) == wanted


class TestTheNarrator:
    async def test_what_is_told_and_what_the_engine_says_come_in_one_stream(self) -> None:
        inner = FakeCockpit()
        cockpit, clock = Narrated(inner), ManualClock()
        spoken = Event(clock.now(), EventKind.OPERATOR, "Somebody comes in.")
        async with aclosing(cockpit.events()) as stream:
            first = asyncio.ensure_future(anext(stream))
            for _ in range(5):
                await asyncio.sleep(0)
            cockpit.tell(spoken)
            assert await first == spoken
            inner.say(EventKind.WARNING, "The engine speaks.")
            assert (await anext(stream)).sentence == "The engine speaks."
        cockpit.tell(spoken)  # nobody listens any more, and nothing happens

    async def test_everything_else_is_the_cockpits_own(self) -> None:
        inner = FakeCockpit()
        cockpit = Narrated(inner)
        await cockpit.start()
        assert cockpit.store is inner.store
        assert await cockpit.flights() == await inner.flights()
        assert await cockpit.pulse() == await inner.pulse()
        order = Order(Verb.RETRY, "job", "mira")
        assert isinstance(await cockpit.order(order), Outcome)
        await cockpit.stop()


async def test_a_quick_clock_begins_now_and_goes_faster() -> None:
    slow = ManualClock()
    begun = slow.now()
    quick = QuickClock(4, slow)
    assert (quick.now(), quick.monotonic()) == (begun, 0)
    sleeper = asyncio.create_task(quick.sleep(60))
    await slow.advance(14.9)
    assert not sleeper.done()
    await slow.advance(0.2)
    assert sleeper.done()
    assert quick.monotonic() == pytest.approx(60.4)
    assert (quick.now() - begun).total_seconds() == pytest.approx(60.4)


def test_a_console_that_breaks_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen: list[str] = []

    def breaks(
        opening: Callable[[], Awaitable[Cockpit]],
        settings: Settings,
        *,
        beside: Sequence[Callable[[Cockpit], Coroutine[None, None, object]]],
        clock: Clock,
    ) -> int:
        async def show() -> None:
            cockpit = await opening()
            story_of_it = [asyncio.ensure_future(work(cockpit)) for work in beside]
            while not seen:
                seen.extend(hold.sentence for hold in await cockpit.store.holds())
                await clock.sleep(0.5)
            for task in story_of_it:
                task.cancel()
            await cockpit.stop()

        asyncio.run(show())
        raise LookupError(f"{len(settings.equipment)} instruments")

    with pytest.raises(LookupError, match="3 instruments"):
        run_on_console(breaks, speed=20, tiny=True)
    assert seen
    assert list(tmp_path.iterdir()) == []


def test_the_sample_folder_is_gone_after_an_error_and_stays_if_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def fails() -> None:
        with sample_folder(keep=False) as root:
            (root / "deep").mkdir()
            (root / "deep" / "file").touch()
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    assert list(tmp_path.iterdir()) == []
    with sample_folder(keep=True) as kept:
        pass
    assert list(tmp_path.iterdir()) == [kept]
