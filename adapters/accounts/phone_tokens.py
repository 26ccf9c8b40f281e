"""Tokens that were made in the panel: for a desk phone, a program, a person. Shown once, revocable at once."""

import secrets
from dataclasses import replace

from adapters.accounts import rows
from adapters.accounts.accounts import Audit
from adapters.accounts.errors import NoSuchError
from adapters.accounts.records import PhoneToken, digest
from adapters.accounts.rows import Store
from adapters.http.access import Token, TokenKind, Tokens
from telephony.ports import Clock


class PhoneTokens:
    """The tokens that stand in the store; those of the policy's token file stand beside them.

    Attributes:
        in_force: to be given to `adapters.http.access.Access`.

    Args:
        store: where they are kept.
        clock: the time.
        audit: told of every change.
    """

    def __init__(self, store: Store, clock: Clock, audit: Audit) -> None:
        self.in_force = Tokens([])
        self._store = store
        self._clock = clock
        self._audit = audit
        self._tokens: dict[str, PhoneToken] = {}

    async def load(self) -> None:
        """Read them."""
        for token in await self._store.transact(rows.phone_tokens):
            self._took(token)

    def all(self) -> list[PhoneToken]:
        """Return every token, revoked ones too, oldest first."""
        return list(self._tokens.values())

    async def issue(self, by: str, address: str, kind: TokenKind, owner: str, name: str) -> tuple[str, PhoneToken]:
        """Make a token. Returns the secret, which is kept nowhere, and what is kept.

        Raises:
            StoreError: it was not made.
        """
        secret = secrets.token_urlsafe(32)
        token = PhoneToken(digest(secret), kind, owner, name, self._clock.now(), by)
        await self._store.transact(lambda connection: rows.put_phone_token(connection, token))
        self._took(token)
        self._audit(by, f"token_made: {kind.value}", owner, address)
        return secret, token

    async def revoke(self, by: str, address: str, id_: str) -> None:
        """Let a token open nothing any more, at once.

        Raises:
            NoSuchError: there is none that does.
            StoreError: it opens nothing, and does again after a restart; to be asked for again.
        """
        token = self._tokens.get(id_)
        if token is None or token.revoked_at is not None:
            raise NoSuchError("no-such-token", "No such token")
        self.in_force.drop(id_)  # first: a store that hangs does not keep it open
        revoked = replace(token, revoked_at=self._clock.now())
        await self._store.transact(lambda connection: rows.put_phone_token(connection, revoked))
        self._tokens[id_] = revoked
        self._audit(by, f"token_revoked: {token.kind.value}", token.owner, address)

    def _took(self, token: PhoneToken) -> None:
        self._tokens[token.sha256] = token
        if token.revoked_at is None:
            self.in_force.add(Token(token.name, token.kind, token.sha256, token.owner))
