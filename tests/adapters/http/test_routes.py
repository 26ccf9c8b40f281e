"""The other routes, on real sockets: people, prompts, health, metrics, and errors as problem details."""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from adapters.metrics import Metrics
from adapters.prompts.library import PromptLibrary
from policies import events as ev
from policies.actions import Retrieve, StandDown
from policies.guards import CallState
from policies.model import CallId
from tests.adapters.http.site import CHIEF, DEPUTY, PHONE, SCREEN, Site, site

C1 = CallId("c1")


async def acute(s: Site) -> str:
    """Anna's call is acute; returns the page."""
    await s.ask("POST", "/v1/keys/suicide", SCREEN)
    return next(iter(s.service.engine.state.pages))


# --- people -------------------------------------------------------------------------------------------------------


async def test_a_person_takes_a_page() -> None:
    """The page ends with the person's name, the others are told; a second one learns that it is gone."""
    async with site() as s:
        page = await acute(s)
        status, body = await s.ask("POST", f"/v1/pages/{page}/acknowledge", CHIEF)
        assert (status, body) == (202, {"page": page, "acknowledged_by": "Chief"})
        await s.service.until(lambda: s.service.pager.stood_down)
        stood_down: StandDown = s.service.pager.stood_down[0]
        assert stood_down.by == "Chief"
        assert (await s.ask("POST", f"/v1/pages/{page}/acknowledge", DEPUTY))[0] == 404


async def test_opening_a_latch_takes_two_people() -> None:
    """One person twice is one; two open it; then there is nothing to open."""
    async with site() as s:
        await acute(s)
        path = "/v1/calls/c1/open-latch"
        for _ in range(2):
            assert (await s.ask("POST", path, CHIEF))[0] == 202
        await s.service.until(lambda: len(s.service.saw(ev.LatchAgreed)) == 2)
        assert s.service.engine.state.guards[C1].state is CallState.ACUTE
        assert (await s.ask("POST", path, DEPUTY))[0] == 202
        await s.service.until(lambda: s.service.engine.state.guards[C1].state is CallState.OPEN)
        status, body = await s.ask("POST", path, DEPUTY)
        assert (status, body["type"]) == (409, "urn:bagvagt:problem:not-acute")
        assert (await s.ask("POST", "/v1/calls/other/open-latch", DEPUTY))[0] == 404
        assert s.service.pbx.asked(Retrieve) == []


async def test_a_break_is_ended_by_a_person() -> None:
    """The break of an agent whose call is over ends before its time."""
    async with site() as s:
        await acute(s)
        s.service.pbx.emit(ev.CallEnded(**s.service.engine.stamp(), call=C1))
        await s.service.until(lambda: any(b.state == "on" for b in s.service.engine.state.breaks.values()))
        break_id = next(iter(s.service.engine.state.breaks))
        status, body = await s.ask("POST", f"/v1/breaks/{break_id}/end", CHIEF)
        assert (status, body["ended_by"]) == (202, "Chief")
        await s.service.until(lambda: not s.service.engine.state.breaks)
        assert (await s.ask("POST", f"/v1/breaks/{break_id}/end", CHIEF))[0] == 404


@pytest.mark.parametrize("path", ["/v1/pages/p/acknowledge", "/v1/breaks/b/end", "/v1/calls/c1/open-latch"])
@pytest.mark.parametrize("secret", ["", SCREEN, PHONE, "wrong"])
async def test_only_a_persons_token_does_what_a_person_does(path: str, secret: str) -> None:
    """An agent's or a phone's token does not; nothing is told of what there is."""
    async with site() as s:
        assert (await s.ask("POST", path, secret))[0] == 401


# --- prompts ------------------------------------------------------------------------------------------------------


async def test_a_prompt_is_sent_and_asked_for_again_only_when_it_changed() -> None:
    """By ETag and by date: 304 while it is the same, and the file itself when it is not."""
    async with site() as s:
        file = PromptLibrary(None).find("warning", "da").path
        async with s.client.get("/prompts/da/warning.wav") as answer:
            assert answer.status == 200
            assert await answer.read() == file.read_bytes()
            assert answer.headers["Content-Type"] == "audio/x-wav"
            assert answer.headers["Cache-Control"] == "max-age=60"
            etag, changed = answer.headers["ETag"], answer.headers["Last-Modified"]
        for asked in ({"If-None-Match": etag}, {"If-Modified-Since": changed}):
            async with s.client.get("/prompts/da/warning.wav", headers=asked) as answer:
                assert (answer.status, await answer.read()) == (304, b"")
                assert answer.headers["Cache-Control"] == "max-age=60"
        async with s.client.get("/prompts/da/warning.wav", headers={"If-None-Match": '"other"'}) as answer:
            assert answer.status == 200
        async with s.client.head("/prompts/tones/tone-accepted.wav") as answer:
            assert answer.status == 200


