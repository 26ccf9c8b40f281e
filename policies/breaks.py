"""A break: an agent is kept out of the queues after a flagged call. Its states, and the table between them.

The break stands here, with its owner and its end; the PBX's pause is only its picture. A picture that the PBX lost or
refused is painted again. A pause that is somebody else's is neither overwritten nor lifted.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from policies.model import AgentId
from policies.tables import Table

OURS = "bagvagt:"
"""How a pause of ours begins, in the PBX's reason slot."""


class BreakState(StrEnum):
    """States of a break."""

    ASKED = "asked"  # the pause was asked of the PBX
    ON = "on"  # the PBX shows the agent paused in every queue
    REFUSED = "refused"  # it does not; it is asked again
    ENDING = "ending"  # the unpause was asked
    OVER = "over"


class BreakCause(StrEnum):
    """What moves a break."""

    PAUSED = "paused"
    REFUSED = "pause_refused"
    AGAIN = "asked_again"  # time to try again, PBX back, or the pause was lost
    END = "end"
    LIFTED = "lifted"


_S, _C = BreakState, BreakCause

BREAKS: Table[BreakState, BreakCause] = Table(
    "break",
    {
        _S.ASKED: {_C.PAUSED: _S.ON, _C.REFUSED: _S.REFUSED, _C.AGAIN: _S.ASKED, _C.END: _S.ENDING},
        _S.ON: {_C.AGAIN: _S.ASKED, _C.END: _S.ENDING},
        _S.REFUSED: {_C.AGAIN: _S.ASKED, _C.END: _S.ENDING},
        _S.ENDING: {_C.LIFTED: _S.OVER, _C.AGAIN: _S.ENDING, _C.END: _S.ENDING},
        _S.OVER: {},
    },
)


@dataclass(frozen=True, slots=True)
class Break:
    """One agent's break after one incident.

    Attributes:
        id: its id.
        agent: whose.
        incident: why.
        starts_at: when the call ended.
        until: when it ends by itself.
        state: see `BREAKS`.
        foreign: queues in which somebody else's pause stands; not ours to lift.
        refused: how often the PBX has refused.
        asked: id of the latest `Pause` action; an answer to an older one does not count.
        ended_by: "time", the agent, or who ended it.
    """

    id: str
    agent: AgentId
    incident: str
    starts_at: datetime
    until: datetime
    state: BreakState
    foreign: tuple[str, ...] = ()
    refused: int = 0
    asked: str = ""
    ended_by: str = ""

    @property
    def reason(self) -> str:
        """What stands in the PBX's reason slot while the pause is ours."""
        return f"{OURS}{self.id}"
