"""Single sign-on through a real provider on loopback: the way in, whose account it is, and a provider that is away."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.accounts.model import Role
from tests.adapters.accounts.house import PASSWORD
from tests.adapters.panel.guarded import guarded
from tests.adapters.panel.provider import CLIENT, Claims
from tests.adapters.panel.signing_on import NAME, come_back, go_out, sign_on, signed_on


async def test_the_way_in(tmp_path: Path) -> None:
    """Out with PKCE, state and nonce; back with a code; the account is as the provider says; the session is ours."""
    async with signed_on(tmp_path) as (g, p):
        browser = g.browser()
        _, text, _ = await browser.get("/panel/login?next=%2Fpanel%2Fduty")
        assert 'href="/panel/sso?next=/panel/duty"' in text
        back, _ = p.code(await go_out(browser, "/panel/duty"))
        assert back.startswith(f"{g.base}/panel/sso/back?")
        assert await come_back(browser, back) == (303, "/panel/duty")
        account = g.login.accounts.get(NAME)
        assert account.shown == "Anna Hansen"
        assert account.roles == {Role.BACKUP, Role.CHIEF}
        assert (account.issuer, account.subject, account.agent) == (p.issuer, "s-anna", NAME)
        assert (await browser.get("/v1/me"))[0] == 200
        assert browser.cookie("__Host-bagvagt-sso") == ""
        assert [(by, what) for by, what, _, _ in g.house.told] == [
            ("single-sign-on", "account_added"),
            (NAME, "login: sso"),
        ]
        assert (await g.browser().log_in(NAME, PASSWORD))[0] == 403


async def test_the_second_time_it_is_the_same_account(tmp_path: Path) -> None:
    """By issuer and subject, whatever the name is now; nothing is written when nothing has changed."""
    async with signed_on(tmp_path) as (g, p):
        await sign_on(g, p)
        p.claims["preferred_username"] = "somebody.else@kommune.example"
        status, to, _ = await sign_on(g, p)
        assert (status, to) == (303, "/panel/")
        assert [a.name for a in g.login.accounts.all()] == [NAME]
        assert g.house.said() == ["account_added", "login: sso", "login: sso"]


@pytest.mark.parametrize(
    ("path", "claims"),
    [
        ("roles", {"roles": ["it", "telefoni", "unknown", 7]}),
        ("groups", {"groups": ["it", "telefoni"]}),
        ("realm_access.roles", {"realm_access": {"roles": ["telefoni", "it"]}}),
        ("https://x.example/groups", {"https://x.example/groups": ["it", "telefoni"]}),
    ],
)
async def test_roles_come_from_the_claim_that_policy_names(path: str, claims: Claims, tmp_path: Path) -> None:
    """Each group's roles together; a group that policy does not name gives none."""
    async with signed_on(tmp_path, roles_claim=path, agent_claim="ext") as (g, p):
        p.claims = {"sub": "s", "preferred_username": "bo", "ext": "agent9", **claims}
        await sign_on(g, p)
        account = g.login.accounts.get("bo")
        assert account.roles == {Role.ADMIN, Role.AGENT}
        assert account.agent == "agent9"


async def test_roles_follow_the_provider_and_end_what_stood_on_them(tmp_path: Path) -> None:
    """Other groups: other roles, and sessions of before are over. No group: nobody gets in, and who is in is out."""
    async with signed_on(tmp_path) as (g, p):
        _, _, before = await sign_on(g, p)
        p.claims["roles"] = ["telefoni"]
        _, _, after = await sign_on(g, p)
        assert g.login.accounts.get(NAME).roles == {Role.AGENT}
        assert (await before.get("/v1/me"))[0] == 401
        assert (await after.get("/v1/me"))[0] == 200
        for none in ([], ["unknown"], "x", None, {"vagt": 1}):
            p.claims["roles"] = none
            status, said, _ = await sign_on(g, p)
            assert (status, said) == (403, "no-role")
            assert (await after.get("/v1/me"))[0] == 401


