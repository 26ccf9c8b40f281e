"""A caller who brings AMI events of his own, in a SIP From user with %0d%0a; on a real Asterisk. See ADR 5."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from adapters.asterisk.ami_codec import Message
from adapters.asterisk.snippets import asterisk_snippets
from policies import actions as act
from policies import events as ev
from policies.model import LiveCall, Outcome
from telephony.ports import CodePressed
from tests.asterisk.test_procedures import talking
from tests.conftest import _lab
from tests.contract.asterisk_world import SIDE, AsteriskWorld, LabPerson, open_world, open_world_at, site
from tests.contract.permits import permit_for
from tests.lab.asterisk import Asterisk
from tests.lab.phone import Call
from tests.lab.raw import Ami
from tests.lab.waiting import until

pytestmark = pytest.mark.asterisk

END = "\r\n"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[AsteriskWorld]:
    """A lab Asterisk with the snippets in place and the adapter connected with their users."""
    async with open_world(tmp_path) as opened:
        yield opened


@pytest.fixture
async def unfiltered(tmp_path: Path) -> AsyncIterator[AsteriskWorld]:
    """The same, of an engineer who left the event filter out."""
    root = _lab().path
    assert root is not None
    made = site()
    manager = asterisk_snippets(SIDE)["manager.d/bagvagt.conf"].replace("eventfilter=", ";eventfilter=")
    lab = Asterisk(root, site(extra={**made.extra, "manager.d/bagvagt.conf": manager}))
    async with open_world_at(lab, tmp_path) as opened:
        yield opened


def lines(*pairs: str) -> str:
    """Return a number with lines of the caller's own; Asterisk (22.10) takes 79 characters of a number."""
    return END.join(["a", *pairs])


def frame(name: str, *pairs: str, whole: bool = True) -> str:
    """Return a number that is an event; if not whole, what Asterisk writes after the number becomes part of it."""
    number = END.join(["", "", f"Event: {name}", *pairs, *(["", ""] if whole else [])])
    assert len(number) < 80
    return number


async def forged(world: AsteriskWorld, number: str, extension: str = "1000") -> Call:
    """Somebody rings with this for a number; returns once the PBX has told of it to those who see everything."""
    event = number.partition("Event: ")[2].partition(END)[0]

    def is_forged(seen: dict[str, str]) -> bool:
        """A true event has its class; with forged lines in it, the number ends early."""
        return (seen.get("Event") == event and "Privilege" not in seen) if event else seen.get("CallerIDNum") == "a"

    phone = await world.lab.caller()
    async with Ami(world.lab) as ami:
        call = await phone.dial(extension, quote(number, safe=""))
        await until(lambda: any(map(is_forged, ami.events)), 5, "the forged lines came through raw")
    # The events of a connection are in order: what came raw there has come here before this reply, or never will.
    await world.pbx.ami.send("Ping")
    return call


def keys(world: AsteriskWorld) -> list[CodePressed]:
    return [s for s in world.seen if isinstance(s, CodePressed)]


async def test_a_forged_key_is_none(unfiltered: AsteriskWorld) -> None:
    """A BagvagtKey event of the caller's making, raw on the wire, is no key; one that the agent presses is."""
    _, agent, call = await talking(unfiltered)
    await forged(unfiltered, frame("UserEvent", "UserEvent: BagvagtKey", "Key: warn", whole=False))
    assert keys(unfiltered) == []
    await agent.press("*91")
    await unfiltered.until(lambda: keys(unfiltered))
    assert [(k.key, k.leg) for k in keys(unfiltered)] == [("warn", call.agent_leg)]


async def test_the_filter_leaves_forged_events_out(world: AsteriskWorld) -> None:
    """With the snippet's event filter a forged hang-up does not reach us; all that is true does."""
    caller, agent, call = await talking(world)
    await forged(world, frame("Hangup", f"Uniqueid: {call.caller}"))
    assert world.calls("agent1") == (call,)
    assert not any(isinstance(s, ev.CallEnded) for s in world.seen)
    await agent.press("*91")
    await world.until(lambda: keys(world))
    await caller.hang_up()
    await world.until(lambda: any(isinstance(s, ev.CallEnded) for s in world.seen))


async def test_lines_in_a_number_do_not_move_an_event(world: AsteriskWorld) -> None:
    """A caller whose number names another's leg: the call shows under its own leg, and the other call stays."""
    agent2 = await world.seat("agent2")
    _, _, call = await talking(world)
    wrong = (f"Uniqueid: {call.caller}", "Language: sv", "Cause: 1")
    forger = await forged(world, lines(*wrong), "202")
    await world.until(lambda: world.calls("agent2"))
    (other,) = world.calls("agent2")
    assert other.caller != call.caller
    assert world.calls("agent1") == (call,)
    await forger.hang_up()
    await world.until(lambda: not agent2.is_in_call)
    await world.until(lambda: [s.call for s in world.seen if isinstance(s, ev.CallEnded)] == [other.id])
    assert world.calls("agent1") == (call,)


async def _two_calls(world: AsteriskWorld) -> tuple[list[LabPerson], LiveCall, LiveCall]:
    caller, agent, call = await talking(world)
    agent2 = await world.seat("agent2")
    phone = await world.lab.caller()
    other = await phone.dial("202")
    await other.is_answered()
    await world.until(lambda: world.calls("agent2"))
    return [caller, agent, agent2], call, world.calls("agent2")[0]


async def test_a_forged_bridge_ends_no_call(world: AsteriskWorld) -> None:
    """An event says that the caller stands with another agent: a permit for that pair is refused, both calls go on."""
    people, call, other = await _two_calls(world)
    text = END.join(["Event: BridgeEnter", f"BridgeUniqueid: {other.bridge}", f"Uniqueid: {call.caller}"])
    world.pbx.tracker.apply(Message("BridgeEnter", text, is_event=True))
    assert world.pbx.tracker.bridge_of(call.caller) == other.bridge, "the picture is deceived"
    wrong = replace(call, agent=other.agent, agent_leg=other.agent_leg, bridge=other.bridge)
    done = await world.pbx.release(act.Release(id="end.1", permit=permit_for(wrong)), lambda: True)
    assert done.outcome is Outcome.REFUSED
    await world.pass_time(0.5)
    assert all(person.is_in_call for person in people)


@pytest.mark.parametrize("event", ["Hangup", "BridgeLeave"])
async def test_a_forged_end_ends_no_call(unfiltered: AsteriskWorld, event: str) -> None:
    """An event says that the caller is gone: the call goes on, and a new reading of the PBX shows it again.

    A hang-up fits into a number; the other has to be fed.
    """
    caller, agent, call = await talking(unfiltered)
    if event == "Hangup":
        forger = await forged(unfiltered, frame("Hangup", f"Uniqueid: {call.caller}"))
        await forger.hang_up()  # else it stands in the next reading, too: the filter is for events, not for lists
    else:
        text = END.join(["Event: BridgeLeave", f"BridgeUniqueid: {call.bridge}", f"Uniqueid: {call.caller}"])
        unfiltered.pbx.tracker.apply(Message("BridgeLeave", text, is_event=True))
    await unfiltered.until(lambda: not unfiltered.calls("agent1"), 2, "the picture is deceived")
    done = await unfiltered.pbx.release(act.Release(id="end.1", permit=permit_for(call)), lambda: False)
    assert done.outcome is Outcome.REFUSED
    assert caller.is_in_call
    assert agent.is_in_call
    await unfiltered.lose_connection()
    await unfiltered.until(lambda: [c.id for c in unfiltered.calls("agent1")] == [call.id], 10)
