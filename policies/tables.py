"""A transition table: the only way a state in this core changes.

Each kind of entity (call, handoff, break, page) writes its table out in one file as literal rows. What is not in the
table cannot happen: it is a bug of ours, it raises, and nothing has changed.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Generic, TypeVar

S = TypeVar("S", bound=Enum)
C = TypeVar("C", bound=Enum)


class IllegalTransitionError(Exception):
    """Our bug: a cause that the table does not know in this state. Nothing was changed.

    Attributes:
        table: name of the table.
        state: the state it stood in.
        cause: what was to move it.
    """

    def __init__(self, table: str, state: Enum, cause: Enum) -> None:
        self.table = table
        self.state = state
        self.cause = cause
        super().__init__(table, state, cause)

    def __str__(self) -> str:
        return f"{self.table}: no transition from {self.state.name} on {self.cause.name}"


class Table(Generic[S, C]):
    """Rows `state -> {cause: next state}`."""

    def __init__(self, name: str, rows: Mapping[S, Mapping[C, S]]) -> None:
        self.name = name
        self.rows = rows

    def step(self, state: S, cause: C) -> S:
        """Return the next state.

        Raises:
            IllegalTransitionError: the pair is not in the table.
        """
        try:
            return self.rows[state][cause]
        except KeyError:
            raise IllegalTransitionError(self.name, state, cause) from None

    def knows(self, state: S, cause: C) -> bool:
        """Tell whether the pair is in the table."""
        return cause in self.rows.get(state, {})

    def diagram(self) -> str:
        """Return the table as a Mermaid state diagram; the docs are made from it."""
        lines = ["stateDiagram-v2"]
        for state, row in self.rows.items():
            lines += [f"    {state.name} --> {after.name}: {cause.name.lower()}" for cause, after in row.items()]
        return "\n".join(lines)