async def test_a_new_recording_is_sent_from_then_on(tmp_path: Path) -> None:
    """The site records its own: the old ETag does not match any more."""
    own = tmp_path / "da" / "warning.wav"
    own.parent.mkdir()
    source = PromptLibrary(None)
    own.write_bytes(source.find("warning", "da").path.read_bytes())
    async with site(own_prompts=tmp_path) as s:
        async with s.client.get("/prompts/da/warning.wav") as answer:
            etag = answer.headers["ETag"]
        own.write_bytes(source.find("closing", "da").path.read_bytes())
        os.utime(own, (2_000_000_000, 2_000_000_000))
        async with s.client.get("/prompts/da/warning.wav", headers={"If-None-Match": etag}) as answer:
            assert answer.status == 200
            assert await answer.read() == own.read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/prompts/da/..%2F..%2Flibrary.wav",
        "/prompts/..%2F/warning.wav",
        "/prompts/da/%2Fetc%2Fpasswd.wav",
        "/prompts/da/warning%00.wav",
        "/prompts/xx/warning.wav",
        "/prompts/tones/warning.wav",
        "/prompts/da/nowhere.wav",
    ],
)
async def test_a_prompts_path_leads_nowhere_else(path: str) -> None:
    """404, and no file's name is given away. The path is sent as it stands, not tidied by a client."""
    async with site() as s:
        status, answer = await raw(s, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert status in (400, 404)
        assert b"adapters" not in answer


async def test_a_damaged_recording_is_an_error_and_not_a_placeholder(tmp_path: Path) -> None:
    """The PBX must not play something else than what the site recorded."""
    own = tmp_path / "da" / "warning.wav"
    own.parent.mkdir()
    own.write_bytes(b"not audio")
    async with site(own_prompts=tmp_path) as s:
        status, body = await s.ask("GET", "/prompts/da/warning.wav")
        assert (status, body["type"]) == (500, "urn:bagvagt:problem:prompt-damaged")
        assert str(tmp_path) not in str(body)


# --- errors -------------------------------------------------------------------------------------------------------


async def raw(s: Site, text: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", s.server.port)
    writer.write(text.encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return int(answer.split(b" ", 2)[1]), answer


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/keys/a/b?token=x", 404),
        ("PUT", "/v1/keys/warn", 405),
        ("GET", "/v1/pages/p/acknowledge", 405),
        ("POST", "/healthz", 405),
        ("DELETE", "/prompts/da/warning.wav", 405),
    ],
)
async def test_every_error_is_a_problem_with_headers(method: str, path: str, status: int) -> None:
    """404 and 405 too: RFC 9457, with what is allowed, and no caching."""
    async with site() as s, s.client.request(method, path) as answer:
        assert answer.status == status
        assert answer.content_type == "application/problem+json"
        body = await answer.json(content_type=None)
        assert (body["type"], body["status"]) == ("about:blank", status)
        assert bool(answer.headers.get("Allow")) is (status == 405)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["Server"] == "bagvagt"


async def test_a_body_that_is_too_large_is_not_read() -> None:
    """413 before a byte of it was sent."""
    async with site() as s:
        head = "POST /v1/keys/warn HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", s.server.port)
        writer.write(head.encode())
        assert b"413" in await asyncio.wait_for(reader.readline(), 10)
        assert b"application/problem+json" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        writer.close()
        assert s.service.saw(ev.KeyPressed) == []


async def test_a_bug_of_ours_is_a_problem_without_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """500 says nothing of the inside."""
    async with site() as s:

        def fail() -> None:
            raise RuntimeError("inside")

        monkeypatch.setattr("adapters.http.server.generate_latest", lambda _registry: fail())
        status, body = await s.ask("GET", "/metrics")
        assert (status, body) == (500, {"type": "about:blank", "title": "Internal Server Error", "status": 500})


# --- health and metrics -------------------------------------------------------------------------------------------


async def test_health_is_200_while_protection_is_on_and_503_while_it_is_not() -> None:
    """A monitor that looks at the status alone sees it."""
    async with site() as s:
        assert await s.ask("GET", "/healthz") == (200, {"ok": True})
        s.health = {"ok": False, "why": ["pbx"]}
        assert await s.ask("GET", "/healthz") == (503, {"ok": False, "why": ["pbx"]})


async def test_metrics_count_keys_times_and_refusals() -> None:
    """What a press leaves behind: the key, the decision's and the commit's time, the guarded call."""
    async with site() as s:
        s.metrics.watch(loop_lag_s=lambda: 0.25, unsaved=lambda: 3)
        await s.ask("POST", "/v1/keys/warn", SCREEN)
        await s.ask("POST", "/v1/keys/warn", "wrong")
        await s.service.until(lambda: s.service.engine.state.guards[C1].state is CallState.WARNED)
        await s.service.settled()
        async with s.client.get("/metrics") as answer:
            text = await answer.text()
        for line in (
            'bagvagt_keys_total{key="warn",reason="warning_started",source="http",verdict="accepted"} 1.0',
            'bagvagt_http_refused_total{why="token"} 1.0',
            'bagvagt_guarded_calls{state="warned"} 1.0',
            'bagvagt_guarded_calls{state="acute"} 0.0',
            "bagvagt_pbx_connected 1.0",
            "bagvagt_loop_lag_seconds 0.25",
            "bagvagt_journal_unsaved 3.0",
            "bagvagt_commit_seconds_count 3.0",
        ):
            assert line in text
        assert "bagvagt_decide_seconds_bucket" in text


async def test_the_number_of_series_does_not_grow_with_calls_and_people() -> None:
    """No label holds a call, a person or an address."""
    async with site() as s:
        await acute(s)
        before = series(s.metrics)
        for number in range(20):
            await s.ask("POST", "/v1/keys/suicide", SCREEN)
            await s.ask("POST", "/v1/keys/warn", f"wrong-{number}")
        assert series(s.metrics) - before < 10


def series(metrics: Metrics) -> int:
    samples: Iterable[object] = (x for family in metrics.registry.collect() for x in family.samples)
    return len(list(samples))
