"""Who may do what, as one table: route and method -> roles. What is not in it is refused.

A role alone is not all: an agent's calls are their own, a chief's answer is their own, and policy still decides what a
key does. A token is no role: it opens the few routes that its kind is made for.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from adapters.accounts.model import Identity, Role
from adapters.http.access import TokenKind


class Public(Enum):
    """Open to everybody who can reach the service."""

    PUBLIC = "public"


Who = frozenset[Role] | Public
Place = tuple[str, str]
"""Method and the route's pattern; a HEAD is a GET."""

PUBLIC: Final = Public.PUBLIC
EVERYONE: Final = frozenset(Role)
AGENT: Final = frozenset({Role.AGENT})
DUTY: Final = frozenset({Role.BACKUP, Role.CHIEF})
CHIEF: Final = frozenset({Role.CHIEF})
ADMIN: Final = frozenset({Role.ADMIN})
READERS: Final = frozenset({Role.ADMIN, Role.AUDITOR})
WATCHERS: Final = DUTY | READERS

TABLE: Final[Mapping[Place, Who]] = {
    # Logging in
    ("GET", "/panel/login"): PUBLIC,
    ("POST", "/panel/login"): PUBLIC,
    ("GET", "/panel/setup"): PUBLIC,  # the link's secret is the proof
    ("POST", "/panel/setup"): PUBLIC,
    ("GET", "/panel/sso"): PUBLIC,
    ("GET", "/panel/sso/back"): PUBLIC,
    ("GET", "/panel/sso/out"): PUBLIC,
    ("POST", "/panel/logout"): EVERYONE,
    ("GET", "/panel/password"): EVERYONE,
    ("POST", "/panel/password"): EVERYONE,
    ("GET", "/panel/"): EVERYONE,
    ("GET", "/panel/static"): PUBLIC,
    ("GET", "/v1/me"): EVERYONE,
    ("GET", "/v1/openapi.json"): PUBLIC,
    ("GET", "/t/{token}"): PUBLIC,  # the secret in a message's link is the proof; to open it does nothing
    ("POST", "/t/{token}"): PUBLIC,
    # The agent's own call, and own break
    ("GET", "/panel/agent"): AGENT,
    ("GET", "/panel/agent/stream"): AGENT,
    ("GET", "/v1/screens/agent"): AGENT,
    ("GET", "/v1/screens/agent/stream"): AGENT,
    ("POST", "/v1/keys/{key}"): AGENT,
    ("GET", "/v1/keys/{key}"): PUBLIC,  # a desk phone's action URL; it proves itself by a token of its own kind
    ("POST", "/v1/calls/current/kind"): AGENT,
    # The duty desk
    ("GET", "/panel/duty"): DUTY,
    ("GET", "/panel/duty/stream"): DUTY,
    ("GET", "/panel/wall"): DUTY,
    ("GET", "/panel/wall/stream"): DUTY,
    ("GET", "/v1/screens/duty"): DUTY,
    ("GET", "/v1/screens/duty/stream"): DUTY,
    ("GET", "/v1/pages"): WATCHERS,  # an auditor reads no names
    ("GET", "/v1/pages/{page}"): WATCHERS,
    ("POST", "/v1/pages/{page}/acknowledge"): DUTY,
    ("POST", "/v1/calls/{call}/open-latch"): DUTY,
    ("POST", "/v1/calls/{call}/take-over"): DUTY,
    ("POST", "/v1/breaks/{break_id}/end"): CHIEF,
    # Administration
    ("GET", "/v1/accounts"): ADMIN,
    ("POST", "/v1/accounts"): ADMIN,
    ("PATCH", "/v1/accounts/{account}"): ADMIN,
    ("DELETE", "/v1/accounts/{account}"): ADMIN,
    ("POST", "/v1/accounts/{account}/invitation"): ADMIN,
    ("GET", "/v1/phone-tokens"): ADMIN,
    ("POST", "/v1/phone-tokens"): ADMIN,
    ("DELETE", "/v1/phone-tokens/{token}"): ADMIN,
    ("GET", "/v1/sessions"): EVERYONE,  # the own ones; an admin's are all
    ("DELETE", "/v1/sessions"): EVERYONE,
    ("DELETE", "/v1/sessions/{session}"): EVERYONE,
    # The policy, what it would do, what callers hear, and whether it was kept
    ("GET", "/panel/admin"): READERS,
    ("GET", "/panel/admin/policy"): READERS,
    ("GET", "/panel/admin/dry-run"): ADMIN,
    ("POST", "/panel/admin/dry-run"): ADMIN,
    ("GET", "/panel/admin/prompts"): ADMIN,
    ("GET", "/panel/admin/test-page"): ADMIN,
    ("GET", "/panel/admin/proofs"): READERS,
    ("GET", "/panel/admin/report"): READERS,
    ("GET", "/panel/admin/report/{page}"): READERS,
    ("GET", "/panel/admin/pbx-check"): ADMIN,
    ("GET", "/panel/admin/audit"): READERS,
    ("GET", "/panel/admin/audit/chain"): READERS,
    ("GET", "/panel/admin/accounts"): ADMIN,
    ("GET", "/panel/admin/tokens"): ADMIN,
    ("GET", "/panel/admin/sessions"): ADMIN,
    ("GET", "/v1/policy"): READERS,
    ("POST", "/v1/dry-run"): ADMIN,  # it names those who would be told
    ("GET", "/v1/prompts"): ADMIN,
    ("PUT", "/v1/prompts/{language}/{name}"): ADMIN,
    ("POST", "/v1/prompts/{language}/{name}/undo"): ADMIN,
    ("GET", "/v1/test-pages"): ADMIN,
    ("POST", "/v1/test-pages"): ADMIN,
    ("GET", "/v1/test-pages/{incident}"): ADMIN,
    ("GET", "/v1/proofs"): READERS,
    ("POST", "/v1/proofs/{person}/{channel}"): ADMIN,
    ("GET", "/v1/report"): READERS,  # it names nobody
    ("GET", "/v1/pbx-check"): ADMIN,
    ("POST", "/v1/pbx-check"): ADMIN,
    ("GET", "/v1/audit"): READERS,  # an auditor reads no names
    ("GET", "/v1/audit.jsonl"): READERS,
    ("GET", "/v1/audit/verify"): READERS,
    ("POST", "/v1/audit/verify"): READERS,
    # Machines
    ("POST", "/v1/sms/receipts"): PUBLIC,  # an SMS provider, which proves itself by the webhook's secret
    ("POST", "/v1/sms/replies"): PUBLIC,
    ("GET", "/prompts/{language}/{name}.wav"): PUBLIC,
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/metrics"): PUBLIC,
}

