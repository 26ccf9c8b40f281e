"""Headers, forms that are sent from elsewhere, connections that others can read, and limits before an acute key."""

import re
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from adapters.accounts.model import Role
from adapters.http.access import TokenKind
from adapters.panel.identity import LOGIN, is_own
from adapters.panel.login import is_private
from adapters.panel.security import headers
from policies import events as ev
from policies.guards import CallState
from policies.model import CallId
from tests.adapters.accounts.house import PASSWORD
from tests.adapters.http.site import bearer
from tests.adapters.panel.guarded import Browser, Guarded, guarded
from tests.policies.story import ANNA

JSON = {"Accept": "application/json"}


# --- headers ------------------------------------------------------------------------------------------------------


async def test_every_answer_has_its_headers(tmp_path: Path) -> None:
    """Pages run our own scripts alone; data runs nothing; nothing is framed, sniffed, kept, or tells where it was."""
    async with guarded(tmp_path) as g:
        anna = await g.of(Role.CHIEF, name="anna")
        stranger = g.browser()
        for browser, path, is_page in (
            (stranger, "/panel/login", True),
            (anna, "/panel/password", True),
            (anna, "/v1/me", False),
            (stranger, "/v1/me", False),
            (stranger, "/panel/nothing", False),
            (stranger, "/panel/duty", False),
            (stranger, "/healthz", False),
        ):
            _, text, answer = await browser.get(path)
            found = answer.headers
            policy = dict(part.strip().partition(" ")[::2] for part in found["Content-Security-Policy"].split(";"))
            assert policy["default-src"] == "'none'"
            assert policy["frame-ancestors"] == "'none'"
            assert policy.get("script-src", "'none'") == ("'self'" if is_page else "'none'")
            assert "unsafe" not in str(policy)
            assert found["X-Content-Type-Options"] == "nosniff"
            assert found["Cache-Control"] == "no-store"
            assert found["Referrer-Policy"] == ("same-origin" if is_page else "no-referrer")
            assert found["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "Strict-Transport-Security" not in found  # no TLS here
            if is_page:
                assert policy["base-uri"] == "'none'"
                assert policy["form-action"] == "'self'"
                assert "microphone=()" in found["Permissions-Policy"]
                assert not re.search(r"<script(?![^>]*(src=|application/json))|\son\w+=|\sstyle=|javascript:", text)


def test_the_microphone_is_for_the_screen_that_records() -> None:
    """No other screen has it."""
    made = headers(make_mocked_request("GET", "/panel/admin/prompts"), "text/html")
    assert "microphone=(self)" in made["Permissions-Policy"]
    made = headers(make_mocked_request("GET", "/panel/admin"), "text/html")
    assert "microphone=()" in made["Permissions-Policy"]


async def test_what_was_typed_is_never_markup(tmp_path: Path) -> None:
    """A name or an address in the form comes back as text."""
    evil = '"><script>alert(1)</script>'
    async with guarded(tmp_path) as g:
        await g.house.account("anna", Role.ADMIN)
        browser = g.browser()
        _, text, _ = await browser.submit("/panel/login", {"name": evil, "password": "x"})
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text
        _, text, _ = await browser.get("/panel/setup", params={"token": evil})
        assert "<script>alert" not in text
        browser.plant(**{"__Host-bagvagt-form": "x&quot;<b>"})
        _, text, _ = await browser.get("/panel/login")
        assert "<b>" not in text


# --- forms and requests from elsewhere ----------------------------------------------------------------------------


async def test_nobody_is_logged_in_by_another_site(tmp_path: Path) -> None:
    """Its form has neither our cookie's secret nor our origin; with the one and not the other it is refused too."""
    async with guarded(tmp_path) as g:
        await g.house.account("mallory", Role.CHIEF)
        victim = g.browser()
        await victim.get("/panel/login")
        secret = victim.cookie("__Host-bagvagt-form")
        form = {"name": "mallory", "password": PASSWORD, "next": ""}
        evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        for fields, sent in (
            ({}, {}),
            ({"csrf": ""}, {}),
            ({"csrf": secret[:-1]}, {}),
            ({"csrf": secret}, evil),
            ({"csrf": secret}, {"Origin": "null"}),
            ({"csrf": secret}, {"Origin": "null", "Sec-Fetch-Site": "cross-site"}),
        ):
            status, text, _ = await victim.ask("POST", "/panel/login", data={**form, **fields}, headers=sent)
            assert (status, 'data-problem="form"' in text) == (403, True)
        assert victim.cookie() == ""
        bare = g.browser()
        status, _, _ = await bare.ask("POST", "/panel/login", data={**form, "csrf": ""})
        assert status == 403
        assert (await victim.ask("POST", "/panel/login", data={**form, "csrf": secret}))[0] == 303


async def test_a_one_time_link_is_not_used_by_another_site(tmp_path: Path) -> None:
    """Somebody who has a link cannot let another's browser use it."""
    async with guarded(tmp_path) as g:
        (line,) = g.printed
        secret = line.partition("token=")[2]
        form = {"token": secret, "first": "yes", "name": "mallory", "password": PASSWORD, "again": PASSWORD}
        status, text, _ = await g.browser().ask("POST", "/panel/setup", data=form)
        assert (status, 'data-problem="form"' in text) == (403, True)
        assert len(g.login.accounts) == 0


@pytest.mark.parametrize(
    ("sent", "own"),
    [
        ({"Origin": "http://panel.example:8480"}, True),
        ({"Origin": "https://bagvagt.example"}, True),
        ({"Origin": "https://panel.example:8480"}, False),
        ({"Origin": "http://panel.example"}, False),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, False),
        ({"Origin": ""}, False),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Referer": "http://panel.example:8480/panel/"}, False),
        ({}, False),
    ],
)
def test_what_counts_as_our_own_screen(sent: dict[str, str], *, own: bool) -> None:
    """The address that was asked, or the panel's own behind a proxy; a browser that says nothing is not believed."""
    request = make_mocked_request("POST", "/v1/keys/warn", headers={"Host": "panel.example:8480", **sent})
    assert is_own(request, "https://bagvagt.example") is own
    assert not is_own(make_mocked_request("POST", "/", headers={"Host": "x", "Origin": ""}), "")


