"""Single sign-on: a browser is sent to the provider and comes back with a code; the code becomes an account.

What was begun here, in this browser, and not before, can be finished: the state is for one use, and bound to a cookie.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import structlog

from adapters.accounts.accounts import Accounts, account_name
from adapters.accounts.errors import AccessRefusedError, SignOnError
from adapters.accounts.model import Role
from adapters.accounts.oidc import Claims, Provider
from adapters.accounts.records import Account, digest
from adapters.accounts.sessions import Sessions
from telephony.ports import Clock

_log = structlog.get_logger()

LASTS = timedelta(minutes=10)
MOST_PENDING = 10_000
BY = "single-sign-on"
"""Whose doing it is, in the audit trail, that an account follows what the provider says."""


@dataclass(frozen=True, slots=True)
class _Pending:
    browser: str
    nonce: str
    verifier: str
    redirect_uri: str
    then: str
    until: datetime


class SignOn:
    """Logs in through a provider.

    Args:
        provider: which.
        clock: the time.
        accounts: made and changed as the provider says.
        sessions: end when the provider gives no role any more.
    """

    def __init__(self, provider: Provider, clock: Clock, accounts: Accounts, sessions: Sessions) -> None:
        self.provider = provider
        self._clock = clock
        self._accounts = accounts
        self._sessions = sessions
        self._pending: dict[str, _Pending] = {}

    @property
    def label(self) -> str:
        """Shown on the button."""
        return self.provider.config.label

    async def begin(self, browser: str, redirect_uri: str, then: str) -> str:
        """Return the address to which the browser is sent.

        Args:
            browser: a random cookie of it.
            redirect_uri: where it comes back.
            then: where it wanted to go.

        Raises:
            SignOnError: the provider does not answer.
        """
        metadata = await self.provider.metadata()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        until = self._clock.now() + LASTS
        self._pending[state] = _Pending(digest(browser), nonce, verifier, redirect_uri, then, until)
        if len(self._pending) > MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.provider.config.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.provider.config.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{metadata.authorization}{'&' if '?' in metadata.authorization else '?'}{urlencode(query)}"

    async def finish(self, browser: str, query: Mapping[str, str], address: str) -> tuple[Account, str]:
        """Return the account of who comes back, and where they wanted to go.

        Args:
            browser: the same cookie.
            query: with which it comes back.
            address: from where.

        Raises:
            SignOnError: it was not begun here, or the provider does not vouch for them.
            StoreError: the account could not be written.
        """
        pending = self._pending.pop(query.get("state", ""), None)
        if pending is None or pending.until < self._clock.now():
            raise SignOnError("state", "no such login was begun, or it was finished, or it took too long")
        if not hmac.compare_digest(pending.browser, digest(browser)):
            raise SignOnError("state", "begun in another browser")
        if query.get("iss", self.provider.config.issuer) != self.provider.config.issuer:  # RFC 9207 §2.4
            raise SignOnError("state", "another provider answered")
        if "code" not in query:
            raise SignOnError("refused", query.get("error", "")[:100])
        id_token = await self.provider.exchange(query["code"], pending.verifier, pending.redirect_uri)
        claims = await self.provider.verify(id_token, pending.nonce)
        return await self._account(claims, address), pending.then

    async def end_url(self, back: str) -> str:
        """Return where a browser logs out at the provider too, "" for nowhere (RP-Initiated Logout 1.0 §2).

        Raises:
            SignOnError: the provider does not answer.
        """
        end = (await self.provider.metadata()).end_session
        query = {"client_id": self.provider.config.client_id, "post_logout_redirect_uri": back}
        return f"{end}{'&' if '?' in end else '?'}{urlencode(query)}" if end else ""

    async def _account(self, claims: Claims, address: str) -> Account:
        known = self._accounts.of_subject(self.provider.config.issuer, claims["sub"])
        try:
            fields = self._fields(claims)
            if known is None:
                return await self._add(claims, fields, address)
            return await self._change(known, fields, address)
        except (SignOnError, AccessRefusedError) as error:
            # The provider is the one who knows: what it does not vouch for any more ends now.
            if known is not None:
                self._sessions.forget_all(known.name)
            raise error if isinstance(error, SignOnError) else SignOnError(error.code, error.words) from error

    async def _change(self, known: Account, fields: dict[str, Any], address: str) -> Account:
        if known.disabled:
            raise SignOnError("disabled", known.name)
        return await self._accounts.change(BY, address, known.name, **fields)

    def _fields(self, claims: Claims) -> dict[str, Any]:
        config = self.provider.config
        groups = _groups(claims, config.roles_claim)
        roles = frozenset[Role]().union(*(config.roles.get(group, frozenset()) for group in groups))
        if not roles:
            raise SignOnError("no-role", f"groups: {', '.join(groups)[:200]}")
        fields: dict[str, Any] = {"roles": roles, "shown": _text(claims, "name", 200)}
        if config.agent_claim:
            fields["agent"] = _text(claims, config.agent_claim, 64)
        return fields

    async def _add(self, claims: Claims, fields: dict[str, Any], address: str) -> Account:
        config = self.provider.config
        name = account_name(_text(claims, config.name_claim, 64))
        if self._accounts.find(name) is not None:
            # A name is what somebody calls themselves; that it is the same person only an admin can say.
            _log.warning("sign_on_name_taken", account=name, subject=claims["sub"])
            raise SignOnError("name-taken", name)
        fields = {"agent": name, **fields}
        account = Account(
            name=name, created_at=self._clock.now(), issuer=config.issuer, subject=claims["sub"], **fields
        )
        return await self._accounts.add(BY, address, account)


def _text(claims: Claims, name: str, most: int) -> str:
    found = claims.get(name)
    return found[:most] if isinstance(found, str) and found.isprintable() else ""


def _groups(claims: Claims, path: str) -> list[str]:
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    found = [found] if isinstance(found, str) else found
    return [group for group in found if isinstance(group, str)] if isinstance(found, list) else []
