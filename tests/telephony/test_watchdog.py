"""systemd's watchdog is fed only while all is well; health says what is wrong."""

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from policies import events as ev
from policies.actions import Verdict
from policies.model import Source
from telephony import watchdog
from telephony.watchdog import Health, LoopLag, Watchdog
from tests.policies.story import ANNA, END, call
from tests.telephony.fakes import FakeClock, Service, StoreDownError


class Systemd:
    """Listens where systemd would."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    made = Systemd(path)
    yield made
    made.close()


class Store:
    """Answers, fails, or says nothing."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.fails = False

    async def ask(self) -> None:
        self.asked += 1
        await self.answers.wait()
        if self.fails:
            raise StoreDownError("disk full")


class Late(LoopLag):
    """A loop that is as late as the test says."""

    def is_late(self, seconds: float) -> None:
        self._late.append(seconds)


class Bench:
    """A watchdog over a store, with a clock moved by hand."""

    def __init__(self) -> None:
        self.store, self.lag, self.now_s = Store(), Late(), 0.0
        self.dog = Watchdog(self.store.ask, self.lag, lambda: "fine", now_s=lambda: self.now_s)


async def test_it_is_fed_while_all_is_well(systemd: Systemd) -> None:
    """Each look feeds it, and shows the status."""
    bench = Bench()
    for _ in range(3):
        assert bench.dog.look()
        await asyncio.sleep(0)
        bench.now_s += 10
    assert systemd.heard() == ["WATCHDOG=1", "STATUS=fine"] * 3
    assert bench.store.asked == 3


async def test_it_is_not_fed_while_the_journal_is_silent(systemd: Systemd) -> None:
    """A stall of 30 s is ridden out; a journal that never answers is not. It is asked once, not over and over."""
    bench = Bench()
    bench.store.answers.clear()
    assert bench.dog.look()
    await asyncio.sleep(0)
    bench.now_s = 30
    assert bench.dog.look()
    bench.now_s = 46
    systemd.heard()
    assert not bench.dog.look()
    assert systemd.heard() == ["STATUS=unwell: the journal has been silent for 46 s"]
    assert bench.store.asked == 1
    bench.store.answers.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert bench.dog.look()


async def test_a_journal_that_fails_has_answered(systemd: Systemd) -> None:
    """A full disk is no reason to restart: the alarms that are under way would be lost with the process."""
    bench = Bench()
    bench.store.fails = True
    bench.dog.look()
    for _ in range(3):
        await asyncio.sleep(0)
    bench.now_s = 1000
    assert bench.dog.look()
    assert "WATCHDOG=1" in systemd.heard()


async def test_it_is_not_fed_while_the_loop_is_late(systemd: Systemd) -> None:
    """Something blocks the loop: no sign of life; it is on time again: fed again."""
    bench = Bench()
    bench.lag.is_late(3.0)
    assert not bench.dog.look()
    assert systemd.heard() == ["STATUS=unwell: the loop is 3.0 s late"]
    bench.lag.is_late(0.0)
    assert bench.dog.look()


async def test_it_runs_until_cancelled_and_leaves_no_task(systemd: Systemd) -> None:
    """While the store is silent, too."""
    bench = Bench()
    bench.store.answers.clear()
    running = asyncio.create_task(bench.dog.run(0.001))
    async with asyncio.timeout(10):
        heard: list[str] = []
        while heard.count("WATCHDOG=1") < 2:
            await asyncio.sleep(0.001)
            heard += systemd.heard()
    running.cancel()
    await asyncio.wait({running})
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_lag_of_a_blocked_loop_is_seen() -> None:
    """The loop is held for 0.4 s: the lag shows it, and remembers the worst."""
    lag = LoopLag()
    running = asyncio.create_task(lag.run())
    await asyncio.sleep(0)
    time.sleep(0.65)  # noqa: ASYNC251 -- blocking is what is being tested
    async with asyncio.timeout(10):
        while lag.worst_s == 0.0:  # noqa: ASYNC110 -- a reading, not an event
            await asyncio.sleep(0.01)
    running.cancel()
    assert lag.worst_s > 0.2