TOKENS: Final[Mapping[Place, frozenset[TokenKind]]] = {
    ("GET", "/v1/me"): frozenset({TokenKind.AGENT, TokenKind.PERSON}),
    ("POST", "/v1/keys/{key}"): frozenset({TokenKind.AGENT}),
    ("POST", "/v1/calls/current/kind"): frozenset({TokenKind.AGENT}),
    ("GET", "/v1/screens/agent"): frozenset({TokenKind.AGENT}),
    ("GET", "/v1/screens/agent/stream"): frozenset({TokenKind.AGENT}),
    ("POST", "/v1/pages/{page}/acknowledge"): frozenset({TokenKind.PERSON}),
    ("POST", "/v1/breaks/{break_id}/end"): frozenset({TokenKind.PERSON}),
    ("POST", "/v1/calls/{call}/open-latch"): frozenset({TokenKind.PERSON}),
}
"""What a token opens besides what is open to everybody."""


def may(identity: Identity | None, place: Place) -> bool:
    """Tell whether somebody may do this; False where the table has no such place."""
    who = TABLE.get(place)
    if who is None or who is PUBLIC:
        return who is PUBLIC
    if identity is None:
        return False
    if identity.token:
        return TokenKind(identity.token) in TOKENS.get(place, frozenset())
    return not who.isdisjoint(identity.roles)
