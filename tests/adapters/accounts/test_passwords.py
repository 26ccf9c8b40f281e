"""Passwords: what may be one, how it is verified, and how often it may be guessed."""

import asyncio
import unicodedata
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from adapters.accounts import passwords
from adapters.accounts.attempts import ACCOUNT_AT_ONCE, ADDRESS_AT_ONCE, Attempts, network
from adapters.accounts.errors import AccessRefusedError
from adapters.accounts.login import TooManyError
from adapters.accounts.model import Role
from adapters.accounts.passwords import Passwords
from tests.adapters.accounts.house import CHEAP, PASSWORD, House, house

HOME, ELSEWHERE = "10.0.0.7", "192.0.2.66"


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("elevensigns", "password-short"),
        ("x" * 201, "password-long"),
        ("anna.hansen2026", "password-name"),
        ("ANNA.HANSEN!!!!", "password-name"),
        ("abababababab", "password-simple"),
    ],
)
def test_what_may_not_be_a_password(password: str, code: str) -> None:
    """Too short, too long, the name with something added, a few signs over and over."""
    with pytest.raises(AccessRefusedError) as caught:
        passwords.refuse(password, "anna.hansen")
    assert caught.value.code == code
    assert password not in str(caught.value)


def test_what_may_be_one() -> None:
    """Twelve characters are enough, whatever they are; no rule asks for signs."""
    for password in ("twelve signs", "æbler og pærer", "anna hansen likes tea"):
        passwords.refuse(password, "anna.hansen")


async def test_only_the_password_itself_is_right() -> None:
    """Also typed on a keyboard that makes two signs of an å; a longer one, another one and none are wrong."""
    made = Passwords(CHEAP)
    kept = await made.hash("blåbærgrød i maj")
    assert kept.startswith("$argon2id$")
    assert await made.verify(kept, unicodedata.normalize("NFD", "blåbærgrød i maj"))
    for wrong in ("blåbærgrød i ma", "blåbærgrød i maj ", "", "x" * 100_000):
        assert not await made.verify(kept, wrong)
    assert not await made.verify("", "")
    assert not await made.verify("not a hash", "blåbærgrød i maj")


async def test_the_costs_are_those_that_the_standard_asks_for() -> None:
    """RFC 9106's second choice, in memory and time; verifying nobody's takes the same costs."""
    made = Passwords()
    assert "$argon2id$v=19$m=65536,t=3,p=1$" in await made.hash(PASSWORD)
    assert not await made.verify("", PASSWORD)
    assert "$m=65536,t=3,p=1$" in made._nobodys


async def test_an_unknown_name_costs_as_much_as_a_known_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer verifies exactly one hash of the same costs: known or not, disabled, or without a password."""
    async with house(tmp_path) as h:
        await h.account("anna", Role.ADMIN)
        await h.account("sso", Role.AGENT, password="")
        await h.account("gone", Role.AGENT)
        await h.login.accounts.change("test", "", "gone", disabled=True)
        verified: list[str] = []
        real = h.login.passwords._verify

        def verify(kept: str, given: str) -> bool:
            verified.append(kept.rsplit("$", 2)[0])
            return real(kept, given)

        monkeypatch.setattr(h.login.passwords, "_verify", verify)
        for name in ("anna", "nobody", "sso", "gone", ""):
            wrong = PASSWORD if name == "gone" else "wrong"
            assert await h.login.with_password(name, wrong, HOME, "") is None
        assert len(verified) == 5
        assert len(set(verified)) == 1


async def test_a_login_is_told_to_the_audit_trail_without_what_was_typed(tmp_path: Path) -> None:
    """A wrong name may be a password typed into the wrong field: it is not written down."""
    async with house(tmp_path) as h:
        await h.account("anna", Role.ADMIN)
        h.told.clear()
        assert await h.login.with_password(" Anna ", PASSWORD, HOME, "") is not None
        assert await h.login.with_password("anna", "wrong", HOME, "") is None
        assert await h.login.with_password("my-secret-password", PASSWORD, HOME, "") is None
        assert h.told == [("", "login_failed", "anna", HOME), ("", "login_failed", "", HOME)]


async def test_a_hash_with_other_costs_is_made_anew_at_the_next_login(tmp_path: Path) -> None:
    """The password stays, the hash is today's, no session ends, and it stands in the store."""
    async with house(tmp_path) as h:
        old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
        await h.account("anna", Role.ADMIN)
        await h.login.accounts.change("test", "", "anna", password_hash=old)
        token, _ = h.login.sessions.start("anna", "password", HOME, "")
        found = await h.login.with_password("anna", PASSWORD, HOME, "")
        assert found is not None
        assert "m=8,t=1" in found.password_hash
        assert h.login.sessions.find(token) is not None
    async with house(tmp_path) as h:
        assert h.login.accounts.get("anna").password_hash == found.password_hash
        assert await h.login.with_password("anna", PASSWORD, HOME, "") is not None


