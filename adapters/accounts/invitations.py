"""One-time links: the first admin's, printed at the first start, and those with which the others set a password."""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from adapters.accounts import rows
from adapters.accounts.accounts import Accounts
from adapters.accounts.errors import AccessRefusedError
from adapters.accounts.model import Role
from adapters.accounts.records import Account, Invitation, digest
from adapters.accounts.rows import Store
from telephony.ports import Clock

LASTS = timedelta(hours=24)
PATH = "/panel/setup"


def link(url: str, secret: str) -> str:
    """Return the address to open.

    Args:
        url: of the panel, without a slash at its end.
        secret: of the link.
    """
    return f"{url}{PATH}?token={secret}"


def invite(connection: Connection, name: str, now: datetime) -> str:
    """Write a link for an account, "" for the first admin's; the one before is void. Returns its secret."""
    secret = secrets.token_urlsafe(32)
    rows.put_invitation(connection, Invitation(digest(secret), name, now + LASTS))
    return secret


class Invitations:
    """The links that have not been used.

    Args:
        store: where they are kept, and read each time: the command makes some too.
        clock: the time.
        accounts: told of what came of one.
    """

    def __init__(self, store: Store, clock: Clock, accounts: Accounts) -> None:
        self._store = store
        self._clock = clock
        self._accounts = accounts

    async def first(self) -> str:
        """Return the secret of the first admin's link; "" when there is an account already.

        Raises:
            StoreError: there is none.
        """
        if len(self._accounts):
            return ""
        return await self._store.transact(lambda connection: invite(connection, "", self._clock.now()))

    async def make(self, name: str) -> str:
        """Return the secret of a link for an account.

        Raises:
            NoSuchError: there is no such account.
            StoreError: there is none.
        """
        self._accounts.get(name)
        return await self._store.transact(lambda connection: invite(connection, name, self._clock.now()))

    async def look(self, secret: str) -> Invitation | None:
        """Return what a link is for, None when it is used up, too old, or none.

        Raises:
            StoreError: the store does not answer.
        """
        now = self._clock.now()
        return await self._store.transact(lambda connection: rows.find_invitation(connection, digest(secret), now))

    async def redeem(self, secret: str, name: str, password_hash: str, address: str) -> Account:
        """Use a link up.

        Args:
            secret: of the link.
            name: what the first admin wants to be called; of an account that is there, it is known.
            password_hash: of the new password.
            address: from where.

        Raises:
            AccessRefusedError: it is used up or too old, there is an admin already, or the name is taken.
            StoreError: nothing was done.
        """
        now = self._clock.now()
        account, what = await self._store.transact(lambda c: _redeem(c, digest(secret), name, password_hash, now))
        self._accounts.took(account.name, what, account, address)
        return account


def _redeem(connection: Connection, sha256: str, name: str, password_hash: str, now: datetime) -> tuple[Account, str]:
    invitation = rows.find_invitation(connection, sha256, now)
    if invitation is None:
        raise AccessRefusedError("link-void", "This link was used already, or is too old")
    if invitation.account:
        there = rows.account(connection, invitation.account)
        if there is None or there.disabled:
            raise AccessRefusedError("link-void", "The account of this link is gone or disabled")
        account, what = replace(there, password_hash=password_hash), "password_set_by_link"
    else:
        if any(Role.ADMIN in a.roles and not a.disabled for a in rows.accounts(connection)):
            raise AccessRefusedError("link-void", "There is an admin already, who can make an account for you")
        if rows.account(connection, name) is not None:
            raise AccessRefusedError("name-taken", "There is an account of this name")
        account = Account(name, name, frozenset({Role.ADMIN}), now, password_hash=password_hash)
        what = "first_admin_added"
    rows.use_invitation(connection, sha256)
    rows.put_account(connection, account)
    return account, what
