"""Accounts, tokens, one-time links, and the command: what the store keeps, what ends, what is refused."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.accounts import command
from adapters.accounts.accounts import account_name
from adapters.accounts.errors import AccessRefusedError, NoSuchError
from adapters.accounts.model import Role
from adapters.accounts.records import Account
from adapters.http.access import TokenKind
from adapters.store.errors import StoreError
from tests.adapters.accounts.house import HOUR_S, PASSWORD, BrokenStore, House, house, url_in

ADDRESS = "10.0.0.7"


def refused(caught: pytest.ExceptionInfo[AccessRefusedError]) -> str:
    return caught.value.code


# --- accounts -----------------------------------------------------------------------------------------------------


async def test_an_account_is_kept_as_it_was_made(tmp_path: Path) -> None:
    """Every field comes back after a restart."""
    async with house(tmp_path) as h:
        account = Account(
            name="anna",
            shown="Anna Åkesson",
            roles=frozenset({Role.CHIEF, Role.ADMIN}),
            created_at=h.clock.now(),
            agent="agent7",
            person="anna",
            language="sv",
            password_hash="$argon2id$x",
            issuer="https://idp.example",
            subject="s-1",
        )
        await h.login.accounts.add("test", ADDRESS, account)
        assert h.told == [("test", "account_added", "anna", ADDRESS)]
        assert "$argon2id$x" not in repr(account)
    async with house(tmp_path) as h:
        assert h.login.accounts.all() == [account]
        assert h.login.accounts.of_subject("https://idp.example", "s-1") == account
        assert h.login.accounts.of_subject("https://other.example", "s-1") is None


@pytest.mark.parametrize(
    ("field", "value", "ends"),
    [
        ("roles", frozenset({Role.BACKUP}), True),
        ("disabled", True, True),
        ("password_hash", "$argon2id$y", True),
        ("agent", "agent8", True),
        ("person", "bo", True),
        ("shown", "Anna", False),
        ("language", "fi", False),
    ],
)
async def test_a_change_of_rights_ends_the_sessions_of_that_account(
    field: str, value: object, *, ends: bool, tmp_path: Path
) -> None:
    """What gave a browser its rights is gone; a new shown name or language is no reason; others stay logged in."""
    async with house(tmp_path) as h:
        await h.account("admin", Role.ADMIN)
        await h.account("anna", Role.CHIEF, agent="agent7", person="anna")
        token, _ = h.login.sessions.start("anna", "password", ADDRESS, "")
        other, _ = h.login.sessions.start("admin", "password", ADDRESS, "")
        await h.login.accounts.change("admin", ADDRESS, "anna", **{field: value})
        assert (h.login.sessions.find(token) is None) is ends
        assert h.login.sessions.find(other) is not None
        assert h.told[-1] == ("admin", f"account_changed: {field}", "anna", ADDRESS)
        await h.login.accounts.change("admin", ADDRESS, "anna", **{field: value})
        assert h.said().count(f"account_changed: {field}") == 1


async def test_somebody_is_left_who_may_undo_it(tmp_path: Path) -> None:
    """The last admin is not disabled, demoted or removed, also not by two who do it at the same time."""
    async with house(tmp_path) as h:
        for name in ("anna", "bo"):
            await h.account(name, Role.ADMIN)
        changes = [h.login.accounts.change("x", "", name, disabled=True) for name in ("anna", "bo")]
        answers = await asyncio.gather(*changes, return_exceptions=True)
        (error,) = [a for a in answers if isinstance(a, AccessRefusedError)]
        assert error.code == "last-admin"
        (left,) = [a.name for a in h.login.accounts.all() if not a.disabled]
        with pytest.raises(AccessRefusedError) as caught:
            await h.login.accounts.change("x", "", left, roles=frozenset({Role.AGENT}))
        assert refused(caught) == "last-admin"
        with pytest.raises(AccessRefusedError) as caught:
            await h.login.accounts.remove("x", "", left)
        assert refused(caught) == "last-admin"


async def test_what_cannot_be_an_account(tmp_path: Path) -> None:
    """A name that is taken, a person of single sign-on that is taken, no role, a name that is none."""
    async with house(tmp_path) as h:
        anna = await h.account("anna", Role.ADMIN)
        await h.login.accounts.change("x", "", "anna", issuer="i", subject="s")
        with pytest.raises(AccessRefusedError) as caught:
            await h.login.accounts.add("x", "", anna)
        assert refused(caught) == "name-taken"
        with pytest.raises(AccessRefusedError) as caught:
            await h.login.accounts.add("x", "", replace(anna, name="bo", issuer="i", subject="s"))
        assert refused(caught) == "subject-taken"
        with pytest.raises(AccessRefusedError) as caught:
            await h.login.accounts.change("x", "", "anna", roles=frozenset())
        assert refused(caught) == "no-role"
        with pytest.raises(NoSuchError):
            await h.login.accounts.change("x", "", "nobody", disabled=True)
    assert account_name(" Anna.Hansen@kommune.dk ") == "anna.hansen@kommune.dk"
    for name in ("", "å", "a b", "../x", "a" * 65, "-a", "a\n"):
        with pytest.raises(AccessRefusedError):
            account_name(name.replace("\n", "\nb"))


async def test_nothing_changes_when_the_store_fails(tmp_path: Path) -> None:
    """Neither in memory nor in the audit trail."""
    async with house(tmp_path) as h:
        await h.account("anna", Role.ADMIN)
        await h.account("bo", Role.CHIEF)
        h.told.clear()
        h.login.accounts._store = BrokenStore()
        with pytest.raises(StoreError):
            await h.login.accounts.change("x", "", "bo", disabled=True)
        with pytest.raises(StoreError):
            await h.login.accounts.remove("x", "", "bo")
        assert not h.login.accounts.get("bo").disabled
        assert h.told == []


async def test_a_session_of_an_account_that_is_gone_is_nobodys(tmp_path: Path) -> None:
    """Removed, its sessions are over, and what comes of one that was kept is nobody."""
    async with house(tmp_path) as h:
        await h.account("admin", Role.ADMIN)
        await h.account("anna", Role.CHIEF)
        token, session = h.login.sessions.start("anna", "password", ADDRESS, "")
        await h.login.accounts.remove("admin", ADDRESS, "anna")
        assert h.login.sessions.find(token) is None
        assert h.login.accounts.identity(session, "en") is None
    async with house(tmp_path) as h:
        assert h.login.accounts.find("anna") is None
        assert h.login.sessions.of() == []


# --- tokens -------------------------------------------------------------------------------------------------------


async def test_a_phones_token_is_told_once_and_can_be_revoked(tmp_path: Path) -> None:
    """It works at once, for its kind alone; revoked it opens nothing, also after a restart."""
    async with house(tmp_path) as h:
        tokens = h.login.phone_tokens
        secret, made = await tokens.issue("admin", ADDRESS, TokenKind.ACTION_URL, "agent7", "desk phone 7")
        other, _ = await tokens.issue("admin", ADDRESS, TokenKind.PERSON, "anna", "anna's phone")
        assert tokens.in_force.find(secret, TokenKind.AGENT) is None
        found = tokens.in_force.find(secret, TokenKind.ACTION_URL)
        assert found is not None
        assert found.owner == "agent7"
    async with house(tmp_path) as h:
        tokens = h.login.phone_tokens
        assert tokens.in_force.find(secret, TokenKind.ACTION_URL) is not None
        await tokens.revoke("admin", ADDRESS, made.sha256)
        assert tokens.in_force.find(secret, TokenKind.ACTION_URL) is None
        with pytest.raises(NoSuchError):
            await tokens.revoke("admin", ADDRESS, made.sha256)
        assert h.told == [("admin", "token_revoked: action_url", "agent7", ADDRESS)]
    async with house(tmp_path) as h:
        assert h.login.phone_tokens.in_force.find(secret, TokenKind.ACTION_URL) is None
        assert h.login.phone_tokens.in_force.find(other, TokenKind.PERSON) is not None
        assert [t.revoked_at is not None for t in h.login.phone_tokens.all()] == [True, False]
    assert secret.encode() not in (tmp_path / "journal.db").read_bytes()


# --- one-time links -----------------------------------------------------------------------------------------------


async def first(h: House) -> str:
    secret = await h.login.invitations.first()
    assert secret
    return secret


async def test_the_first_link_makes_one_admin_and_no_second(tmp_path: Path) -> None:
    """Used at the same time by two it makes one; after that there is none, and none is made any more."""
    async with house(tmp_path) as h:
        secret = await first(h)
        both = [h.login.redeem(secret, name, PASSWORD, ADDRESS) for name in ("Anna", "bo")]
        answers = await asyncio.gather(*both, return_exceptions=True)
        (account,) = [a for a in answers if isinstance(a, Account)]
        assert account.roles == {Role.ADMIN}
        assert [getattr(a, "code", "") for a in answers].count("link-void") == 1
        assert h.told == [(account.name, "first_admin_added", account.name, ADDRESS)]
        assert await h.login.invitations.first() == ""
        assert await h.login.with_password(account.name, PASSWORD, ADDRESS, "") is not None
    async with house(tmp_path) as h:
        assert [a.name for a in h.login.accounts.all()] == [account.name]


async def test_a_link_is_too_old_after_a_day_or_when_there_is_a_newer_one(tmp_path: Path) -> None:
    """A restart prints another one; the one before it is void."""
    async with house(tmp_path) as h:
        old = await first(h)
        secret = await first(h)
        h.clock.forward(24 * HOUR_S - 1)
        assert await h.login.invitations.look(old) is None
        assert await h.login.invitations.look(secret) is not None
        h.clock.forward(1)
        for void in (old, secret, "", "x"):
            with pytest.raises(AccessRefusedError) as caught:
                await h.login.redeem(void, "anna", PASSWORD, ADDRESS)
            assert refused(caught) == "link-void"
        assert len(h.login.accounts) == 0


async def test_a_first_link_is_void_once_there_is_an_admin(tmp_path: Path) -> None:
    """However the admin came about."""
    async with house(tmp_path) as h:
        secret = await first(h)
        await h.account("anna", Role.ADMIN)
        with pytest.raises(AccessRefusedError) as caught:
            await h.login.redeem(secret, "bo", PASSWORD, ADDRESS)
        assert refused(caught) == "link-void"


async def test_a_bad_password_or_name_does_not_use_a_link_up(tmp_path: Path) -> None:
    """Somebody who mistypes tries again."""
    async with house(tmp_path) as h:
        secret = await first(h)
        for name, password in (("anna", "short"), ("an na", PASSWORD), ("anna", "anna12345678")):
            with pytest.raises(AccessRefusedError):
                await h.login.redeem(secret, name, password, ADDRESS)
        assert (await h.login.redeem(secret, "anna", PASSWORD, ADDRESS)).name == "anna"


async def test_an_invited_account_sets_its_own_password_and_no_one_elses(tmp_path: Path) -> None:
    """The name in the form is not believed; roles stay; sessions end; a disabled account's link is void."""
    async with house(tmp_path) as h:
        await h.account("admin", Role.ADMIN)
        await h.account("anna", Role.CHIEF, password="")
        token, _ = h.login.sessions.start("anna", "sso", ADDRESS, "")
        secret = await h.login.invitations.make("anna")
        account = await h.login.redeem(secret, "admin", PASSWORD, ADDRESS)
        assert (account.name, account.roles) == ("anna", frozenset({Role.CHIEF}))
        assert h.login.sessions.find(token) is None
        with pytest.raises(AccessRefusedError) as caught:
            await h.login.redeem(secret, "anna", "another long one", ADDRESS)
        assert refused(caught) == "link-void"
        secret = await h.login.invitations.make("anna")
        await h.login.accounts.change("admin", "", "anna", disabled=True)
        with pytest.raises(AccessRefusedError) as caught:
            await h.login.redeem(secret, "anna", "another long one", ADDRESS)
        assert refused(caught) == "link-void"
        with pytest.raises(NoSuchError):
            await h.login.invitations.make("nobody")