# --- guessing -----------------------------------------------------------------------------------------------------


async def guess(h: House, times: int, address: str, name: str = "anna", mark: str = "") -> int:
    """Guess wrong; returns how often it was looked at."""
    looked = 0
    for _ in range(times):
        try:
            looked += await h.login.with_password(name, "wrong", address, mark) is None
        except TooManyError:
            continue
    return looked


async def test_an_account_is_guessed_so_often_from_wherever(tmp_path: Path) -> None:
    """Ten, then six a minute, also from many addresses; the right password is not looked at either."""
    async with house(tmp_path) as h:
        await h.account("anna", Role.ADMIN)
        looked = sum([await guess(h, 1, f"192.0.2.{n}") for n in range(30)])
        assert looked == ACCOUNT_AT_ONCE
        with pytest.raises(TooManyError):
            await h.login.with_password("anna", PASSWORD, ELSEWHERE, "")
        h.forward(10)
        assert await h.login.with_password("anna", PASSWORD, ELSEWHERE, "") is not None


async def test_one_address_guesses_so_often_at_whomever(tmp_path: Path) -> None:
    """A list of names from one address comes to an end; another goes on; one IPv6 subscriber is one address."""
    async with house(tmp_path) as h:
        looked = sum([await guess(h, 1, ELSEWHERE, f"name{n}") for n in range(ADDRESS_AT_ONCE + 20)])
        assert looked == ADDRESS_AT_ONCE
        assert await guess(h, 1, HOME, "name") == 1
        within = sum([await guess(h, 1, f"2001:db8::{n:x}", f"v6-{n}") for n in range(ADDRESS_AT_ONCE + 20)])
        assert within == ADDRESS_AT_ONCE
    assert network("::ffff:10.0.0.7") == "10.0.0.7"
    assert network("2001:db8:0:1::5") != network("2001:db8:0:2::5")


async def test_who_guesses_does_not_lock_the_owner_out(tmp_path: Path) -> None:
    """The owner's browser is known: from the very address of the one who guesses it logs in, and has its own limit."""
    async with house(tmp_path) as h:
        await h.account("anna", Role.ADMIN)
        mark = h.login.attempts.mark("anna")
        await guess(h, 50, HOME)
        with pytest.raises(TooManyError):
            await h.login.with_password("anna", PASSWORD, HOME, "")
        assert await h.login.with_password("anna", PASSWORD, HOME, mark) is not None
        assert await guess(h, 30, HOME, mark=mark) == ACCOUNT_AT_ONCE
        with pytest.raises(TooManyError):
            await h.login.with_password("anna", PASSWORD, HOME, mark)


async def test_a_mark_is_of_one_account_and_cannot_be_made_up(tmp_path: Path) -> None:
    """Somebody else's mark, a forged and an empty one are no mark."""
    async with house(tmp_path) as h:
        await h.account("anna", Role.ADMIN)
        await guess(h, 50, HOME)
        theirs = h.login.attempts.mark("bo")
        for mark in (theirs, "", ".", "x." + "0" * 64, Attempts().mark("anna"), "å.æ"):
            with pytest.raises(TooManyError):
                await h.login.with_password("anna", PASSWORD, HOME, mark)


async def test_a_whole_office_logs_in_at_eight(tmp_path: Path) -> None:
    """Right passwords do not count, so that many behind one address get in at once."""
    async with house(tmp_path) as h:
        await h.account("anna", Role.ADMIN)
        many = [h.login.with_password("anna", PASSWORD, HOME, "") for _ in range(2 * ADDRESS_AT_ONCE)]
        assert all(await asyncio.gather(*many))


async def test_guesses_at_the_same_moment_are_counted_too(tmp_path: Path) -> None:
    """Nobody gets more guesses by sending them all at once."""
    async with house(tmp_path) as h:
        await h.account("anna", Role.ADMIN)
        many = [h.login.with_password("anna", "wrong", HOME, "") for _ in range(40)]
        answers = await asyncio.gather(*many, return_exceptions=True)
        assert sum(answer is None for answer in answers) == ACCOUNT_AT_ONCE
        assert sum(isinstance(answer, TooManyError) for answer in answers) == 40 - ACCOUNT_AT_ONCE
