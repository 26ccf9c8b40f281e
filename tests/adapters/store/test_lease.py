"""One process writes to a store: who holds it, who may take it over, and what becomes of the one who has lost it."""

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.accounts import command
from adapters.store.audit import verify
from adapters.store.errors import StoreFencedError, StoreInUseError
from adapters.store.journal import open_journal
from adapters.store.lease import Process
from adapters.store.migrate import upgrade
from tests.adapters.store.samples import entry_of, full_entry

_ROOT = Path(__file__).parents[3]
_LONG_S = 3600.0  # no test could wait for such a lease to lapse
_SHORT_S = 0.4


class Holder:
    """Another process that holds the store."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    @classmethod
    @contextmanager
    def of(cls, url: str, lease_s: float) -> Iterator["Holder"]:
        program = [sys.executable, "-m", "tests.adapters.store.holder", url, str(lease_s)]
        pipe = subprocess.PIPE
        with subprocess.Popen(program, stdin=pipe, stdout=pipe, text=True, cwd=_ROOT) as process:
            holder = cls(process)
            assert holder.hears() == "holds"
            try:
                yield holder
            finally:
                process.send_signal(signal.SIGCONT)
                process.kill()

    def hears(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def asks(self, entry: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{entry}\n")
        self.process.stdin.flush()


def _row(path: Path) -> dict[str, Any]:
    with sqlite3.connect(path) as store:
        store.row_factory = sqlite3.Row
        row = dict(store.execute("SELECT * FROM lease").fetchone())
    store.close()
    return row


def _set(path: Path, **changed: Any) -> None:
    with sqlite3.connect(path) as store:
        store.execute(f"UPDATE lease SET {', '.join(f'{name} = ?' for name in changed)}", tuple(changed.values()))  # noqa: S608
    store.close()


def _as_stored(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat(sep=" ")


async def test_a_store_in_use_refuses_a_second_service_and_names_the_first(url: str) -> None:
    """The second one learns which process has it, where and since when; the first one goes on undisturbed."""
    began = datetime.now(UTC)
    with Holder.of(url, _LONG_S) as first:
        with pytest.raises(StoreInUseError, match="stop that one first") as refused:
            async with open_journal(url, lease_s=_LONG_S):
                pass
        assert (refused.value.pid, refused.value.host) == (first.process.pid, socket.gethostname())
        assert refused.value.since is not None
        assert began < refused.value.since < datetime.now(UTC)
        assert f"process {first.process.pid} on {socket.gethostname()}" in str(refused.value)
        first.asks("b1")
        assert first.hears() == "committed b1"


@pytest.mark.parametrize("reaped", [True, False])
async def test_a_killed_holder_is_replaced_at_once(url: str, path: Path, reaped: bool) -> None:  # noqa: FBT001
    """However long its lease: a restart must not wait. Also where nobody has taken note of the death yet (a zombie)."""
    with Holder.of(url, _LONG_S) as first:
        first.process.kill()
        if reaped:
            first.process.wait()
        async with asyncio.timeout(30), open_journal(url, lease_s=_LONG_S) as journal:
            await journal.commit(full_entry("b1"))
            assert _row(path)["epoch"] == 2
            assert _row(path)["pid"] == os.getpid()


async def test_a_process_number_that_was_used_again_is_another_process(url: str, path: Path) -> None:
    """The number is alive, but whoever has it now began at another time than the holder."""
    async with open_journal(url):
        mine = _row(path)
    _set(path, machine=mine["machine"], born=mine["born"] - 1)
    async with asyncio.timeout(30), open_journal(url, lease_s=_LONG_S):
        assert _row(path)["epoch"] == 2


async def test_a_lease_that_was_given_back_is_free(url: str, path: Path) -> None:
    """An ordinary stop and start waits for nothing, and the epoch goes on."""
    for epoch in (1, 2, 3):
        async with asyncio.timeout(30), open_journal(url, lease_s=_LONG_S):
            assert _row(path)["epoch"] == epoch
        assert not _row(path)["machine"]


async def test_a_holder_elsewhere_is_replaced_once_its_lease_has_lapsed(url: str, path: Path) -> None:
    """By its own clock; and where that is ahead of ours, by waiting for as long as it should have renewed it."""
    async with open_journal(url):
        pass
    now = datetime.now(UTC)
    _set(path, machine="another boot", renewed_at=_as_stored(now - timedelta(seconds=_LONG_S + 1)))
    async with asyncio.timeout(30), open_journal(url, lease_s=_LONG_S):
        assert _row(path)["epoch"] == 2
    _set(path, machine="another boot", renewed_at=_as_stored(now + timedelta(days=1)))
    began = time.monotonic()
    async with open_journal(url, lease_s=_SHORT_S):
        assert _row(path)["epoch"] == 3
    assert time.monotonic() - began > _SHORT_S


async def test_a_holder_elsewhere_that_renews_its_lease_is_seen_to_live(url: str, path: Path) -> None:
    """Its process cannot be looked at from here, and its clock may be anything: it moves, so it lives."""
    async with open_journal(url):
        pass
    _set(path, machine="another host", renewed_at=_as_stored(datetime.now(UTC)))

    async def renew() -> None:
        for minutes in range(1000):
            await asyncio.sleep(0.1)
            _set(path, renewed_at=_as_stored(datetime.now(UTC) + timedelta(minutes=minutes)))

    renewing = asyncio.create_task(renew())
    with pytest.raises(StoreInUseError):
        async with open_journal(url, lease_s=_LONG_S):
            pass
    renewing.cancel()


async def test_the_lease_is_renewed_while_the_event_loop_stands_still(url: str, path: Path) -> None:
    """By the journal's own thread. A loop that hangs is the watchdog's business, and no reason to lose the store."""
    async with open_journal(url, lease_s=_SHORT_S):
        before, until = _row(path)["renewed_at"], time.monotonic() + 30
        while _row(path)["renewed_at"] == before:
            assert time.monotonic() < until
            time.sleep(0.05)  # noqa: ASYNC251 -- the loop is meant to stand still


async def test_a_service_that_slept_is_fenced_out_and_writes_nothing(url: str) -> None:
    """A stopped process, as on a machine that sleeps; its lease lapses, another takes over, and it wakes up again."""
    with Holder.of(url, _SHORT_S) as first:
        first.asks("b1")
        assert first.hears() == "committed b1"
        first.process.send_signal(signal.SIGSTOP)
        first.asks("b2")
        async with asyncio.timeout(60), open_journal(url, lease_s=_SHORT_S) as journal:
            await journal.commit(full_entry("b3"))
            first.process.send_signal(signal.SIGCONT)
            assert {first.hears(), first.hears()} == {"fenced", "StoreFencedError"}
            await journal.commit(full_entry("b4"))
            assert set((await journal.recover()).state.breaks) == {"b1", "b3", "b4"}
    assert (verify(url).count, verify(url).first_bad) == (3, None)


async def test_who_is_fenced_out_learns_it_without_a_key_being_pressed(url: str, path: Path) -> None:
    """The thread looks at the lease by itself; no entry, no other question of the service is taken any more."""
    async with open_journal(url, lease_s=_SHORT_S) as journal:
        await journal.commit(full_entry("b1"))
        _set(path, epoch=7)
        async with asyncio.timeout(30):
            assert isinstance(await journal.fenced(), StoreFencedError)
        for refused in (journal.commit(entry_of("e2")), journal.transact(lambda _connection: None), journal.ping()):
            with pytest.raises(StoreFencedError, match="another Bagvagt has taken"):
                await refused
    assert _row(path)["machine"]  # what is another's is not given back
    assert verify(url).count == 1


async def test_a_group_that_is_fenced_out_fails_as_a_whole(url: str, path: Path) -> None:
    """Nothing of it is written, and everybody who waits is told."""
    async with open_journal(url, lease_s=_LONG_S) as journal:
        _set(path, epoch=7)
        found = await asyncio.gather(*(journal.commit(full_entry(f"b{n}")) for n in range(20)), return_exceptions=True)
        assert {type(error) for error in found} == {StoreFencedError}
        async with asyncio.timeout(30):  # long before the lease is to be renewed
            await journal.fenced()
    assert verify(url).count == 0


async def test_commands_work_beside_a_running_service(url: str) -> None:
    """What reads the store, and what writes accounts, takes no lease and takes none away."""
    upgrade(url)
    with Holder.of(url, _LONG_S) as service:
        command.add(url, "http://panel", "anna", ["admin"])
        command.disable(url, "anna")
        assert [account.name for account in command.listed(url)] == ["anna"]
        service.asks("b1")
        assert service.hears() == "committed b1"
        assert verify(url).count == 1


@pytest.mark.parametrize("column", ["epoch", "since", "renewed_at"])
async def test_a_damaged_lease_is_taken(url: str, path: Path, column: str) -> None:
    """One row that nobody can read must not keep the service from starting, again and again."""
    async with open_journal(url):
        pass
    with sqlite3.connect(path) as store:
        store.execute(f"UPDATE lease SET {column} = 'rubbish'")  # noqa: S608 -- a column of this test's
    store.close()
    async with open_journal(url) as journal:
        await journal.commit(full_entry("e-1"))


def test_the_boot_may_be_told_where_proc_hides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit with ProcSubset=pid: with the boot's id a killed holder is known to be dead, and not waited for."""
    shown = Process.this().machine
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    monkeypatch.setattr(Path, "read_text", _hidden)
    assert Process.this().machine == ""
    monkeypatch.setenv("BAGVAGT_BOOT_ID", boot.replace("-", ""))  # as systemd's %b has it
    assert Process.this().machine == shown != ""


def _hidden(*_: object, **__: object) -> str:
    raise FileNotFoundError


async def test_a_store_whose_holder_lives_is_not_changed_by_a_later_version(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer one is started by mistake: it is refused before it changes what the old one must read."""
    with Holder.of(url, _LONG_S):
        stepped: list[str] = []
        monkeypatch.setattr("adapters.store.journal.upgrade", stepped.append)
        with pytest.raises(StoreInUseError):
            async with open_journal(url):
                pass
        assert stepped == []
