"""Logging in with a browser: the form, the cookie, the session, the first start."""

import re
from pathlib import Path

import pytest

from adapters.accounts.attempts import ACCOUNT_AT_ONCE
from adapters.accounts.model import Role
from adapters.panel.login import local
from tests.adapters.accounts.house import HOUR_S, PASSWORD
from tests.adapters.panel.guarded import guarded

SCRIPT = {"Accept": "application/json"}


async def test_logging_in_and_out(tmp_path: Path) -> None:
    """The form leads to the screen of the role; after logging out the cookie opens nothing, also if it was copied."""
    async with guarded(tmp_path) as g:
        await g.house.account("anna", Role.CHIEF)
        browser = g.browser()
        status, _, answer = await browser.get("/panel/password?a=b")
        assert (status, answer.headers["Location"]) == (303, "/panel/login?next=%2Fpanel%2Fpassword%3Fa%3Db")
        status, _, to = await browser.log_in("Anna", then="/panel/password?a=b")
        assert (status, to) == (303, "/panel/password?a=b")
        _, _, answer = await browser.get("/panel/")
        assert answer.headers["Location"] == "/panel/duty"
        copied = {"Cookie": f"__Host-bagvagt={browser.cookie()}"}
        assert (await g.browser().get("/v1/me", headers=copied))[0] == 200
        status, _, answer = await browser.ask("POST", "/panel/logout", data={"csrf": await browser.csrf()})
        assert (status, answer.headers["Location"]) == (303, "/panel/login?bye")
        assert browser.cookie() == ""
        assert (await g.browser().get("/v1/me", headers=copied))[0] == 401
        assert g.house.told[-2:] == [
            ("anna", "login: password", "anna", "127.0.0.1"),
            ("anna", "logout", "anna", "127.0.0.1"),
        ]


async def test_the_cookie_is_for_this_host_alone(tmp_path: Path) -> None:
    """`__Host-`: Secure, whole path, no domain; HttpOnly, and Lax since single sign-on comes from another site."""
    async with guarded(tmp_path) as g:
        await g.house.account("anna", Role.CHIEF)
        browser = g.browser()
        _, text, _ = await browser.get("/panel/login")
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text))
        form = {**fields, "name": "anna", "password": PASSWORD}
        _, _, answer = await browser.ask("POST", "/panel/login", data=form)
        cookies = {c.split("=")[0]: c for c in answer.headers.getall("Set-Cookie")}
        for name, site in (("__Host-bagvagt", "Lax"), ("__Host-bagvagt-known", "Strict")):
            attributes = {part.strip() for part in cookies[name].split(";")[1:]}
            assert {"Path=/", "Secure", "HttpOnly", f"SameSite={site}"} <= attributes
            assert not any(a.startswith("Domain") for a in attributes)
        assert "Max-Age" not in cookies["__Host-bagvagt"]
        assert len(browser.cookie()) >= 43


async def test_a_login_begins_a_new_session_and_ends_the_one_before(tmp_path: Path) -> None:
    """A token that somebody planted or saw before is worth nothing after it."""
    async with guarded(tmp_path) as g:
        await g.house.account("anna", Role.CHIEF)
        browser = g.browser()
        browser.plant(**{"__Host-bagvagt": "planted"})
        await browser.log_in("anna")
        first = browser.cookie()
        assert first != "planted"
        _, text, _ = await g.browser().get("/panel/login")
        form = browser.cookie("__Host-bagvagt-form")
        assert form == ""  # of no use once there is a session
        assert g.login.sessions.find(first) is not None
        browser.plant(**{"__Host-bagvagt-form": "known"})
        again = {"name": "anna", "password": PASSWORD, "csrf": "known", "next": ""}
        status, _, _ = await browser.ask("POST", "/panel/login", data=again)
        assert status == 303
        assert browser.cookie() != first
        assert g.login.sessions.find(first) is None
        assert "name" in text


