"""Keys over HTTP, on real sockets: who may press, what is answered, and that nothing holds an acute key back."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.http.access import GUESSES_AT_ONCE, Access, Token, TokenKind, Tokens, digest
from policies import events as ev
from policies.actions import Tell
from policies.guards import CallState
from policies.model import CallId, Source
from tests.adapters.http.site import CHIEF, PHONE, SCREEN, TOKENS, Site, bearer, site

C1 = CallId("c1")


def keys_pressed(s: Site) -> list[Any]:
    return s.service.saw(ev.KeyPressed)


async def guess(s: Site, times: int) -> int:
    status = 0
    for number in range(times):
        status, _ = await s.ask("POST", "/v1/keys/warn", f"guess-{number}")
    return status


async def test_a_post_presses_the_key_of_the_tokens_agent_and_is_answered_with_what_it_did() -> None:
    """The whole answer: verdict, code, sentence, rule."""
    async with site() as s:
        status, body = await s.ask("POST", "/v1/keys/warn", SCREEN)
        assert (status, body["verdict"], body["reason"]) == (200, "accepted", "warning_started")
        assert body["text"] == "The caller is being warned."
        assert body["rule"] == "kinds.abuse.warning"
        assert [(k.agent, k.source) for k in keys_pressed(s)] == [("anna", Source.HTTP)]


async def test_a_refusal_by_policy_is_an_answer_and_no_http_error() -> None:
    """An end key before the warning: 200, with the reason."""
    async with site() as s:
        await s.ask("POST", "/v1/keys/warn", SCREEN)
        status, body = await s.ask("POST", "/v1/keys/end", SCREEN)
        assert status == 200
        assert body["verdict"] in ("not_yet", "not_permitted")


async def test_a_desk_phones_get_presses_the_key_and_the_agent_hears_a_tone() -> None:
    """The action URL counts as a phone: its answer is heard, since no one reads it."""
    async with site() as s:
        status, body = await s.ask("GET", f"/v1/keys/suicide?token={PHONE}")
        assert (status, body["reason"]) == (200, "acute")
        assert keys_pressed(s)[0].source is Source.ACTION_URL
        await s.service.until(lambda: s.service.pbx.asked(Tell))


@pytest.mark.parametrize(
    ("method", "path", "secret"),
    [
        ("POST", "/v1/keys/warn", ""),
        ("POST", "/v1/keys/warn", "wrong"),
        ("POST", "/v1/keys/warn", PHONE),
        ("POST", "/v1/keys/warn", CHIEF),
        ("POST", f"/v1/keys/warn?token={SCREEN}", ""),
        ("GET", "/v1/keys/warn", PHONE),
        ("GET", f"/v1/keys/warn?token={SCREEN}", ""),
        ("GET", f"/v1/keys/warn?token={CHIEF}", ""),
        ("GET", "/v1/keys/warn?token=", ""),
        ("GET", "/v1/keys/nonsense?token=x", ""),
    ],
)
async def test_a_token_works_in_its_own_place_only(method: str, path: str, secret: str) -> None:
    """No token, a wrong one, or one of another kind: 401, no key is pressed, and no key's name is given away."""
    async with site() as s:
        async with s.client.request(method, path, headers=bearer(secret) if secret else {}) as answer:
            body = await answer.json(content_type=None)
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert "keys" not in body
        assert keys_pressed(s) == []


async def test_an_unknown_key_is_named_as_such_to_who_has_a_token() -> None:
    """A typing error in a phone's config shows, with what there is."""
    async with site() as s:
        status, body = await s.ask("POST", "/v1/keys/wran", SCREEN)
        assert (status, body["type"]) == (404, "urn:bagvagt:problem:no-such-key")
        assert "warn" in body["keys"]


async def test_action_urls_are_taken_from_the_phones_network_only() -> None:
    """A right token from another address is refused, also for an acute key; a POST is not concerned."""
    async with site(networks=("10.20.0.0/16",)) as s:
        status, body = await s.ask("GET", f"/v1/keys/suicide?token={PHONE}")
        assert (status, body["address"]) == (403, "127.0.0.1")
        assert keys_pressed(s) == []
        assert (await s.ask("POST", "/v1/keys/warn", SCREEN))[0] == 200


async def test_a_head_presses_no_key() -> None:
    """Link checkers send HEAD: 405."""
    async with site() as s:
        status, _ = await s.ask("HEAD", f"/v1/keys/warn?token={PHONE}")
        assert status == 405
        assert keys_pressed(s) == []