async def test_a_session_is_no_use_in_a_form_of_the_api(tmp_path: Path) -> None:
    """The API takes the token in the header, never from a body that a form of another site could send."""
    async with guarded(tmp_path) as g:
        anna = await g.of(Role.AGENT, name="anna", agent=ANNA)
        secret = await anna.csrf()
        status, _, _ = await anna.ask("POST", "/v1/keys/warn", data={"csrf": secret})
        assert status == 403
        assert g.site.service.saw(ev.KeyPressed) == []
        status, _, _ = await anna.ask("POST", "/v1/keys/warn", headers={"X-CSRF-Token": secret})
        assert status == 200


# --- connections that others can read -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remote", "host", "url", "private"),
    [
        ("127.0.0.1", "127.0.0.1:8480", "", True),
        ("127.0.0.1", "localhost:8480", "", True),
        ("::1", "[::1]:8480", "", True),
        ("10.0.0.7", "127.0.0.1:8480", "", False),
        ("10.0.0.7", "panel.example", "", False),
        ("127.0.0.1", "panel.example", "", False),  # a proxy of which nobody has said whether it speaks TLS
        ("127.0.0.1", "rebound.evil.example:8480", "", False),
        ("127.0.0.1", "bagvagt.example", "https://bagvagt.example", True),
        ("10.0.0.7", "Bagvagt.example", "https://bagvagt.example", True),
        ("10.0.0.7", "bagvagt.example:8480", "https://bagvagt.example", False),  # past the proxy
        ("10.0.0.7", "10.0.0.2:8480", "https://bagvagt.example", False),
        ("127.0.0.1", "bagvagt.example", "http://127.0.0.1:8480", False),
    ],
)
def test_which_connections_nobody_reads_along(remote: str, host: str, url: str, *, private: bool) -> None:
    """The same machine under its own name; TLS; a proxy for which policy gives an https address."""
    app = web.Application()
    app[LOGIN] = type("Named", (), {"url": url})()  # its address is all that is asked for
    request = make_mocked_request("GET", "/panel/login", headers={"Host": host}, app=app).clone(remote=remote)
    assert is_private(request) is private


async def test_no_password_over_a_connection_that_others_can_read(tmp_path: Path) -> None:
    """There is no form, and it says why; a form that is sent all the same opens nothing."""
    async with guarded(tmp_path) as g:
        await g.house.account("anna", Role.CHIEF)
        browser = g.browser()
        elsewhere = {"Host": "panel.example"}
        status, text, _ = await browser.get("/panel/login", headers=elsewhere)
        assert (status, "<form" in text, "not encrypted" in text) == (403, False, True)
        await browser.get("/panel/login")
        form = {"name": "anna", "password": PASSWORD, "csrf": browser.cookie("__Host-bagvagt-form"), "next": ""}
        sent = {**elsewhere, "Origin": "http://panel.example"}
        cookie = {"Cookie": f"__Host-bagvagt-form={form['csrf']}"}
        status, _, answer = await g.browser().ask("POST", "/panel/login", data=form, headers={**sent, **cookie})
        assert status == 403
        assert "__Host-bagvagt=" not in str(answer.headers.getall("Set-Cookie", []))
        assert g.login.sessions.of() == []


