"""Accounts from the command line: for whoever runs Bagvagt and has locked themselves out.

It writes to the store itself, beside a running service. A link works there at once; the service sees what else was
changed when it is reloaded. What is done here leaves its line in the audit trail when the running service learns of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Connection

from adapters.accounts import rows
from adapters.accounts.accounts import account_name
from adapters.accounts.errors import AccessRefusedError, NoSuchError
from adapters.accounts.invitations import invite, link
from adapters.accounts.model import Role
from adapters.accounts.records import Account
from adapters.store.database import open_engine, store_errors
from adapters.store.migrate import upgrade

T = TypeVar("T")


def add(store: str, panel: str, name: str, roles: Iterable[str], *, agent: str = "", person: str = "") -> str:
    """Add an account; returns the one-time link with which its password is set.

    Args:
        store: as SQLAlchemy writes it.
        panel: address of the panel.
        name: of the account.
        roles: what for, as `Role` names them.
        agent: whose calls are theirs, "" for nobody's.
        person: their name under [people], "" for none.

    Raises:
        AccessRefusedError: the name is taken or cannot be one, or there is no such role.
        StoreError: it was not added.
    """
    unknown = set(roles) - set(Role)
    if unknown or not roles:
        raise AccessRefusedError("role", f"A role is one of {', '.join(Role)}")
    account = Account(account_name(name), name, frozenset(map(Role, roles)), _now(), agent=agent, person=person)

    def write(connection: Connection) -> str:
        if rows.account(connection, account.name) is not None:
            raise AccessRefusedError("name-taken", "There is an account of this name")
        rows.put_account(connection, account)
        return invite(connection, account.name, _now())

    return link(panel, _in(store, write))


def invited(store: str, panel: str, name: str) -> str:
    """Return a one-time link with which an account sets another password.

    Raises:
        NoSuchError: there is no such account.
        StoreError: there is no link.
    """

    def write(connection: Connection) -> str:
        return invite(connection, _there(connection, name).name, _now())

    return link(panel, _in(store, write))


def disable(store: str, name: str, *, disabled: bool = True) -> None:
    """Disable an account, or let it log in again; a running service takes it in when it is reloaded.

    Raises:
        NoSuchError: there is no such account.
        StoreError: nothing was changed.
    """
    _in(store, lambda connection: rows.put_account(connection, replace(_there(connection, name), disabled=disabled)))


def listed(store: str) -> list[Account]:
    """Return every account, by name.

    Raises:
        StoreError: it does not answer.
    """
    return _in(store, rows.accounts)


def _there(connection: Connection, name: str) -> Account:
    account = rows.account(connection, account_name(name))
    if account is None:
        raise NoSuchError("no-such-account", f"There is no account {name}")
    return account


def _in(store: str, do: Callable[[Connection], T]) -> T:
    upgrade(store)
    engine = open_engine(store)
    try:
        with store_errors("changing accounts"), engine.begin() as connection:
            return do(connection)
    finally:
        engine.dispose()


def _now() -> datetime:
    return datetime.now(UTC)
