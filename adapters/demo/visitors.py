"""Whom a person at the demo's browser can be: accounts without a password, so that no log-in form opens them."""

from datetime import datetime
from typing import Final

from adapters.accounts.model import Role
from adapters.accounts.records import Account
from policies.model import AgentId

YOU: Final = AgentId("you")
CHIEF: Final = "mette"


def accounts(now: datetime) -> tuple[Account, Account]:
    """Return them: an agent, and the chief, who looks after the policy too."""
    return (
        Account(YOU, "You", frozenset({Role.AGENT}), now, agent=YOU),
        Account(CHIEF, "Mette", frozenset({Role.CHIEF, Role.ADMIN}), now, person=CHIEF),
    )
