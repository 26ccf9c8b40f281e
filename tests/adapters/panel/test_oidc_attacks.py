"""Every lie that single sign-on must notice: tokens that are not right, codes and states of others."""

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from joserfc.jwk import ECKey, OctKey, RSAKey

from tests.adapters.panel.provider import CLIENT, Claims, rsa_key, signed_with_the_public_key, unsigned
from tests.adapters.panel.signing_on import come_back, go_out, sign_on, signed_on

# --- tokens that lie ----------------------------------------------------------------------------------------------

_NOW = time.time
Change = Callable[[Claims], Claims]
LIES: dict[str, Change] = {
    "expired": lambda c: {**c, "exp": int(_NOW()) - 120, "iat": int(_NOW()) - 400},
    "without an end": lambda c: {k: v for k, v in c.items() if k != "exp"},
    "an end that is no number": lambda c: {**c, "exp": "9999999999"},
    "from the future": lambda c: {**c, "iat": int(_NOW()) + 3600},
    "without iat": lambda c: {k: v for k, v in c.items() if k != "iat"},
    "not yet valid": lambda c: {**c, "nbf": int(_NOW()) + 3600},
    "for another client": lambda c: {**c, "aud": "other"},
    "for nobody": lambda c: {k: v for k, v in c.items() if k != "aud"},
    "for several, without saying which asked": lambda c: {**c, "aud": [CLIENT, "other"]},
    "for several, asked by the other": lambda c: {**c, "aud": [CLIENT, "other"], "azp": "other"},
    "asked by another": lambda c: {**c, "azp": "other"},
    "of another issuer": lambda c: {**c, "iss": "https://evil.example"},
    "of no issuer": lambda c: {k: v for k, v in c.items() if k != "iss"},
    "with another nonce": lambda c: {**c, "nonce": "x" * 43},
    "without a nonce": lambda c: {k: v for k, v in c.items() if k != "nonce"},
    "with a list of nonces": lambda c: {**c, "nonce": [c["nonce"]]},
    "about nobody": lambda c: {k: v for k, v in c.items() if k != "sub"},
    "about an empty subject": lambda c: {**c, "sub": ""},
    "about a list": lambda c: {**c, "sub": ["s-anna"]},
}


async def test_a_token_that_is_not_right_in_every_claim_logs_nobody_in(tmp_path: Path) -> None:
    """It is signed by the provider's own key, and still refused."""
    async with signed_on(tmp_path) as (g, p):
        answers = {}
        for lie, p.change in LIES.items():
            status, said, browser = await sign_on(g, p)
            answers[lie] = (status, said, browser.cookie())
        assert answers == dict.fromkeys(LIES, (403, "sso", ""))
        assert g.login.accounts.all() == []
        assert g.house.said() == ["login_failed: sso, token"] * len(LIES)


RIGHT: tuple[Change, ...] = (
    lambda c: {**c, "exp": int(_NOW()) - 30},
    lambda c: {**c, "iat": int(_NOW()) + 30},
    lambda c: {**c, "aud": [CLIENT, "other"], "azp": CLIENT},
    lambda c: {**c, "aud": [CLIENT]},
)


async def test_clocks_that_differ_by_less_than_a_minute_are_let_pass(tmp_path: Path) -> None:
    """And an audience in each form that the standard allows."""
    async with signed_on(tmp_path) as (g, p):
        for p.change in RIGHT:
            assert (await sign_on(g, p))[0] == 303


async def test_a_token_that_is_not_signed_by_the_provider_logs_nobody_in(tmp_path: Path) -> None:
    """Not signed at all, by the public key as a secret, by a key of one's own, under a key that is not there."""
    async with signed_on(tmp_path) as (g, p):
        own = p.sign
        key = p.key
        for sign in (unsigned, signed_with_the_public_key(p)):
            p.sign = sign
            assert (await sign_on(g, p))[:2] == (403, "sso")
        p.sign = own
        p.key = rsa_key("k1", 1)
        assert (await sign_on(g, p))[:2] == (403, "sso")
        p.key, p.header = key, {"alg": "RS256", "kid": "k9"}
        assert (await sign_on(g, p))[:2] == (403, "sso")
        p.header = {"alg": "RS256", "kid": "k1", "jwk": rsa_key("k1", 1).as_dict(private=False)}
        assert (await sign_on(g, p))[0] in (
            303,
            403,
        )  # signed by the right key; the one it brings along is not looked at
        p.change = lambda claims: {**claims, "roles": ["it"]}
        good = p.sign
        p.sign = lambda header, claims: good(header, claims)[:-8] + "AAAAAAAA"
        assert (await sign_on(g, p))[:2] == (403, "sso")
        assert g.login.accounts.all() == []


