"""From records to the store's rows and back. Each function runs in a transaction that somebody else has begun."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, RowMapping, Table, delete, select

from adapters.accounts.model import Role
from adapters.accounts.records import Account, Invitation, PhoneToken, Session
from adapters.http.access import TokenKind
from adapters.store.database import upsert
from adapters.store.schema import ACCOUNT, INVITATION, PHONE_TOKEN, SESSION

T = TypeVar("T")


class Store(Protocol):
    """The journal's thread; fits `adapters.store.journal.StoreJournal`."""

    async def transact(self, ask: Callable[[Connection], T]) -> T:
        """Run `ask` in one transaction.

        Raises:
            StoreError: nothing was written.
        """
        ...


def accounts(connection: Connection) -> list[Account]:
    """Read every account."""
    return [_account(row) for row in connection.execute(select(ACCOUNT).order_by(ACCOUNT.c.name)).mappings()]


def account(connection: Connection, name: str) -> Account | None:
    """Read one account."""
    row = connection.execute(select(ACCOUNT).where(ACCOUNT.c.name == name)).mappings().first()
    return None if row is None else _account(row)


def sessions(connection: Connection) -> list[Session]:
    """Read every session, oldest first."""
    return [Session(**row) for row in connection.execute(select(SESSION).order_by(SESSION.c.created_at)).mappings()]


def phone_tokens(connection: Connection) -> list[PhoneToken]:
    """Read every token, oldest first."""
    rows = connection.execute(select(PHONE_TOKEN).order_by(PHONE_TOKEN.c.created_at)).mappings()
    return [PhoneToken(**{**row, "kind": TokenKind(row["kind"])}) for row in rows]


def put_account(connection: Connection, record: Account) -> None:
    """Write an account."""
    _put(connection, ACCOUNT, {**asdict(record), "roles": sorted(record.roles)})


def drop_account(connection: Connection, name: str) -> None:
    """Forget an account, and the links that were made for it."""
    connection.execute(delete(ACCOUNT).where(ACCOUNT.c.name == name))
    connection.execute(delete(INVITATION).where(INVITATION.c.account == name))


def put_sessions(connection: Connection, changed: Iterable[Session], gone: Iterable[str]) -> None:
    """Write what became of sessions."""
    for record in changed:
        _put(connection, SESSION, asdict(record))
    for id_ in gone:
        connection.execute(delete(SESSION).where(SESSION.c.id == id_))


def put_phone_token(connection: Connection, record: PhoneToken) -> None:
    """Write a token."""
    _put(connection, PHONE_TOKEN, asdict(record))


def put_invitation(connection: Connection, record: Invitation) -> None:
    """Write a one-time link; the one that the account had before is void."""
    connection.execute(delete(INVITATION).where(INVITATION.c.account == record.account))
    _put(connection, INVITATION, asdict(record))


def find_invitation(connection: Connection, sha256: str, now: datetime) -> Invitation | None:
    """Read a link that may still be used."""
    fits = (INVITATION.c.sha256 == sha256) & (INVITATION.c.expires_at > now)
    row = connection.execute(select(INVITATION).where(fits)).mappings().first()
    return None if row is None else Invitation(**row)


def use_invitation(connection: Connection, sha256: str) -> None:
    """Use a link up."""
    connection.execute(delete(INVITATION).where(INVITATION.c.sha256 == sha256))


def _put(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    connection.execute(upsert(table), row)


def _account(row: RowMapping) -> Account:
    return Account(**{**row, "roles": frozenset(map(Role, row["roles"]))})
