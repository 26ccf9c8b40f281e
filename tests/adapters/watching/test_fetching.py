"""One request to somebody outside: what else may go wrong with it."""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web

from adapters.watching.fetching import Answer, NoAnswerError, fetch
from tests.adapters.watching.outside import Outside, says


async def test_a_name_is_looked_up() -> None:
    """Not only addresses."""
    outside = Outside(says(200, "hello"))
    async with outside.running():
        assert await fetch(f"http://localhost:{outside.port}/x", 10) == Answer(200, b"hello")


async def pours(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    with suppress(ConnectionError):
        while True:
            await response.write(b"x" * 10_000)
    return response


async def test_an_answer_without_end_is_cut_off() -> None:
    """Nobody fills our memory, nor holds us until the time is up."""
    outside = Outside(pours)
    async with outside.running():
        assert len((await fetch(outside.url, 30)).body) == 65_536


@pytest.mark.parametrize("url", ["nonsense", "http://[::1", f"http://{'nonsense' * 9}.example/", "ftp://nonsense/"])
async def test_an_address_that_cannot_be_is_no_answer(url: str) -> None:
    """It is said without the address; the name of 72 characters is too long to be looked up."""
    with pytest.raises(NoAnswerError) as error:
        await fetch(url, 5)
    assert error.value.why
    assert "nonsense" not in error.value.why


async def test_a_name_that_nobody_knows_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name server says so."""

    def unknown(*_args: Any, **_more: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NoAnswerError) as error:
        await fetch("http://nobody.example/", 5)
    assert error.value.why == "ClientConnectorDNSError"


async def test_a_name_server_that_hangs_holds_no_thread_that_others_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of asyncio stay free, however many look-ups hang; and each is given up in its time."""
    real, released, hanging = socket.getaddrinfo, threading.Event(), threading.Semaphore(0)

    def look_up(host: Any, *rest: Any, **more: Any) -> Any:
        if host != "hangs.example":
            return real(host, *rest, **more)
        hanging.release()
        released.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        ended = await asyncio.gather(*(fetch("http://hangs.example/", 0.2) for _ in range(40)), return_exceptions=True)
        assert {str(e) for e in ended} == {"no answer within 0.2 s"}
        assert all(hanging.acquire(blocking=False) for _ in range(40))
        async with asyncio.timeout(5):
            assert await asyncio.to_thread(lambda: "free") == "free"
    finally:
        released.set()
