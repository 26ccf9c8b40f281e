"""Carries one action out through the port that it belongs to, and says how it went.

The one broad `except` of the service stands here, at the task boundary: whatever an adapter raises becomes the action's
outcome, so that the state never waits for an answer that cannot come.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from policies import actions as act
from policies import events as ev
from policies.events import Delivery, Event, Played
from policies.guards import CallState
from policies.handoffs import HandoffState
from policies.model import Outcome
from policies.reasons import Reason
from policies.state import State
from telephony.errors import PbxTimeoutError
from telephony.ports import LostRelease, Pager, Pbx

_log = structlog.get_logger()

ALARMS = (act.Notify, act.StandDown)
# What keeps a call alive cannot wait for a store either: a closing message that plays on ends in a disconnect.
_PROTECTS = (act.StopAnnouncement, act.Retrieve)


def can_not_wait(action: act.Action) -> bool:
    """Tell whether `action` is done before its commit when the store hangs: alarms fail open."""
    if isinstance(action, act.Tell):
        return action.reason is Reason.ACUTE
    return isinstance(action, (*ALARMS, *_PROTECTS))


def is_still_wanted(action: act.Action, state: State) -> bool:
    """Tell whether an action that has waited for its commit still fits; a release looks by itself."""
    match action:
        case act.Announce():
            guard = state.guards.get(action.call)
            return guard is not None and guard.state is CallState.WARNING and guard.announcement == action.id
        case act.Ring():
            handoff = state.handoffs.get(action.handoff)
            return handoff is not None and handoff.state is HandoffState.RINGING and handoff.ring == action.id
        case act.Leave():
            handoff, guard = state.handoffs.get(action.handoff), state.guards.get(action.call)
            acute = guard is not None and guard.state is CallState.ACUTE
            return handoff is not None and handoff.state is HandoffState.LEAVING and not acute
        case _:
            return True


class CarryOut:
    """Callable: action -> the event that says how it went."""

    def __init__(
        self,
        pbx: Pbx,
        pager: Pager,
        still_permitted: Callable[[act.Release], bool],
        stamp: Callable[[], dict[str, Any]],
    ) -> None:
        self._stamp = stamp
        self._ways: dict[type[act.Action], Callable[[Any], Any]] = {
            act.Announce: pbx.announce,
            act.StopAnnouncement: pbx.stop_announcement,
            act.Release: lambda a: pbx.release(a, lambda: still_permitted(a)),
            act.Retrieve: pbx.retrieve,
            act.Ring: pbx.ring,
            act.StopRinging: pbx.stop_ringing,
            act.Leave: pbx.leave,
            act.Pause: pbx.pause,
            act.Unpause: pbx.unpause,
            act.Tell: pbx.signal,
            act.Notify: pager.notify,
            act.StandDown: pager.stand_down,
            act.ReplyTo: pager.reply,
        }

    async def __call__(self, action: act.Action) -> Event:
        """Carry `action` out. Never raises, except when cancelled."""
        try:
            outcome: Event = await self._ways[type(action)](action)
        except PbxTimeoutError as error:
            return self.failed(action, Outcome.UNKNOWN, str(error))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Something inside the adapter was cancelled, not we: without an outcome the state would wait for ever.
            return self.failed(action, Outcome.UNKNOWN, "cancelled")
        except Exception as error:  # noqa: BLE001 -- the one broad except of the service
            _log.exception("action_failed", action=type(action).__name__, action_id=action.id)
            return self.failed(action, Outcome.FAILED, str(error) or type(error).__name__)
        return outcome

    def unknown(self, action: act.Action | LostRelease) -> Event:
        """Return the outcome of an action that a crash cut short."""
        if isinstance(action, LostRelease):
            base: dict[str, Any] = {**self._stamp(), "action": action.id, "detail": "restart"}
            return ev.ReleaseFinished(**base, call=action.call, permit=action.permit, outcome=Outcome.UNKNOWN)
        return self.failed(action, Outcome.UNKNOWN, "restart")

    def failed(self, action: act.Action, outcome: Outcome, detail: str) -> Event:
        """Return the event for an action that did not come to its own end."""
        base: dict[str, Any] = {**self._stamp(), "action": action.id, "detail": detail}
        match action:
            case act.Announce():
                played = Played.UNKNOWN if outcome is Outcome.UNKNOWN else Played.FAILED
                return ev.AnnouncementFinished(**base, call=action.call, caller=action.caller, played=played)
            case act.Release(permit=permit):
                return ev.ReleaseFinished(**base, call=permit.call, permit=permit.id, outcome=outcome)
            case act.Ring():
                return ev.ColleagueMissed(**base, handoff=action.handoff)
            case act.Leave():
                return ev.LeaveFinished(**base, handoff=action.handoff, outcome=outcome)
            case act.Pause():
                return ev.PauseFinished(**base, break_id=action.break_id, outcome=outcome)
            case act.Unpause():
                return ev.UnpauseFinished(**base, break_id=action.break_id, outcome=outcome)
            case act.Notify():
                # An alarm that failed in a way that nobody foresaw counts as unknown, and is tried again.
                return ev.Notified(**base, page=action.page, delivery=Delivery.UNKNOWN)
            case _:
                return ev.ActionFinished(**base, outcome=outcome)
