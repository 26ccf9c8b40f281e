"""Logging in: what the panel's doors and the API share."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from adapters.accounts import passwords
from adapters.accounts.accounts import Accounts, Audit, account_name
from adapters.accounts.attempts import Attempts
from adapters.accounts.errors import AccessRefusedError
from adapters.accounts.invitations import Invitations, link
from adapters.accounts.passwords import Passwords
from adapters.accounts.phone_tokens import PhoneTokens
from adapters.accounts.records import Account
from adapters.accounts.sessions import Sessions
from telephony.errors import BagvagtError
from telephony.ports import Clock

if TYPE_CHECKING:  # it takes long to import, and most sites have none
    from adapters.accounts.sign_on import SignOn

_log = structlog.get_logger()

REHASH_WITHIN_S = 2.0
FLUSH_WITHIN_S = 2.0
AGAIN_S = 2.0


class TooManyError(BagvagtError):
    """Too many attempts.

    Attributes:
        wait_s: after how many seconds it may be tried again.
    """

    def __init__(self, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__(wait_s)


@dataclass
class Login:
    """All that is needed to log somebody in.

    Attributes:
        accounts: who may.
        sessions: who has.
        phone_tokens: made in the panel.
        invitations: one-time links.
        audit: the audit trail.
        clock: the time.
        url: of the panel as browsers know it, without a slash at its end; "" when it follows from the request.
        address: of the panel as this machine knows it, for one-time links.
        language: the site's.
        sign_on: single sign-on, None without it.
        passwords: hashes.
        attempts: limits.
        loaded: set once accounts, sessions and tokens have been read.
    """

    accounts: Accounts
    sessions: Sessions
    phone_tokens: PhoneTokens
    invitations: Invitations
    audit: Audit
    clock: Clock
    url: str = ""
    address: str = "http://127.0.0.1:8480"
    language: str = "en"
    sign_on: "SignOn | None" = None
    passwords: Passwords = field(default_factory=Passwords)
    attempts: Attempts = field(default_factory=Attempts)
    loaded: asyncio.Event = field(default_factory=asyncio.Event)
    _asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def load(self) -> None:
        """Read accounts, sessions and tokens.

        Raises:
            StoreError: the store does not answer.
        """
        await self.accounts.load()
        await self.sessions.load()
        await self.phone_tokens.load()

    async def run(self, say: Callable[[str], None]) -> None:
        """Read what the store has, again until it answers; then write sessions behind, until cancelled.

        Args:
            say: told the first admin's one-time link, where there is no account yet.
        """
        try:
            while not self.loaded.is_set():
                await self._begin(say)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.sessions.run(), name="sessions")
                tasks.create_task(self._reread(), name="accounts")
        finally:
            await self._end()

    async def _begin(self, say: Callable[[str], None]) -> None:
        try:
            await self.load()
            secret = await self.invitations.first()
        except BagvagtError as error:
            _log.error("login_not_ready", error=str(error))
            await asyncio.sleep(AGAIN_S)
            return
        self.loaded.set()
        if secret:
            say(link(self.url or self.address, secret))

    async def _end(self) -> None:
        with suppress(BagvagtError, TimeoutError):
            async with asyncio.timeout(FLUSH_WITHIN_S):
                await self.sessions.flush()
        if self.sign_on is not None:
            await self.sign_on.provider.close()

    def reread(self) -> None:
        """Ask for the accounts to be read anew: the command may have changed some."""
        self._asked.set()

    async def _reread(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self.accounts.load()
            except BagvagtError as error:
                _log.warning("accounts_not_read", error=type(error).__name__)

    async def with_password(self, name: str, password: str, address: str, mark: str) -> Account | None:
        """Return the account whose name and password these are; None when they are not.

        Args:
            name: as typed.
            password: as typed.
            address: from where.
            mark: of a browser that is known, see `Attempts`.

        Raises:
            TooManyError: nothing was looked at.
        """
        name = name.strip().lower()
        async with self.passwords.turns:
            wait_s = self.attempts.take(name, address, mark)
            if wait_s:
                raise TooManyError(wait_s)
            account = self.accounts.find(name)
            is_right = await self.passwords.verify(account.password_hash if account else "", password)
        if account is None or account.disabled or not is_right:
            self.audit("", "login_failed", account.name if account else "", address)
            return None
        self.attempts.give_back(name, address, mark)
        if self.passwords.is_dated(account.password_hash):
            await self._rehash(account, password)
        return self.accounts.find(name)

    async def change_password(self, account: Account, password: str, by: str, address: str) -> None:
        """Give an account another password; its sessions end.

        Raises:
            AccessRefusedError: it may not be this one.
            StoreError: it has the old one.
        """
        passwords.refuse(password, account.name)
        async with self.passwords.turns:
            password_hash = await self.passwords.hash(password)
        await self.accounts.change(by, address, account.name, password_hash=password_hash)

    async def redeem(self, secret: str, name: str, password: str, address: str) -> Account:
        """Set a password by a one-time link.

        Raises:
            TooManyError: nothing was looked at.
            AccessRefusedError: the link is void, or name or password may not be these.
            StoreError: nothing was done.
        """
        wait_s = self.attempts.take_link(address)
        if wait_s:
            raise TooManyError(wait_s)
        invitation = await self.invitations.look(secret)
        if invitation is None:
            raise AccessRefusedError("link-void", "This link was used already, or is too old")
        name = invitation.account or account_name(name)
        passwords.refuse(password, name)
        async with self.passwords.turns:
            password_hash = await self.passwords.hash(password)
        return await self.invitations.redeem(secret, name, password_hash, address)

    async def _rehash(self, account: Account, password: str) -> None:
        async with self.passwords.turns:
            password_hash = await self.passwords.hash(password)
        with suppress(BagvagtError, TimeoutError):  # at the next login, then: nobody waits for a store that hangs
            async with asyncio.timeout(REHASH_WITHIN_S):
                await self.accounts.rehashed(account, password_hash)