# --- the command --------------------------------------------------------------------------------------------------


async def test_the_command_adds_an_account_beside_a_running_service(tmp_path: Path) -> None:
    """Its link works there at once, without a reload."""
    async with house(tmp_path) as h:
        made = await asyncio.to_thread(
            command.add, url_in(tmp_path), "https://panel.example", "Anna", ["chief", "agent"], agent="agent7"
        )
        assert made.startswith("https://panel.example/panel/setup?token=")
        account = await h.login.redeem(made.partition("token=")[2], "", PASSWORD, ADDRESS)
        assert (account.name, account.agent) == ("anna", "agent7")
        assert account.roles == {Role.CHIEF, Role.AGENT}
        assert await h.login.with_password("anna", PASSWORD, ADDRESS, "") is not None


async def test_what_the_command_disables_is_out_when_the_service_reads_anew(tmp_path: Path) -> None:
    """Sessions end, and the audit trail says so."""
    async with house(tmp_path) as h:
        await h.account("admin", Role.ADMIN)
        await h.account("anna", Role.CHIEF)
        token, _ = h.login.sessions.start("anna", "password", ADDRESS, "")
        await asyncio.to_thread(command.disable, url_in(tmp_path), "anna")
        assert h.login.sessions.find(token) is not None
        await h.login.accounts.load()
        assert h.login.sessions.find(token) is None
        assert h.told[-1] == ("", "account_changed_by_command", "anna", "")
        assert [a.name for a in command.listed(url_in(tmp_path)) if a.disabled] == ["anna"]


def test_the_command_works_before_the_first_start_and_refuses_what_is_none(tmp_path: Path) -> None:
    """The tables are made; unknown roles, names and accounts are said."""
    url = url_in(tmp_path)
    command.add(url, "http://x", "anna", ["admin"])
    assert command.invited(url, "http://x", "anna")
    for wrong in (
        lambda: command.add(url, "http://x", "anna", ["admin"]),
        lambda: command.add(url, "http://x", "bo", ["king"]),
        lambda: command.add(url, "http://x", "bo", []),
        lambda: command.add(url, "http://x", "b o", ["admin"]),
        lambda: command.invited(url, "http://x", "bo"),
        lambda: command.disable(url, "bo"),
    ):
        with pytest.raises(AccessRefusedError):
            wrong()
    assert [a.name for a in command.listed(url)] == ["anna"]