async def test_an_account_of_the_same_name_is_not_taken_over(tmp_path: Path) -> None:
    """A name is what somebody calls themselves there. An admin links the two; then the password goes on working."""
    async with signed_on(tmp_path) as (g, p):
        await g.house.account("admin", Role.ADMIN)
        await g.house.account(NAME, Role.CHIEF)
        status, said, _ = await sign_on(g, p)
        assert (status, said) == (403, "name-taken")
        admin = await g.of(Role.ADMIN, name="admin")
        headers = {"X-CSRF-Token": await admin.csrf()}
        change = {"subject": "s-anna"}
        assert (await admin.ask("PATCH", f"/v1/accounts/{NAME}", json=change, headers=headers))[0] == 200
        assert (await sign_on(g, p))[0] == 303
        assert (await g.browser().log_in(NAME))[0] == 303


async def test_a_disabled_account_stays_out(tmp_path: Path) -> None:
    """Disabled here is stronger than anything that the provider says."""
    async with signed_on(tmp_path) as (g, p):
        await g.house.account("admin", Role.ADMIN)
        await sign_on(g, p)
        await g.login.accounts.change("admin", "", NAME, disabled=True)
        status, said, _ = await sign_on(g, p)
        assert (status, said) == (403, "disabled")


# --- a provider that is away, or is another one -------------------------------------------------------------------


async def test_when_the_provider_is_away_passwords_still_work_and_it_says_so(tmp_path: Path) -> None:
    """At the button, and on the way back; the page has the form."""
    async with signed_on(tmp_path) as (g, p):
        await g.house.account("local", Role.CHIEF)
        p.is_down = True
        browser = g.browser()
        status, text, _ = await browser.get("/panel/sso")
        assert (status, 'data-problem="unreachable"' in text, 'name="password"' in text) == (503, True, True)
        assert (await browser.log_in("local"))[0] == 303
        p.is_down = False
        back, _ = p.code(await go_out(browser))
        p.is_down = True
        assert await come_back(browser, back) == (503, "unreachable")
        p.is_down = False
        assert (await sign_on(g, p))[0] == 303


@pytest.mark.parametrize(
    "told",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "http://idp.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
        {"token_endpoint": "ftp://127.0.0.1/token"},
    ],
)
async def test_a_discovery_that_names_others_is_refused(told: Claims, tmp_path: Path) -> None:
    """Another issuer, or an address that somebody on the way could read: nobody is sent anywhere."""
    async with signed_on(tmp_path) as (g, p):
        p.metadata = told
        assert (await g.browser().get("/panel/sso"))[0] == 503


async def test_a_wrong_client_secret_logs_nobody_in(tmp_path: Path) -> None:
    """The provider refuses the code; what it says is in the log, not on the page."""
    async with signed_on(tmp_path, client_secret="wrong") as (g, p):
        status, said, _ = await sign_on(g, p)
        assert (status, said) == (503, "unreachable")


async def test_logging_out_goes_on_to_the_provider_by_a_link(tmp_path: Path) -> None:
    """Our session ends by our own form; the link leads to the provider's end, and back."""
    async with signed_on(tmp_path) as (g, p):
        _, _, browser = await sign_on(g, p)
        await browser.ask("POST", "/panel/logout", data={"csrf": await browser.csrf()})
        _, text, _ = await browser.get("/panel/login?bye")
        assert 'href="/panel/sso/out"' in text
        _, _, answer = await browser.get("/panel/sso/out")
        to = urlsplit(answer.headers["Location"])
        assert f"{to.scheme}://{to.netloc}{to.path}" == f"{p.issuer}/bye"
        query = parse_qs(to.query)
        assert (query["client_id"], query["post_logout_redirect_uri"]) == ([CLIENT], [f"{g.base}/panel/login?bye"])


async def test_without_single_sign_on_there_is_no_button(tmp_path: Path) -> None:
    """And its addresses lead nowhere."""
    async with guarded(tmp_path) as g:
        browser = g.browser()
        assert "/panel/sso" not in (await browser.get("/panel/login"))[1]
        assert (await browser.get("/panel/sso"))[0] == 404
        assert (await browser.get("/panel/sso/back?code=x&state=y"))[0] == 404
        assert (await browser.get("/panel/sso/out"))[0] == 303
