"""Logging in while the service runs: what is read at the start, and again when somebody asks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from adapters.accounts import command, login
from adapters.accounts.model import Role
from tests.adapters.accounts.house import BrokenStore, House, house, url_in
from tests.lab.waiting import until


@asynccontextmanager
async def running(h: House, say: Callable[[str], None]) -> AsyncIterator[None]:
    task = asyncio.create_task(h.login.run(say))
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_store_that_does_not_answer_at_the_start_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service runs on without it; the link is said once it answers, and once."""
    monkeypatch.setattr(login, "AGAIN_S", 0.01)
    said: list[str] = []
    async with house(tmp_path) as h:
        broken = BrokenStore()
        real, h.login.accounts._store = h.login.accounts._store, broken
        async with running(h, said.append):
            await until(lambda: broken.asked > 1, 10)
            assert not h.login.loaded.is_set()
            h.login.accounts._store = real
            async with asyncio.timeout(10):
                await h.login.loaded.wait()
        assert len(said) == 1
        assert "http://127.0.0.1:8480/panel/setup?token=" in said[0]


async def test_a_reload_takes_in_what_the_command_has_changed(tmp_path: Path) -> None:
    """A disabled account's sessions end, and one that the command has added is there."""
    async with house(tmp_path) as h:
        await h.account("admin", Role.ADMIN)
        await h.account("anna", Role.CHIEF)
        async with running(h, lambda _line: None):
            await h.login.loaded.wait()
            token, _ = h.login.sessions.start("anna", "password", "", "")
            await asyncio.to_thread(command.disable, url_in(tmp_path), "anna")
            await asyncio.to_thread(command.add, url_in(tmp_path), "http://x", "bo", ["backup"])
            h.login.reread()
            await until(lambda: h.login.sessions.find(token) is None, 10)
            assert h.login.accounts.get("bo").roles == {Role.BACKUP}


async def test_what_was_opened_last_is_written_at_the_end(tmp_path: Path) -> None:
    """A restart right after a login does not log out."""
    async with house(tmp_path) as h:
        await h.account("admin", Role.ADMIN)
        async with running(h, lambda _line: None):
            await h.login.loaded.wait()
            token, _ = h.login.sessions.start("admin", "password", "", "")
        clock = h.clock
    async with house(tmp_path, clock) as h:
        assert h.login.sessions.find(token) is not None
