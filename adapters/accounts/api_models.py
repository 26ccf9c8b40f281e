"""What the API says of accounts, tokens and sessions, and what it takes."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from adapters.accounts.model import Role
from adapters.accounts.records import Account, PhoneToken, Session

# The policy's own names, and what a queue member may be called on a PBX.
AgentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@+-]{0,64}$")]
PersonName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9_-]{0,31})?$")]
Language = Annotated[str, StringConstraints(pattern=r"^([a-z]{2})?$")]
Shown = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Subject = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
Roles = Annotated[frozenset[Role], Field(min_length=1)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewAccount(_Asked):
    """An account that is wanted; its password is set by a one-time link.

    Attributes:
        name: what is typed at the login.
        shown: name that is shown to people.
        roles: what for.
        agent: agent id whose calls are theirs, "" for none.
        person: name under [people], "" for none.
        language: two letters, "" for the site's.
    """

    name: str = Field(min_length=1, max_length=64)
    shown: Shown = ""
    roles: Roles
    agent: AgentName = ""
    person: PersonName = ""
    language: Language = ""


class AccountChange(_Asked):
    """What of an account is to be changed; what is left out stays.

    Attributes:
        subject: who they are in single sign-on, "" for nobody.
    """

    shown: Shown | None = None
    roles: Roles | None = None
    agent: AgentName | None = None
    person: PersonName | None = None
    language: Language | None = None
    disabled: bool | None = None
    subject: Subject | None = None


class AccountPicture(BaseModel):
    """An account.

    Attributes:
        has_password: they may log in by password.
        subject: who they are in single sign-on, "" for nobody.
    """

    name: str
    shown: str
    roles: list[Role]
    agent: str
    person: str
    language: str
    disabled: bool
    has_password: bool
    subject: str
    created_at: datetime

    @classmethod
    def of(cls, account: Account) -> "AccountPicture":
        """Return what is told of an account."""
        return cls(
            name=account.name,
            shown=account.shown or account.name,
            roles=sorted(account.roles),
            agent=account.agent,
            person=account.person,
            language=account.language,
            disabled=account.disabled,
            has_password=bool(account.password_hash),
            subject=account.subject or "",
            created_at=account.created_at,
        )


class AccountList(BaseModel):
    """Every account, by name."""

    accounts: list[AccountPicture]


class InvitationPicture(BaseModel):
    """A one-time link; shown once.

    Attributes:
        account: who sets a password with it.
        link: to be given to them.
        until: when it is too old.
    """

    account: str
    link: str
    until: datetime


class NewPhoneToken(_Asked):
    """A token that is wanted.

    Attributes:
        kind: "agent" presses keys by POST, "action_url" by a desk phone's GET, "person" answers pages.
        owner: the agent's id; for "person" the name under [people].
        name: for people, "desk phone 7".
    """

    kind: Literal["agent", "action_url", "person"]
    owner: Annotated[AgentName, StringConstraints(min_length=1)]
    name: Annotated[Shown, StringConstraints(min_length=1)]


class PhoneTokenPicture(BaseModel):
    """A token, without its secret.

    Attributes:
        id: to revoke it by.
        revoked_at: since when it opens nothing, None while it does.
    """

    id: str
    kind: str
    owner: str
    name: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None

    @classmethod
    def of(cls, token: PhoneToken) -> "PhoneTokenPicture":
        """Return what is told of a token."""
        return cls(
            id=token.sha256,
            kind=token.kind.value,
            owner=token.owner,
            name=token.name,
            created_at=token.created_at,
            created_by=token.created_by,
            revoked_at=token.revoked_at,
        )


class MadePhoneToken(PhoneTokenPicture):
    """A token that was just made.

    Attributes:
        secret: shown once, and kept nowhere.
    """

    secret: str


class PhoneTokenList(BaseModel):
    """Every token that was made in the panel, oldest first."""

    tokens: list[PhoneTokenPicture]


class SessionPicture(BaseModel):
    """A browser that is logged in.

    Attributes:
        id: to end it by.
        how: "password", "sso" or "link".
        is_this: the one that asks.
    """

    id: str
    account: str
    created_at: datetime
    last_seen: datetime
    expires_at: datetime
    how: str
    address: str
    browser: str
    is_this: bool

    @classmethod
    def of(cls, session: Session, this: str) -> "SessionPicture":
        """Return what is told of a session."""
        return cls(
            id=session.id,
            account=session.account,
            created_at=session.created_at,
            last_seen=session.last_seen,
            expires_at=session.expires_at,
            how=session.how,
            address=session.address,
            browser=session.browser,
            is_this=session.id == this,
        )


class SessionList(BaseModel):
    """Sessions, oldest first."""

    sessions: list[SessionPicture]
