"""The accounts: in memory as the store has them; a change is written first, then in force, then in the audit trail."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adapters.accounts import rows
from adapters.accounts.errors import AccessRefusedError, NoSuchError
from adapters.accounts.model import Identity, Role
from adapters.accounts.records import Account, Session
from adapters.accounts.rows import Store
from adapters.accounts.sessions import Sessions

Audit = Callable[[str, str, str, str], None]
"""(whose doing, what, about whom, from which address) -> one line of the audit trail."""

NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
# What takes a browser's rights away or may have given them: who is logged in must log in again.
_ENDS_SESSIONS = ("roles", "disabled", "password_hash", "subject", "agent", "person")


def account_name(typed: str) -> str:
    """Return the name of the account that is meant.

    Raises:
        AccessRefusedError: no account can have it.
    """
    name = typed.strip().lower()
    if not NAME.fullmatch(name):
        raise AccessRefusedError("name", "A name has letters a-z, digits and . _ @ + -, at most 64")
    return name


class Accounts:
    """Who may log in.

    Args:
        store: where they are kept.
        sessions: those of an account end with what gave them their rights.
        audit: told of every change.
    """

    def __init__(self, store: Store, sessions: Sessions, audit: Audit) -> None:
        self._store = store
        self._sessions = sessions
        self._audit = audit
        self._accounts: dict[str, Account] = {}
        self._changing = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._accounts)

    def all(self) -> list[Account]:
        """Return every account, by name."""
        return [self._accounts[name] for name in sorted(self._accounts)]

    def get(self, name: str) -> Account:
        """Return an account.

        Raises:
            NoSuchError: there is none.
        """
        account = self._accounts.get(name)
        if account is None:
            raise NoSuchError("no-such-account", "No such account")
        return account

    def find(self, name: str) -> Account | None:
        """Return an account, None when there is none."""
        return self._accounts.get(name)

    def of_subject(self, issuer: str, subject: str) -> Account | None:
        """Return the account of somebody in single sign-on."""
        found = (a for a in self._accounts.values() if (a.issuer, a.subject) == (issuer, subject))
        return next(found, None)

    def identity(self, session: Session, language: str) -> Identity | None:
        """Return who has opened a session; None once the account is gone or disabled.

        Args:
            session: in force.
            language: for an account that has none of its own.
        """
        account = self._accounts.get(session.account)
        if account is None or account.disabled:
            return None
        return Identity(
            name=account.name,
            roles=account.roles,
            agent=account.agent,
            person=account.person,
            language=account.language or language,
            session=session.id,
            shown=account.shown or account.name,
            csrf=session.csrf,
        )

    async def load(self) -> None:
        """Read the accounts; after a first time, end the sessions of those that have been changed by the command."""
        kept = {a.name: a for a in await self._store.transact(rows.accounts)}
        before, self._accounts = self._accounts, kept
        for name, account in before.items():
            if name not in kept or _differ(account, kept[name]):
                self._sessions.forget_all(name)
                self._audit("", "account_changed_by_command", name, "")

    async def add(self, by: str, address: str, account: Account) -> Account:
        """Add an account.

        Raises:
            AccessRefusedError: there is one of this name or this person of single sign-on, or it has no role.
            StoreError: it was not added.
        """
        async with self._changing:
            if account.name in self._accounts:
                raise AccessRefusedError("name-taken", "There is an account of this name")
            self._look(account)
            await self._store.transact(lambda connection: rows.put_account(connection, account))
            self._accounts[account.name] = account
        self._audit(by, "account_added", account.name, address)
        return account

    async def change(self, by: str, address: str, name: str, **fields: Any) -> Account:
        """Change fields of an account.

        Raises:
            NoSuchError: there is none.
            AccessRefusedError: it would leave nobody who may undo it, or an account without a role.
            StoreError: nothing was changed.
        """
        async with self._changing:
            before = self.get(name)
            account = replace(before, **fields)
            if account == before:
                return account
            self._look(account)
            await self._store.transact(lambda connection: rows.put_account(connection, account))
            self._accounts[name] = account
        if _differ(before, account):
            self._sessions.forget_all(name)
        changed = sorted(f for f in fields if getattr(before, f) != getattr(account, f))
        self._audit(by, f"account_changed: {', '.join(changed)}", name, address)
        return account

    async def remove(self, by: str, address: str, name: str) -> None:
        """Forget an account.

        Raises:
            NoSuchError: there is none.
            AccessRefusedError: it is the last admin's.
            StoreError: it was not removed.
        """
        async with self._changing:
            self._look(replace(self.get(name), disabled=True))
            await self._store.transact(lambda connection: rows.drop_account(connection, name))
            del self._accounts[name]
        self._sessions.forget_all(name)
        self._audit(by, "account_removed", name, address)

    async def rehashed(self, account: Account, password_hash: str) -> None:
        """Keep the hash of the same password with today's costs; no session ends.

        Raises:
            StoreError: the old one stays.
        """
        async with self._changing:
            if self._accounts.get(account.name) != account:
                return  # changed meanwhile
            same = replace(account, password_hash=password_hash)
            await self._store.transact(lambda connection: rows.put_account(connection, same))
            self._accounts[account.name] = same

    def took(self, by: str, what: str, account: Account, address: str) -> None:
        """Note an account that a one-time link has already written."""
        self._accounts[account.name] = account
        self._sessions.forget_all(account.name)
        self._audit(by, what, account.name, address)

    def _look(self, account: Account) -> None:
        if not account.roles:
            raise AccessRefusedError("no-role", "An account needs at least one role")
        others = [a for a in self._accounts.values() if a.name != account.name]
        if account.subject and any((a.issuer, a.subject) == (account.issuer, account.subject) for a in others):
            raise AccessRefusedError("subject-taken", "Another account belongs to this person of single sign-on")
        if _is_admin(account) or any(map(_is_admin, others)):
            return
        if any(_is_admin(a) for a in self._accounts.values()):
            raise AccessRefusedError("last-admin", "Nobody would be left who may undo this")


def _is_admin(account: Account) -> bool:
    return Role.ADMIN in account.roles and not account.disabled


def _differ(before: Account, after: Account) -> bool:
    return any(getattr(before, f) != getattr(after, f) for f in _ENDS_SESSIONS)
