"""Are the right people told of the right things, once, and without a secret on the way?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from exlab_sync_tui.errors import NotifyError
from exlab_sync_tui.model.event import Event, EventKind
from exlab_sync_tui.model.hold import Hold, HoldKind, HoldScope
from exlab_sync_tui.operate import companions as beside
from exlab_sync_tui.operate.notify import post
from exlab_sync_tui.operate.notify.forecast import Forecast
from exlab_sync_tui.operate.notify.notice import Notice, Occasion, long_waits, notice_of
from exlab_sync_tui.operate.notify.ration import Ration
from exlab_sync_tui.operate.notify.watchman import Watchman
from exlab_sync_tui.queue.memory import MemoryStore
from exlab_sync_tui.settings import Settings
from exlab_sync_tui.settings.operating import NotifyTarget
from exlab_sync_tui.testing import ManualClock
from tests.mailbox import MailServer, WebHook
from tests.unit.cli_helpers import Shelf, make_shelf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from exlab_sync_tui.queue.store import JobStore

needs_apprise = pytest.mark.skipif(find_spec("apprise") is None, reason="the package apprise is not installed")
NOW = datetime(2025, 3, 9, 8, 0, tzinfo=UTC)
GIB = 1 << 30
CLEAR = "json://127.0.0.1/x"


def event(kind: EventKind, *, run: str = "/lab/C/Run_1", said: str = "It broke.", **data: str) -> Event:
    return Event(NOW, kind, said, "CONFOCAL_01", run, "job-1", data)


def settings(tmp_path: Path, **notify: object) -> Settings:
    item = {
        "id": "READER_01",
        "label": "Reader",
        "local_root": str(tmp_path),
        "nas_root": "//nas01/lab",
        "layout": "plain",
        "completeness_signal": "quiescence",
        "transport": {"type": "mount", "path": str(tmp_path.parent / "nas")},
    }
    block = {"targets": [{"name": "steward", "url": CLEAR}], **notify}
    return Settings.model_validate({"equipment": [item], "notify": block})


@dataclass(slots=True)
class Engine:
    """A running engine whose news a test makes up."""

    said: asyncio.Queue[Event | None] = field(default_factory=asyncio.Queue)
    memory: MemoryStore = field(default_factory=MemoryStore)

    @property
    def store(self) -> JobStore:
        return self.memory

    async def events(self) -> AsyncIterator[Event]:
        while (one := await self.said.get()) is not None:
            yield one


@pytest.mark.parametrize(
    ("news", "occasion"),
    [
        (event(EventKind.RUN_FAILED, error_kind="permission"), Occasion.FAILED),
        (event(EventKind.RUN_FAILED, error_kind="conflict"), Occasion.CONFLICT),
        (event(EventKind.RUN_FAILED, error_kind="hash_mismatch"), Occasion.MISMATCH),
        (event(EventKind.HOLD_SET, hold="blocked"), Occasion.BLOCKED),
        (event(EventKind.HOLD_SET, hold="conflict"), Occasion.CONFLICT),
        (event(EventKind.HOLD_SET, hold="damaged"), Occasion.MISMATCH),
        (event(EventKind.HOLD_SET, hold="acquiring"), None),
        (event(EventKind.HOLD_SET, hold="away"), None),
        (event(EventKind.RUN_VERIFIED), None),
        (event(EventKind.RUN_RETRY, error_kind="network"), None),
    ],
)
def test_only_what_somebody_must_know_makes_a_message(news: Event, occasion: Occasion | None) -> None:
    notice = notice_of(news)
    assert (notice.occasion if notice else None) == occasion
    assert notice is None or "exlab-sync why Run_1" in notice.body


def test_why_an_audit_failed_a_run_is_taken_from_its_job() -> None:
    news = event(EventKind.RUN_FAILED)
    notice = notice_of(news, last_error="hash_mismatch: 1 file differs.")
    assert notice is not None
    assert notice.occasion is Occasion.MISMATCH


def test_a_destination_is_worth_a_message_only_after_a_while() -> None:
    def hold(kind: HoldKind, minutes: int, scope: HoldScope = HoldScope.DESTINATION) -> Hold:
        since = NOW - timedelta(minutes=minutes)
        return Hold(scope, f"{kind}{scope}", kind, "The NAS does not answer.", since, equipment_id="CONFOCAL_01")

    holds = [
        hold(HoldKind.AWAY, 61),
        hold(HoldKind.NO_SPACE, 59),
        hold(HoldKind.PAUSED, 600),
        hold(HoldKind.WAITING, 600, HoldScope.RUN),
    ]
    (notice,) = long_waits(holds, NOW, after_seconds=3600)
    assert notice.title == "CONFOCAL_01: the destination takes nothing"
    assert "The NAS does not answer. That began 1 h 1 min ago." in notice.body


def test_a_disk_that_fills_is_foreseen_and_one_that_does_not_is_not() -> None:
    filling, still = Forecast(), Forecast()
    for minute in range(0, 61, 5):
        filling.sample(minute * 60, 100 * GIB - minute * GIB)
        still.sample(minute * 60, 100 * GIB)
    assert filling.hours_left() == pytest.approx(40 / 60)
    assert still.hours_left() is None
    assert Forecast().hours_left() is None


def test_a_forecast_needs_ten_minutes_and_forgets_what_is_older_than_six_hours() -> None:
    forecast = Forecast()
    forecast.sample(0, 100 * GIB)
    forecast.sample(300, 90 * GIB)
    assert forecast.hours_left() is None
    for hour in range(1, 13):
        forecast.sample(hour * 3600, 90 * GIB)
    assert forecast.hours_left() is None


def test_the_same_trouble_is_told_once_and_new_words_at_once() -> None:
    ration = Ration(12)
    first = Notice(Occasion.FAILED, "run", "t", "b", "It broke.")
    assert ration.admits(first, 0)
    assert not ration.admits(first, 11 * 3600)
    assert ration.admits(Notice(Occasion.FAILED, "run", "t", "b", "It broke again."), 11 * 3600)
    assert ration.admits(Notice(Occasion.FAILED, "run", "t", "b", "It broke again."), 24 * 3600)


def test_nobody_gets_more_than_so_many_in_an_hour_and_the_rest_is_counted() -> None:
    ration = Ration(3)
    notices = [Notice(Occasion.FAILED, f"run {number}", "t", "b") for number in range(10)]
    assert [ration.admits(notice, 0) for notice in notices].count(True) == 3
    assert ration.take_held_back() == 7
    assert ration.admits(Notice(Occasion.FAILED, "later", "t", "b"), 3601)
    assert ration.take_held_back() == 0


@pytest.mark.parametrize(
    "url",
    [
        "mailto://ada:hunter2@smtp.example.org?to=x@example.org",
        "mailto://smtp.example.org?pass=hunter2",
        "json://example.org/?api_key=hunter2",
        "slack://T1JJ3T3L2/A1BRTD4JD/hunter2",
        "tgram://hunter2/12345",
    ],
)
def test_a_secret_in_the_clear_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        NotifyTarget(name="x", url=url)
    assert "give it by reference instead: env:NAME, file:/path or keyring:service/user" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("url", ["not a url", "http:/x", "//x", "env:", "keyring:only"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        NotifyTarget(name="x", url=url)


def test_a_url_stands_in_the_environment_or_in_a_file_that_only_we_can_read(tmp_path: Path) -> None:
    whole = "tgram://hunter2/12345"
    assert post.resolve(NotifyTarget(name="x", url="env:LAB"), {"LAB": f"{whole}\n"}) == whole
    with pytest.raises(NotifyError, match="The environment has no LAB"):
        post.resolve(NotifyTarget(name="x", url="env:LAB"), {})
    place = tmp_path / "url"
    place.write_text(f"{whole}\n")
    place.chmod(0o640)
    with pytest.raises(NotifyError, match="can be read by others; `chmod 600"):
        post.resolve(NotifyTarget(name="x", url=f"file:{place}"))
    place.chmod(0o600)
    assert post.resolve(NotifyTarget(name="x", url=f"file:{place}")) == whole
    place.write_text("hunter2")
    with pytest.raises(NotifyError, match="is no URL of apprise") as said:
        post.resolve(NotifyTarget(name="x", url=f"file:{place}"))
    assert "hunter2" not in str(said.value)


def test_a_url_stands_in_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring", reason="the package keyring is not installed")
    kept = {("lab", "mail/x"): "tgram://hunter2/12345"}
    monkeypatch.setattr(keyring, "get_password", lambda service, user: kept.get((service, user)))
    assert post.resolve(NotifyTarget(name="x", url="keyring:lab/mail/x")) == "tgram://hunter2/12345"
    with pytest.raises(NotifyError, match="`keyring set lab other` makes one"):
        post.resolve(NotifyTarget(name="x", url="keyring:lab/other"))


@needs_apprise
def test_a_mail_is_received_by_a_real_server_word_for_word() -> None:
    with MailServer() as server:
        url = f"mailto://127.0.0.1:{server.port}?to=steward@lab.example&from=pc@lab.example"
        notice = Notice(Occasion.FAILED, "k", "CONFOCAL_01: a run failed", "<b>Run [/red]$(reboot)</b>\nüber & out")
        post.send(NotifyTarget(name="steward", url=url), notice)
        mail = server.received()
    assert isinstance(mail, EmailMessage)
    assert mail["To"] == "steward@lab.example"
    assert mail["Subject"] == "CONFOCAL_01: a run failed"
    plain = mail.get_body(("plain",))
    assert plain is None or "über & out" in plain.get_content()
    html = mail.get_body(("html",))
    assert html is None or "<b>" not in html.get_content().partition("<body")[2].partition(">")[2]


@needs_apprise
def test_a_webhook_is_called() -> None:
    with WebHook() as hook:
        notice = Notice(Occasion.FAILED, "k", "a run failed", "Run_1 [/red]$(reboot): why")
        post.send(NotifyTarget(name="hook", url=f"json://127.0.0.1:{hook.port}/lab"), notice)
        path, data = hook.received()
    assert path == "/lab"
    assert (data["title"], data["message"]) == ("a run failed", "Run_1 [/red]$(reboot): why")


@needs_apprise
def test_why_it_could_not_be_sent_is_said_without_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB", "json://ada:hunter2@127.0.0.1:1/token-51d2")
    with pytest.raises(NotifyError) as said:
        post.send(NotifyTarget(name="steward", url="env:LAB"), Notice(Occasion.TEST, "", "t", "b"))
    assert "steward: A Connection error occurred" in str(said.value)
    monkeypatch.setenv("LAB", "nonsense://ada:hunter2@127.0.0.1:1/token-51d2")
    with pytest.raises(NotifyError) as also:
        post.send(NotifyTarget(name="steward", url="env:LAB"), Notice(Occasion.TEST, "", "t", "b"))
    for words in (str(said.value), str(also.value)):
        assert "hunter2" not in words
        assert "token-51d2" not in words


def test_without_apprise_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exlab_sync_tui.operate.notify.post.find_spec", lambda _: None)
    with pytest.raises(NotifyError, match="pip install"):
        post.send(NotifyTarget(name="x", url=CLEAR), Notice(Occasion.TEST, "", "t", "b"))


async def test_the_watchman_tells_of_a_failure_and_of_nothing_else(tmp_path: Path) -> None:
    sent: list[tuple[str, Notice]] = []
    engine = Engine()
    configured = settings(tmp_path, targets=[{"name": "steward", "url": CLEAR, "events": ["failed"]}])
    watchman = Watchman(configured, ManualClock(), send=lambda target, notice: sent.append((target.name, notice)))
    for one in (event(EventKind.RUN_VERIFIED), event(EventKind.HOLD_SET, hold="blocked"), event(EventKind.RUN_FAILED)):
        await engine.said.put(one)
    await engine.said.put(None)
    await watchman.watch(engine)
    ((name, notice),) = sent
    assert name == "steward"
    assert notice.title.startswith("exlab-sync ")
    assert notice.title.endswith("CONFOCAL_01: a run failed")


async def test_a_target_that_cannot_be_reached_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sent: list[str] = []

    def send(target: NotifyTarget, _: Notice) -> None:
        if target.name == "broken":
            raise NotifyError("broken: it does not answer.")
        sent.append(target.name)

    engine = Engine()
    configured = settings(tmp_path, targets=[{"name": "broken", "url": CLEAR}, {"name": "well", "url": CLEAR}])
    await engine.said.put(event(EventKind.RUN_FAILED))
    await engine.said.put(None)
    await Watchman(configured, ManualClock(), send=send).watch(engine)
    assert sent == ["well"]
    assert "Not sent to broken" in caplog.text


def local(moment: datetime) -> datetime:
    return moment


async def test_a_digest_comes_once_a_day_at_its_time(tmp_path: Path) -> None:
    clock, store = ManualClock(NOW), MemoryStore()
    configured = settings(tmp_path, digest_at="09:30")
    await store.open()
    watchman = Watchman(configured, clock, send=lambda *_: None, free=lambda _: GIB, local=local)
    told = []
    for _ in range(48):
        told += [(clock.now().hour, notice.body) for notice in await watchman.look(store)]
        await clock.advance(3600)
    assert told == [(10, "No run is known yet."), (10, "No run is known yet.")]


async def test_a_disk_that_fills_up_is_told_of_once(tmp_path: Path) -> None:
    clock, store, free = ManualClock(NOW), MemoryStore(), [100 * GIB]
    await store.open()

    def now_free(_: Path) -> int:
        free[0] -= 2 * GIB
        return free[0]

    watchman = Watchman(settings(tmp_path), clock, send=lambda *_: None, free=now_free, local=local)
    ration = Ration(12)
    told = []
    for _ in range(30):
        told += [notice for notice in await watchman.look(store) if ration.admits(notice, clock.monotonic())]
        await clock.advance(60)
    (notice,) = told
    assert notice.occasion is Occasion.DISK
    assert "will be full in about an hour at the present rate" in notice.body


async def test_a_companion_that_breaks_is_written_down_and_ends_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def breaks(_: object) -> None:
        raise RuntimeError("a mistake of ours")

    done = asyncio.Event()

    async def works(_: object) -> None:
        done.set()

    tasks = beside.start([breaks, works], Engine())
    await done.wait()
    await beside.end(tasks)
    assert "a mistake of ours" in caplog.text


async def test_a_mistake_while_sending_ends_the_watchman_loudly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def send(*_: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    engine = Engine()
    await engine.memory.open()
    await engine.said.put(event(EventKind.RUN_FAILED))
    (task,) = beside.start([Watchman(settings(tmp_path), ManualClock(), send=send).watch], engine)
    await asyncio.wait([task])
    assert "a mistake of ours" in caplog.text


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return make_shelf(tmp_path)


def configure(shelf: Shelf, targets: str) -> None:
    shelf.config.write_text(f"{shelf.config.read_text()}notify:\n  targets:\n{targets}")


@needs_apprise
def test_notify_test_reaches_those_it_can_and_says_who_was_not_reached(shelf: Shelf) -> None:
    with WebHook() as hook:
        configure(
            shelf,
            f"    - {{name: hook, url: 'json://127.0.0.1:{hook.port}/lab'}}\n"
            "    - {name: mail, url: 'env:NOT_SET_HERE'}\n",
        )
        done = shelf.ask("notify", "test")
        _, data = hook.received()
    assert done.exit_code == 1
    assert "sent  hook" in done.output
    assert "not sent  mail: The environment has no NOT_SET_HERE" in done.output
    assert data["title"].endswith(": a test")
    assert shelf.ask("notify", "test", "hook", "--dry-run").exit_code == 0
    assert shelf.ask("notify", "test", "nobody").exit_code == 3


def test_a_secret_in_the_configuration_is_refused_with_its_line(shelf: Shelf) -> None:
    configure(shelf, "    - {name: mail, url: 'mailto://ada:hunter2@smtp.example.org'}\n")
    done = shelf.ask("config", "check")
    assert done.exit_code == 7
    assert "notify.targets[0].url: has a secret in it; give it by reference instead" in done.output
    assert "hunter2" not in done.output


def test_the_environment_can_name_targets(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXLAB_SYNC_NOTIFY__TARGETS", "[{name: hook, url: 'json://127.0.0.1/x'}]")
    shown: Any = shelf.ask_json("config", "show")
    assert ("notify.targets[0].name", "hook") in [(row["key"], row["value"]) for row in shown]


def test_a_run_that_fails_is_heard_of_through_a_real_engine(tmp_path: Path) -> None:
    """``run --once`` with a run whose place on the NAS is taken: the message is there before the program ends."""
    if find_spec("apprise") is None:
        pytest.skip("the package apprise is not installed")
    shelf = make_shelf(tmp_path)
    run = tmp_path / "plates" / "Plate_7"
    run.mkdir()
    (run / "a.csv").write_text("1,2\n")
    taken = tmp_path / "nas" / "READER_01" / "Plate_7"
    taken.mkdir(parents=True)
    (taken / "other").write_text("not ours")
    assert shelf.ask("destination", "adopt", "READER_01", "--local", "--yes").exit_code == 0
    with WebHook() as hook:
        configure(shelf, f"    - {{name: hook, url: 'json://127.0.0.1:{hook.port}/lab'}}\n")
        done = shelf.ask("run", "--once")
        _, data = hook.received()
    assert done.exit_code == 1, done.output
    assert data["title"].endswith("READER_01: a place on the NAS is taken")
    assert "exlab-sync why Plate_7" in data["message"]