@pytest.mark.parametrize(
    ("name", "password"), [("anna", "quite another"), ("nobody", PASSWORD), ("gone", PASSWORD), ("", "")]
)
async def test_a_wrong_login_says_the_same_whatever_is_wrong(name: str, password: str, tmp_path: Path) -> None:
    """No session, and no word of whether there is such an account; the password is not sent back."""
    async with guarded(tmp_path) as g:
        await g.house.account("anna", Role.ADMIN)
        await g.house.account("gone", Role.CHIEF)
        await g.login.accounts.change("x", "", "gone", disabled=True)
        browser = g.browser()
        status, text, _ = await browser.log_in(name, password)
        assert status == 403
        assert re.findall(r'data-problem="([^"]*)"', text) == ["wrong"]
        assert browser.cookie() == ""
        assert not password or password not in text


async def test_too_many_wrong_logins_wait_and_the_owner_does_not(tmp_path: Path) -> None:
    """429 with the seconds; the browser that has logged in before still does, from the same address."""
    async with guarded(tmp_path) as g:
        owner = await g.of(Role.CHIEF, name="anna")
        stranger = g.browser()
        for _ in range(ACCOUNT_AT_ONCE):
            assert (await stranger.log_in("anna", "wrong"))[0] == 403
        _, text, _ = await stranger.get("/panel/login")
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text))
        form = {**fields, "name": "anna", "password": PASSWORD}
        status, text, answer = await stranger.ask("POST", "/panel/login", data=form)
        assert status == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 11
        assert 'data-problem="wait"' in text
        await owner.ask("POST", "/panel/logout", data={"csrf": await owner.csrf()})
        assert (await owner.log_in("anna"))[0] == 303


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/panel/duty", "/panel/duty"),
        ("/panel/admin/prompts?language=da&x=%20", "/panel/admin/prompts?language=da&x=%20"),
        ("https://evil.example/panel/", "/panel/"),
        ("//evil.example/panel/", "/panel/"),
        ("/panel//evil.example", "/panel/"),
        ("/\\evil.example", "/panel/"),
        ("/panel/\\evil.example", "/panel/"),
        ("/panel/duty\r\nSet-Cookie: a=b", "/panel/"),
        ("/panel/duty\n", "/panel/"),
        ("/panel/@evil.example", "/panel/"),
        ("javascript:alert(1)", "/panel/"),
        ("/v1/me", "/panel/"),
        ("/panel/login?next=/panel/login", "/panel/"),
        ("", "/panel/"),
    ],
)
def test_a_login_leads_to_our_own_screens_alone(path: str, to: str) -> None:
    """Whatever somebody has put into the link to the login."""
    assert local(path) == to


def test_a_long_path_is_looked_at_in_no_time() -> None:
    """No pattern of ours takes longer than the path is long."""
    assert local("/panel/" + "a" * 50_000 + "!") == "/panel/"


async def test_screens_and_scripts_are_told_differently_that_nobody_is_logged_in(tmp_path: Path) -> None:
    """A page leads to the login; a stream, a script, htmx and the API get 401, and no cookie opens anything."""
    async with guarded(tmp_path) as g:
        browser = g.browser()
        assert (await browser.get("/panel/password"))[0] == 303
        for headers in ({"Accept": "text/event-stream"}, SCRIPT, {"HX-Request": "true"}):
            status, text, _ = await browser.get("/panel/password", headers=headers)
            assert (status, "not-logged-in" in text) == (401, True)
        assert (await browser.get("/v1/me"))[0] == 401
        browser.plant(**{"__Host-bagvagt": "stale"})
        status, text, _ = await browser.get("/v1/me")
        assert (status, "not-logged-in" in text) == (401, True)


