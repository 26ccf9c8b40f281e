"""What logs people in, over a real store and cheap hashes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from argon2 import PasswordHasher
from sqlalchemy import Connection

from adapters.accounts.accounts import Accounts
from adapters.accounts.attempts import Attempts
from adapters.accounts.invitations import Invitations
from adapters.accounts.login import Login
from adapters.accounts.model import Role
from adapters.accounts.passwords import Passwords
from adapters.accounts.phone_tokens import PhoneTokens
from adapters.accounts.records import Account
from adapters.accounts.sessions import Sessions
from adapters.store.errors import StoreError
from adapters.store.journal import StoreJournal, open_journal
from tests.telephony.fakes import FakeClock

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
T = TypeVar("T")
PASSWORD = "correct horse battery"
HOUR_S = 3600.0


class BrokenStore:
    """Takes nothing, and tells nothing.

    Attributes:
        asked: how often it was asked.
    """

    def __init__(self) -> None:
        self.asked = 0

    async def transact(self, ask: Callable[[Connection], T]) -> T:
        self.asked += 1
        raise StoreError("testing", f"broken: {ask}")


class House:
    """Accounts, sessions, tokens, links, and what the audit trail was told.

    Attributes:
        told: (by, what, whom, address) in order.
        now_s: the monotonic clock of the limits, moved by hand.
    """

    def __init__(self, journal: StoreJournal, clock: FakeClock) -> None:
        self.journal = journal
        self.clock = clock
        self.told: list[tuple[str, str, str, str]] = []
        self.now_s = 1000.0
        sessions = Sessions(journal, clock, 12 * HOUR_S, 2 * HOUR_S)
        accounts = Accounts(journal, sessions, self.audit)
        self.login = Login(
            accounts=accounts,
            sessions=sessions,
            phone_tokens=PhoneTokens(journal, clock, self.audit),
            invitations=Invitations(journal, clock, accounts),
            audit=self.audit,
            clock=clock,
            passwords=Passwords(CHEAP),
            attempts=Attempts(lambda: self.now_s),
        )

    def audit(self, by: str, what: str, whom: str, address: str) -> None:
        self.told.append((by, what, whom, address))

    def forward(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.now_s += seconds
        self.clock.forward(seconds)

    async def account(
        self, name: str, *roles: Role, agent: str = "", person: str = "", password: str = PASSWORD
    ) -> Account:
        """Add an account."""
        kept = await self.login.passwords.hash(password) if password else ""
        account = Account(name, "", frozenset(roles), self.clock.now(), agent=agent, person=person, password_hash=kept)
        return await self.login.accounts.add("test", "", account)

    def said(self) -> list[str]:
        """What the audit trail was told, without whom and where."""
        return [what for _, what, _, _ in self.told]


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'journal.db'}"


@asynccontextmanager
async def house(folder: Path, clock: FakeClock | None = None) -> AsyncIterator[House]:
    """Open the store in `folder`, and read it; leaving is the end of the process as far as memory goes."""
    async with open_journal(url_in(folder)) as journal:
        made = House(journal, clock or FakeClock())
        await made.login.load()
        yield made