async def test_a_shared_secret_among_the_keys_is_no_key(tmp_path: Path) -> None:
    """Whatever the provider shows: keys of the symmetric kind, and keys for encryption, sign nothing."""
    async with signed_on(tmp_path) as (g, p):
        p.keys = [RSAKey.import_key(p.key.as_dict(private=False), {"kid": "k1", "use": "enc"})]
        assert (await sign_on(g, p))[:2] == (403, "sso")

        class Shown:
            def as_dict(self, *, private: bool) -> Claims:
                del private
                return OctKey.generate_key(256, {"kid": "k1"}).as_dict(private=True)

        p.keys = [Shown(), p.key]
        assert (await sign_on(g, p))[0] == 303


async def test_a_new_key_is_asked_for_and_a_known_one_is_not(tmp_path: Path) -> None:
    """The provider turns its keys over: no login fails; between that the keys are asked for once. Also with ES256."""
    async with signed_on(tmp_path) as (g, p):
        for _ in range(3):
            assert (await sign_on(g, p))[0] == 303
        assert p.asked.count("/jwks") == 1
        assert p.asked.count("/.well-known/openid-configuration") == 1
        p.key = ECKey.generate_key("P-256", {"kid": "k2"})
        p.keys, p.header = [p.key], {"alg": "ES256", "kid": "k2"}
        assert (await sign_on(g, p))[0] == 303
        assert p.asked.count("/jwks") == 2


# --- codes and states of others -----------------------------------------------------------------------------------


async def test_a_state_is_for_one_use(tmp_path: Path) -> None:
    """The address with which a browser came back opens nothing a second time, nor does one that was never given out."""
    async with signed_on(tmp_path) as (g, p):
        browser = g.browser()
        out = await go_out(browser)
        back, _ = p.code(out)
        cookie = browser.cookie("__Host-bagvagt-sso")
        assert (await come_back(browser, back))[0] == 303
        again, _ = p.code(out)
        browser.plant(**{"__Host-bagvagt-sso": cookie})
        assert await come_back(browser, again) == (403, "sso")
        made_up = again.replace("state=", "state=x")
        assert await come_back(browser, made_up) == (403, "sso")
        assert await come_back(browser, f"{g.base}/panel/sso/back") == (403, "sso")


async def test_a_login_is_finished_in_the_browser_that_began_it(tmp_path: Path) -> None:
    """A victim who is sent an attacker's way back is not logged in as the attacker."""
    async with signed_on(tmp_path) as (g, p):
        attacker, victim = g.browser(), g.browser()
        back, _ = p.code(await go_out(attacker))
        await go_out(victim)
        assert await come_back(victim, back) == (403, "sso")
        assert victim.cookie() == ""
        bare, _ = p.code(await go_out(attacker))
        assert await come_back(g.browser(), bare) == (403, "sso")


async def test_a_stolen_code_is_of_no_use_in_another_login(tmp_path: Path) -> None:
    """Put into an attacker's own way back it fails by PKCE; at a provider that does not look, by the nonce."""
    async with signed_on(tmp_path) as (g, p):
        for p.is_strict, answer in ((True, (503, "unreachable")), (False, (403, "sso"))):
            victim, attacker = g.browser(), g.browser()
            _, stolen = p.code(await go_out(victim))
            own, code = p.code(await go_out(attacker))
            assert await come_back(attacker, own.replace(code, stolen)) == answer
            assert attacker.cookie() == ""
        assert g.login.accounts.all() == []


async def test_a_login_that_took_too_long_is_begun_anew(tmp_path: Path) -> None:
    """Ten minutes."""
    async with signed_on(tmp_path) as (g, p):
        browser = g.browser()
        back, _ = p.code(await go_out(browser))
        g.house.forward(601)
        assert await come_back(browser, back) == (403, "sso")


async def test_an_answer_of_another_provider_is_not_believed(tmp_path: Path) -> None:
    """RFC 9207: who answers names itself; and a login that was cancelled there is said to be."""
    async with signed_on(tmp_path) as (g, p):
        browser = g.browser()
        back, _ = p.code(await go_out(browser))
        assert await come_back(browser, f"{back}&iss=https%3A%2F%2Fevil.example") == (403, "sso")
        state = parse_qs(urlsplit(await go_out(browser)).query)["state"][0]
        denied = f"{g.base}/panel/sso/back?error=access_denied&state={state}"
        assert await come_back(browser, denied) == (403, "refused")
