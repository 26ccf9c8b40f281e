"""Pausing an agent in the queues, and lifting it: ours only.

A queue member has one slot for a reason and no owner, so the reason says whose pause it is. It is read on the PBX
before and after: a pause that stands already is somebody's, and only what the PBX shows afterwards counts.
"""

from dataclasses import dataclass

from adapters.asterisk.procedures import Desk
from adapters.asterisk.queues import Roster
from policies.actions import Pause, Unpause
from policies.events import PauseFinished, UnpauseFinished
from policies.model import AgentId, Outcome
from telephony.errors import PbxError, PbxRejectedError, PbxTimeoutError


@dataclass(frozen=True, slots=True)
class _Seat:
    queue: str
    interface: str
    paused: bool
    reason: str


class Pausing:
    """Carries out `Pause` and `Unpause`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def pause(self, action: Pause) -> PauseFinished:
        """Pause the agent in every queue where no pause stands; DONE only when the PBX shows it in all."""
        outcome, detail = Outcome.UNKNOWN, ""
        foreign: tuple[str, ...] = ()
        try:
            seats = await self._seats(action.agent)
            free = [seat for seat in seats if not seat.paused]
            refusals = [r for seat in free if (r := await self._set(seat, action.reason, paused=True))]
            seats = await self._seats(action.agent) if free else seats
            foreign = tuple(sorted({s.queue for s in seats if s.paused and s.reason != action.reason}))
            outcome, detail = _judge_pause(seats, refusals)
        except PbxTimeoutError as error:
            detail = str(error)
        except PbxError as error:
            outcome, detail = Outcome.FAILED, str(error)
        return PauseFinished(
            **self._desk.stamp(),
            action=action.id,
            break_id=action.break_id,
            outcome=outcome,
            foreign=foreign,
            detail=detail,
        )

    async def unpause(self, action: Unpause) -> UnpauseFinished:
        """Lift the pauses that carry our reason; DONE when none of them stands."""
        outcome, detail = Outcome.UNKNOWN, ""
        try:
            ours = [s for s in await self._seats(action.agent) if s.paused and s.reason == action.reason]
            refusals = [r for seat in ours if (r := await self._set(seat, "", paused=False))]
            left = (
                [s for s in await self._seats(action.agent) if s.paused and s.reason == action.reason] if ours else []
            )
            outcome = Outcome.REFUSED if left else Outcome.DONE
            detail = "; ".join(refusals) or ("the pause still stands" if left else "")
        except PbxTimeoutError as error:
            detail = str(error)
        except PbxError as error:
            outcome, detail = Outcome.FAILED, str(error)
        return UnpauseFinished(
            **self._desk.stamp(), action=action.id, break_id=action.break_id, outcome=outcome, detail=detail
        )

    async def _seats(self, agent: AgentId) -> tuple[_Seat, ...]:
        """Read the agent's place in every queue on the PBX."""
        roster: Roster[object] = Roster(self._desk.agents)
        for message in await self._desk.members_on_pbx():
            roster.take(message)
        found = roster.agents.get(agent)
        return tuple(
            _Seat(queue, interface, seat.member.paused, seat.member.reason)
            for (queue, interface), seat in (found.seats.items() if found is not None else ())
        )

    async def _set(self, seat: _Seat, reason: str, *, paused: bool) -> str:
        """Ask for one queue; return the PBX's refusal, "" for none."""
        wanted = "true" if paused else "false"
        try:
            await self._desk.ami.send(
                "QueuePause", Queue=seat.queue, Interface=seat.interface, Paused=wanted, Reason=reason
            )
        except PbxRejectedError as error:
            return f"{seat.queue}: {error.detail}"
        return ""


def _judge_pause(seats: tuple[_Seat, ...], refusals: list[str]) -> tuple[Outcome, str]:
    if not seats:
        return Outcome.REFUSED, "; ".join(refusals) or "not a member of any queue"
    missing = [seat.queue for seat in seats if not seat.paused]
    if missing:
        return Outcome.REFUSED, "; ".join(refusals) or f"no pause shows in {', '.join(missing)}"
    return Outcome.DONE, ""