@pytest.mark.parametrize(
    "header", [{"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}, {"X-Purpose": "preview"}]
)
async def test_a_prefetch_presses_no_key(header: dict[str, str]) -> None:
    """A browser that fetches a link before anybody clicked it."""
    async with site() as s:
        status, body = await s.ask("GET", f"/v1/keys/suicide?token={PHONE}", headers=header)
        assert (status, body["type"]) == (403, "urn:bagvagt:problem:prefetch")
        assert keys_pressed(s) == []


async def test_a_key_that_cannot_be_decided_now_is_taken_and_says_so() -> None:
    """The store hangs: 503 after the deadline; the key counts when the store is back."""
    async with site() as s:
        s.service.journal.stall()
        status, body = await s.ask("POST", "/v1/keys/warn", SCREEN)
        assert (status, body["type"], body["taken"]) == (503, "urn:bagvagt:problem:not-decided", True)
        s.service.journal.open.set()
        await s.service.until(lambda: s.service.engine.state.guards[C1].state is CallState.WARNED)


async def test_a_client_that_hangs_up_has_pressed_all_the_same() -> None:
    """The phone closes the connection before the answer: the key is not taken back."""
    async with site() as s:
        s.service.journal.stall()
        asking = asyncio.create_task(s.ask("POST", "/v1/keys/warn", SCREEN))
        await s.service.until(lambda: s.service.journal.began == 2)
        asking.cancel()
        s.service.journal.open.set()
        await s.service.until(lambda: s.service.engine.state.guards[C1].state is CallState.WARNED)


# --- limits -------------------------------------------------------------------------------------------------------


async def test_a_token_is_limited_and_an_acute_key_is_not() -> None:
    """The bucket is empty: 429 with the time to wait for a warning, and at once 200 for the acute key."""
    async with site(per_minute=2) as s:
        assert [(await s.ask("POST", "/v1/keys/end", SCREEN))[0] for _ in range(3)] == [200, 200, 429]
        async with s.client.post("/v1/keys/end", headers=bearer(SCREEN)) as answer:
            assert 1 <= int(answer.headers["Retry-After"]) <= 30
        for _ in range(5):
            status, body = await s.ask("POST", "/v1/keys/suicide", SCREEN)
            assert (status, body["verdict"]) == (200, "accepted")
        s.now_s += 30
        assert (await s.ask("POST", "/v1/keys/end", SCREEN))[0] == 200


async def test_guessing_is_limited_and_a_right_token_for_an_acute_key_still_passes() -> None:
    """After many wrong tokens the address gets 429, also for a right token it never used, save for an acute key."""
    async with site() as s:
        assert await guess(s, GUESSES_AT_ONCE) == 401
        assert await guess(s, 1) == 429
        assert (await s.ask("POST", "/v1/keys/suicide", "guess"))[0] == 429
        assert (await s.ask("POST", "/v1/keys/warn", SCREEN))[0] == 429
        assert keys_pressed(s) == []
        status, body = await s.ask("POST", "/v1/keys/suicide", SCREEN)
        assert (status, body["reason"]) == (200, "acute")
        assert (await s.ask("GET", f"/v1/keys/suicide?token={PHONE}"))[0] == 200


async def test_who_guesses_does_not_lock_out_those_behind_the_same_address() -> None:
    """A token that was used from there before works on."""
    async with site() as s:
        assert (await s.ask("POST", "/v1/keys/end", SCREEN))[0] == 200
        assert await guess(s, GUESSES_AT_ONCE + 1) == 429
        assert (await s.ask("POST", "/v1/keys/end", SCREEN))[0] == 200


async def test_a_reload_takes_a_token_away_at_once() -> None:
    """A lost phone's token is gone with the reload; a fuller bucket is not made by it."""
    async with site(per_minute=1) as s:
        assert (await s.ask("POST", "/v1/keys/end", SCREEN))[0] == 200
        s.access.replace(TOKENS, (), 1)
        assert (await s.ask("POST", "/v1/keys/end", SCREEN))[0] == 429
        assert (await s.ask("GET", f"/v1/keys/end?token={PHONE}"))[0] == 403
        s.access.replace(Tokens([]), (), 1)
        assert (await s.ask("POST", "/v1/keys/suicide", SCREEN))[0] == 401


def test_limits_take_no_more_than_so_much_room() -> None:
    """Addresses and tokens without end: what is remembered is bounded."""
    access = Access(TOKENS, (), 60, lambda: 0.0)
    access.MOST_KNOWN = 10
    access._guesses.MOST_SOURCES = 10
    for number in range(100):
        access.wrong(f"10.0.0.{number}")
        access.right(Token("t", TokenKind.AGENT, digest("t")), f"10.1.0.{number}")
    assert len(access._known) == len(access._guesses._left) == 10


@pytest.mark.parametrize(
    ("address", "is_in"),
    [
        ("10.20.1.2", True),
        ("::ffff:10.20.1.2", True),
        ("10.21.0.1", False),
        ("fd00::1", True),
        ("", False),
        ("x", False),
    ],
)
def test_source_addresses(address: str, is_in: bool) -> None:  # noqa: FBT001 -- a row of the table
    """IPv4 behind an IPv6 socket is IPv4; what is no address is in no network."""
    assert (address in Access(TOKENS, ("10.20.0.0/16", "fd00::/8"), 60).action_urls) is is_in


# --- nothing of a token is kept -----------------------------------------------------------------------------------


async def test_no_token_is_ever_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """Right, wrong, limited, refused, broken: neither our log nor the library's holds a token."""
    caplog.set_level(0)
    wrong = "wr0ng-t0ken"
    with capture_logs() as logs:
        async with site(per_minute=1, networks=("127.0.0.0/8",)) as s:
            for path in (f"/v1/keys/end?token={PHONE}", f"/v1/keys/end?token={wrong}", f"/v1/x?token={PHONE}"):
                await s.ask("GET", path)
                await s.ask("GET", path)
            await s.ask("POST", "/v1/keys/end", SCREEN)
            await s.ask("POST", "/v1/keys/end", wrong)
            s.service.engine.press = broken(f"{PHONE} {SCREEN}")  # type: ignore[method-assign]  # a bug of ours
            assert (await s.ask("POST", "/v1/keys/suicide", SCREEN))[0] == 500
            reader, writer = await asyncio.open_connection("127.0.0.1", s.server.port)
            writer.write(f"GET /v1/keys/end?token={PHONE} and {wrong} HTTP/9.x\r\nA: b\r\n\r\n".encode())
            assert b"400" in await reader.readline()
            writer.close()
    said = [str(entry) for entry in logs] + [r.getMessage() + str(r.exc_info) for r in caplog.records]
    assert any("http_failed" in line for line in said)
    assert any("http_protocol_error" in line for line in said)
    both = "\n".join((*said, *capfd.readouterr()))
    assert not [secret for secret in (PHONE, SCREEN, wrong) if secret in both]


def broken(text: str) -> Any:
    async def press(*_args: object) -> None:
        raise ValueError(text)

    return press
