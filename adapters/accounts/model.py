"""Who somebody is, for the panel and the API."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from aiohttp import web


class Role(StrEnum):
    """What somebody may do; `adapters/panel/access.py` has the table."""

    AGENT = "agent"  # the own call, the own break
    BACKUP = "backup"  # the duty desk: pages, guarded calls
    CHIEF = "chief"  # likewise, and ends breaks, takes calls over
    ADMIN = "admin"  # policy as loaded, prompts, tests, accounts; no call in particular
    AUDITOR = "auditor"  # reads the audit trail, and the policy; names nobody


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who has proved who they are, by session or token.

    Attributes:
        name: the account's name, for the audit trail ("anna").
        roles: what for.
        agent: the agent id whose calls these are, "" for none.
        person: the name under [people], "" for none.
        language: two letters.
        session: id of the session, "" for a token; changing requests of a session need its CSRF token.
        token: kind of the token (`adapters.http.access.TokenKind`), "" for a session.
        shown: name that is shown to people.
        csrf: what a changing request of this session must carry.
    """

    name: str
    roles: frozenset[Role]
    agent: str = ""
    person: str = ""
    language: str = "en"
    session: str = ""
    token: str = ""
    shown: str = ""
    csrf: str = field(default="", repr=False)


IDENTITY: Final = web.RequestKey("identity", Identity)
"""Where the middleware of `adapters.panel.identity` puts who a request comes from."""