# --- limits -------------------------------------------------------------------------------------------------------


async def press(browser: Browser, key: str, secret: str) -> int:
    return (await browser.ask("POST", f"/v1/keys/{key}", headers={"X-CSRF-Token": secret, **JSON}))[0]


async def jail(g: Guarded) -> None:
    """Guess tokens and passwords from this address until it is answered 429 whatever it sends."""
    stranger = g.browser()
    for number in range(30):
        await stranger.ask("POST", "/v1/keys/suicide", headers=bearer(f"wrong-{number}"))
        await stranger.log_in("anna", "wrong")
    assert (await stranger.ask("POST", "/v1/keys/suicide", headers=bearer("wrong")))[0] == 429
    assert (await stranger.log_in("anna", "wrong"))[0] == 429


async def test_no_limit_stands_before_an_acute_key(tmp_path: Path) -> None:
    """Presses are used up, the address has guessed too often: the session's acute key goes through all the same."""
    async with guarded(tmp_path, per_minute=2) as g:
        anna = await g.of(Role.AGENT, name="anna", agent=ANNA)
        secret = await anna.csrf()
        statuses = [await press(anna, "warn", secret) for _ in range(4)]
        assert statuses == [200, 200, 429, 429]
        await jail(g)
        assert await press(anna, "suicide", secret) == 200
        assert await press(anna, "warn", secret) == 429
        assert g.site.service.saw(ev.KeyPressed)[-1].key.kind == "suicide"
        assert g.site.service.saw(ev.KeyPressed)[-1].agent == ANNA


async def test_the_acute_key_of_a_token_made_in_the_panel_goes_through_too(tmp_path: Path) -> None:
    """From an address that has used up its guesses, and never was seen with this token before."""
    async with guarded(tmp_path) as g:
        issue = g.login.phone_tokens.issue
        secret, token = await issue("x", "", TokenKind.AGENT, ANNA, "screen")
        url, _ = await issue("x", "", TokenKind.ACTION_URL, ANNA, "phone")
        await jail(g)
        stranger = g.browser()
        assert (await stranger.ask("POST", "/v1/keys/warn", headers=bearer(secret)))[0] == 429
        assert (await stranger.ask("POST", "/v1/keys/suicide", headers=bearer(secret)))[0] == 200
        assert (await stranger.get(f"/v1/keys/suicide?token={url}"))[0] == 200
        await g.login.phone_tokens.revoke("x", "", token.sha256)
        assert (await stranger.ask("POST", "/v1/keys/suicide", headers=bearer(secret)))[0] == 429


async def test_an_agent_without_calls_of_their_own_presses_nothing(tmp_path: Path) -> None:
    """The role is there, the agent's id is not: no key of anybody's."""
    async with guarded(tmp_path) as g:
        anna = await g.of(Role.AGENT, name="anna")
        secret = await anna.csrf()
        assert await press(anna, "suicide", secret) == 403
        assert g.site.service.saw(ev.KeyPressed) == []


async def test_what_a_chief_does_is_said_to_be_that_persons(tmp_path: Path) -> None:
    """Two accounts of one person are one person: they do not open a latch alone."""
    async with guarded(tmp_path) as g:
        anna = await g.of(Role.AGENT, name="anna", agent=ANNA)
        await press(anna, "suicide", await anna.csrf())
        for name in ("bo-day", "bo-night"):
            bo = await g.of(Role.CHIEF, name=name, person="bo")
            headers = {"X-CSRF-Token": await bo.csrf(), **JSON}
            status, text, _ = await bo.ask("POST", "/v1/calls/c1/open-latch", headers=headers)
            assert (status, '"agreed_by":"bo"' in text.replace(" ", "")) == (202, True)
        service = g.site.service
        await service.until(lambda: len(service.saw(ev.LatchAgreed)) == 2)
        assert service.engine.state.guards[CallId("c1")].state is CallState.ACUTE


# --- over TLS -----------------------------------------------------------------------------------------------------


def test_tls_tells_browsers_to_stay_with_it() -> None:
    """A year of it."""
    request = make_mocked_request("GET", "/panel/login").clone(scheme="https")
    assert headers(request, "text/html")["Strict-Transport-Security"] == "max-age=31536000"
