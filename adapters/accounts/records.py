"""What the store keeps of those who may log in."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from adapters.accounts.model import Role
from adapters.http.access import TokenKind


def digest(secret: str) -> str:
    """Return what is kept of a random secret of 32 bytes: a plain hash is enough where there is nothing to guess."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in.

    Attributes:
        name: what is typed; small letters.
        shown: name that is shown to people.
        roles: what for.
        agent: agent id whose calls are theirs, "" for none.
        person: name under [people], "" for none; what they answer and agree to is said to be that person's.
        language: two letters, "" for the site's.
        disabled: may not log in.
        password_hash: argon2's own form, "" for nobody who has one.
        issuer: of single sign-on, None without it.
        subject: who they are there.
        created_at: when.
    """

    name: str
    shown: str
    roles: frozenset[Role]
    created_at: datetime
    agent: str = ""
    person: str = ""
    language: str = ""
    disabled: bool = False
    password_hash: str = field(default="", repr=False)
    issuer: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that has logged in.

    Attributes:
        id: SHA-256 of the cookie's token.
        account: whose.
        created_at: when.
        last_seen: when it last asked for something; within a minute.
        expires_at: when it ends, whatever it does.
        csrf: what a changing request must carry.
        how: "password", "sso" or "link".
        address: from where it was opened.
        browser: what the browser called itself.
    """

    id: str
    account: str
    created_at: datetime
    last_seen: datetime
    expires_at: datetime
    how: str
    address: str
    browser: str
    csrf: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PhoneToken:
    """A token that was made in the panel.

    Attributes:
        sha256: of the secret; its id, too.
        kind: what it is for.
        owner: the agent's id, or for a person's token who it is.
        name: for people.
        created_at: when.
        created_by: account.
        revoked_at: since when it opens nothing, None while it does.
    """

    sha256: str
    kind: TokenKind
    owner: str
    name: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time link with which somebody sets a password.

    Attributes:
        sha256: of the link's secret.
        account: whose, "" for the first admin, whose name is not known yet.
        expires_at: until when it may be used.
    """

    sha256: str
    account: str
    expires_at: datetime