async def test_a_session_that_is_over_is_nobody(tmp_path: Path) -> None:
    """Idle too long, or the account is disabled: the next request is a stranger's."""
    async with guarded(tmp_path) as g:
        idle = await g.of(Role.CHIEF, name="anna")
        await g.house.account("admin", Role.ADMIN)
        assert (await idle.get("/v1/me"))[0] == 200
        g.house.forward(2 * HOUR_S)
        assert (await idle.get("/v1/me"))[0] == 401
        out = await g.of(Role.CHIEF, name="anna")
        await g.login.accounts.change("admin", "", "anna", disabled=True)
        assert (await out.get("/v1/me"))[0] == 401


async def test_another_password_ends_every_session_but_the_new_one(tmp_path: Path) -> None:
    """The one until now is asked for; a copied cookie is out; the browser that did it is in, with a new one."""
    async with guarded(tmp_path) as g:
        browser = await g.of(Role.ADMIN, name="anna")
        other = await g.of(Role.ADMIN, name="anna")
        new = "a quite different one"
        at = "/panel/password"
        wrong = {"current": "wrong", "password": new, "again": new}
        assert (await browser.submit(at, wrong))[0] == 403
        differ = {"current": PASSWORD, "password": new, "again": new + "x"}
        assert (await browser.submit(at, differ))[0] == 422
        short = {"current": PASSWORD, "password": "short", "again": "short"}
        status, text, _ = await browser.submit(at, short)
        assert (status, 'data-problem="password-short"' in text) == (422, True)
        before = browser.cookie()
        right = {"current": PASSWORD, "password": new, "again": new}
        assert (await browser.submit(at, right))[0] == 303
        assert browser.cookie() != before
        assert (await browser.get("/v1/me"))[0] == 200
        assert (await other.get("/v1/me"))[0] == 401
        assert (await g.browser().log_in("anna"))[0] == 403
        assert (await g.browser().log_in("anna", new))[0] == 303


async def test_the_first_start_prints_a_link_that_makes_the_first_admin(tmp_path: Path) -> None:
    """Printed once; the form sets name and password and logs in; the link is void then, and none is printed again."""
    async with guarded(tmp_path) as g:
        (line,) = g.printed
        path = line[line.index("/panel/setup") :]
        browser = g.browser()
        form = {"name": "Anna", "password": PASSWORD, "again": PASSWORD}
        assert (await browser.submit("/panel/setup", {**form, "again": "other"}, at=path))[0] == 422
        status, _, to = await browser.submit("/panel/setup", form, at=path)
        assert (status, to) == (303, "/panel/")
        status, text, _ = await browser.get("/v1/me", headers=SCRIPT)
        assert (status, '"admin"' in text) == (200, True)
        status, text, _ = await g.browser().get(path)
        assert (status, 'data-problem="link-void"' in text) == (404, True)
        assert (await g.browser().submit("/panel/setup", form, at=path))[0] in (403, 422)
    async with guarded(tmp_path) as g:
        assert g.printed == []


async def test_an_invited_agent_sets_a_password(tmp_path: Path) -> None:
    """The admin makes account and link; the agent's name stands there; the link works once."""
    async with guarded(tmp_path) as g:
        admin = await g.of(Role.ADMIN, name="admin")
        headers = {"X-CSRF-Token": await admin.csrf(), **SCRIPT}
        wanted = {"name": "Ida", "roles": ["agent"], "agent": "agent7"}
        status, _, _ = await admin.ask("POST", "/v1/accounts", json=wanted, headers=headers)
        assert status == 201
        status, text, _ = await admin.ask("POST", "/v1/accounts/ida/invitation", headers=headers)
        assert status == 201
        found = re.search(r"/panel/setup\?token=[\w-]+", text)
        assert found
        agent = g.browser()
        _, page, _ = await agent.get(found[0])
        assert 'value="ida"' in page
        assert "readonly" in page
        form = {"password": PASSWORD, "again": PASSWORD}
        assert (await agent.submit("/panel/setup", form, at=found[0]))[0] == 303
        _, _, answer = await agent.get("/panel/")
        assert answer.headers["Location"] == "/panel/agent"
        assert (await g.browser().log_in("ida"))[0] == 303