def test_what_systemd_is_told_of_start_reload_and_end(systemd: Systemd) -> None:
    """The words of sd_notify(3); a reload carries the monotonic time, as systemd wants it."""
    watchdog.ready("protection is on")
    watchdog.reloading()
    watchdog.stopping()
    heard = systemd.heard()
    assert heard[:3] == ["READY=1", "STATUS=protection is on", "RELOADING=1"]
    assert abs(int(heard[3].removeprefix("MONOTONIC_USEC=")) / 1e6 - time.monotonic()) < 60
    assert heard[4:] == ["STOPPING=1", "STATUS=stopping"]


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No socket, or one that nobody listens on: the service runs on."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert watchdog.sd_notify("READY=1") is None  # type: ignore[func-returns-value]  # that it returns is the point
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert watchdog.sd_notify("READY=1") is None  # type: ignore[func-returns-value]  # likewise


def test_an_abstract_socket_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Systemd in a container names one with @."""
    name = f"bagvagt-test-{os.getpid()}"
    listener = Systemd(f"\0{name}")
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    watchdog.ready("up")
    assert listener.heard() == ["READY=1", "STATUS=up"]
    listener.close()


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [("30000000", "", 30.0), ("", "", None), ("0", "", None), ("x", "", None), ("5000000", "1", None)],
)
def test_how_long_systemd_waits(monkeypatch: pytest.MonkeyPatch, usec: str, pid: str, seconds: float | None) -> None:
    """From the environment; another process's watchdog is not ours."""
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert watchdog.watchdog_s() == seconds


# --- health -------------------------------------------------------------------------------------------------------


def health_of(s: Service, lag: LoopLag, channels: dict[str, bool]) -> Health:
    health = Health(s.clock, lag, lambda: channels, lambda: "7:abc")
    health.engine = s.engine
    s.engine._listeners = (s, health)
    return health


async def test_health_says_what_stands_and_since_when() -> None:
    """Everything that a monitor or a person asks for."""
    s, channels = Service(), {"mqtt": True, "sms": False}
    health = health_of(s, LoopLag(), channels)
    assert health.read() == {"ok": False, "why": ["starting"]}
    async with s.running():
        read = health.read()
        assert read == {
            "ok": True,
            "why": [],
            "pbx": {"connected": True, "epoch": 1, "since": s.clock.at.isoformat()},
            "journal": {"ok": True, "unsaved": 0, "unreadable": 0},
            "pager": {"channels": channels},
            "loop_lag_ms": 0.0,
            "policy": {"version": "test", "loaded_at": s.clock.at.isoformat()},
            "audit_head": "7:abc",
        }
        assert health.line() == "protection is on"
        s.clock.forward(60)
        s.engine.reload(s.engine.policy.now)
        assert health.read()["policy"]["loaded_at"] == s.clock.at.isoformat()


async def test_health_names_each_thing_that_is_wrong() -> None:
    """PBX away, journal failing, no way to reach anybody, a late loop: each takes protection away."""
    s, lag, channels = Service(), Late(), {"mqtt": True}
    s.pbx.calls = (call(),)
    health = health_of(s, lag, channels)
    async with s.running():
        s.clock.forward(5)
        s.journal.fails = StoreDownError("disk full")
        s.pbx.broken.set()
        await s.until(lambda: s.saw(ev.PbxLost))
        assert health.read()["why"] == ["pbx", "journal"]
        assert health.read()["pbx"]["since"] == s.clock.at.isoformat()
        channels["mqtt"] = False
        lag.is_late(3.0)
        assert health.read()["why"] == ["pbx", "journal", "pager", "loop"]
        assert health.line() == "PROTECTION IS OFF: pbx, journal, pager, loop"


async def test_a_service_without_channels_is_not_called_unwell_for_it() -> None:
    """A site that pages nobody has chosen so; the policy check says it, not the monitor."""
    s = Service()
    health = health_of(s, LoopLag(), {})
    async with s.running():
        assert health.read()["ok"] is True
        assert (await s.engine.press(ANNA, END, Source.HTTP)).verdict is Verdict.NOT_PERMITTED


def test_health_before_the_start_is_not_ok() -> None:
    """A monitor that asks during the start sees 503."""
    assert Health(FakeClock(), LoopLag(), dict, str).read()["ok"] is False
