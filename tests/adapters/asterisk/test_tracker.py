"""The tracker, told by hand: calls, from the first bridge to the last leg."""

import pytest

from policies.model import LiveCall
from tests.adapters.asterisk.transcripts.world import AGENT7, AGENT8, leg, message, told, world


def test_queue_call() -> None:
    """A call begins when the caller joins the agent's bridge, is told once, and ends with the caller's leg."""
    w = world()
    seen = w.talk()
    call = w.call
    assert told(seen) == [call]
    assert (call.id, call.caller, call.agent, call.agent_leg, call.bridge) == ("1.1", "1.1", AGENT7, "1.2", "b1")
    assert (call.began_at, call.queue, call.caller_tag, call.language) == (w.at, "support", "tag50", "en")
    assert (call.held, call.others) == (False, ())
    assert w.tracker.calls_of(AGENT7) == (call,)
    assert w.tracker.call(call.id) == call
    assert told(w.leave("b1", "1.2")) == [w.call]
    assert (w.call.agent, w.call.agent_leg, w.call.bridge, w.call.began_at) == (None, None, None, call.began_at)
    assert told(w.leave("b1", "1.1") + w.hang_up("1.2")) == []
    assert told(w.hang_up("1.1")) == ["1.1 ended"]
    assert w.tracker.snapshot()[0] == w.tracker.calls_of(AGENT7) == ()
    assert w.tracker.legs_in("b1") == ()


def test_no_call_without_agent() -> None:
    """Two legs that are nobody's, and a caller who hangs up while queueing, are no calls."""
    w = world()
    w.channel("1.1", "PJSIP/trunk-1")
    w.channel("1.2", "PJSIP/other-2")
    assert w.enter("b1", "1.1", "1.2") == []
    assert w.hang_up("1.1", "1.2") == []


def test_agents_among_themselves() -> None:
    """Two agents who talk are no call: nobody rang in."""
    w = world("agent7", "agent8")
    w.channel("1.1", "PJSIP/agent7-1")
    w.channel("1.2", "PJSIP/agent8-2")
    assert w.enter("b1", "1.1", "1.2") == []


def test_outbound_call() -> None:
    """A citizen whom an agent rings is the caller, whoever entered first."""
    for first, second in (("1.1", "1.2"), ("1.2", "1.1")):
        w = world()
        w.channel("1.1", "PJSIP/agent7-1")
        w.channel("1.2", "PJSIP/trunk-2", 0)
        w.enter("b1", first, second, number="4712345678")
        assert (w.call.caller, w.call.agent, w.call.caller_tag) == ("1.2", AGENT7, "tag78")


def test_language_is_that_of_the_bridge() -> None:
    """The caller's language is what the dialplan set meanwhile, or what the policy says of the queue."""
    w = world()
    w.channel("1.1", "PJSIP/trunk-1", language="en")
    w.channel("1.2", "PJSIP/agent7-2")
    w.enter("b1", "1.2")
    w.enter("b1", "1.1", language="sv")
    assert w.call.language == "sv"
    w.tell(message("QueueCallerJoin", Queue="dansk", Uniqueid="1.1"))
    assert (w.call.queue, w.call.language) == ("dansk", "da")


def test_number_never_kept() -> None:
    """An unknown number has no tag, and a known one is nowhere in what the tracker shows."""
    w = world()
    w.channel("1.1", "PJSIP/trunk-1", number="<unknown>")
    w.channel("1.2", "PJSIP/agent7-2")
    w.enter("b1", "1.1", "1.2", number="<unknown>")
    assert w.call.caller_tag == ""
    w.talk("2.1", "2.2", bridge="b2")
    assert "20304050" not in repr(w.seen)


def test_hold() -> None:
    """Hold of the agent's leg shows once, and is over with Unhold or when the agent leaves."""
    w = world()
    w.talk()
    hold, unhold = message("Hold", Uniqueid="1.2"), message("Unhold", Uniqueid="1.2")
    assert [c.held for c in told(w.tell(hold, hold)) if isinstance(c, LiveCall)] == [True]
    assert [c.held for c in told(w.tell(unhold, unhold)) if isinstance(c, LiveCall)] == [False]
    assert w.tell(message("Hold", Uniqueid="1.1")) == []
    assert w.tracker.last_call_of(AGENT7) is None
    w.tell(hold)
    w.leave("b1", "1.2")
    assert not w.call.held
    w.enter("b1", "1.2")
    assert not w.call.held


def test_blind_transfer() -> None:
    """The call goes on from agent to agent, between them without one; the first agent's last call says so."""
    w = world("agent7", "agent8")
    w.talk()
    began = w.call
    w.leave("b1", "1.1", "1.2")
    left_at = w.at
    w.hang_up("1.2")
    assert w.tracker.calls_of(AGENT7) == ()
    last = w.tracker.last_call_of(AGENT7)
    assert last is not None
    assert (last[0].id, last[0].agent, last[0].goes_on) == (began.id, None, True)
    assert last[1] < left_at  # the caller left the bridge first, and with that the agent
    w.channel("1.3", "PJSIP/agent8-3", 0)
    w.enter("b2", "1.3", "1.1")
    assert (w.call.agent, w.call.bridge, w.call.began_at, w.call.queue) == (AGENT8, "b2", began.began_at, "support")
    assert w.tracker.calls_of(AGENT8) == (w.call,)
    assert w.tracker.last_call_of(AGENT8) is None


def test_attended_transfer() -> None:
    """The second agent is swapped into the caller's bridge; the consultation before it was no call."""
    w = world("agent7", "agent8")
    w.talk()
    w.channel("2.1", "PJSIP/agent7-3")
    w.channel("2.2", "PJSIP/agent8-4", 0)
    assert w.enter("b2", "2.2", "2.1") == []
    w.leave("b2", "2.2")
    w.leave("b1", "1.2")
    w.enter("b1", "2.2")
    assert (w.call.agent, w.call.agent_leg, w.call.bridge, w.call.others) == (AGENT8, "2.2", "b1", ())
    assert w.leave("b2", "2.1") + w.hang_up("1.2", "2.1") == []


def test_colleague_joins_agent_leaves() -> None:
    """A colleague is a further leg until the agent leaves, then the call's agent."""
    w = world("agent7", "agent8")
    w.talk()
    w.tracker.ours(leg("3.1"))
    w.channel("3.1", "PJSIP/agent8-5", 0)
    assert w.tell(message("Newstate", ChannelState=6, ChannelStateDesc="Up", Uniqueid="3.1")) == []
    w.tracker.colleague(leg("3.1"))
    w.enter("b1", "3.1")
    assert (w.call.agent, w.call.others) == (AGENT7, ("3.1",))
    (shared,) = w.tracker.calls_of(AGENT8)  # whose keys mean this call from now on
    assert (shared.id, shared.agent, shared.agent_leg) == ("1.1", AGENT8, "3.1")
    w.leave("b1", "1.2")
    assert (w.call.agent, w.call.agent_leg, w.call.others) == (AGENT8, "3.1", ())


def test_agent_stays_the_agent() -> None:
    """A colleague who came to the bridge before the agent, and counts only later, does not take the call over."""
    w = world("agent7", "agent8")
    w.tracker.ours(leg("3.1"))
    w.channel("3.1", "PJSIP/agent8-5")
    w.enter("b1", "3.1")
    w.talk()
    assert (w.call.agent, w.call.others) == (AGENT7, ())
    w.tracker.colleague(leg("3.1"))
    assert (w.call.agent, w.call.others) == (AGENT7, ("3.1",))


def test_no_call_begins_when_somebody_leaves() -> None:
    """Somebody whom nobody marked joins, and the caller hangs up: who is left with the agent is no caller."""
    w = world()
    w.talk()
    w.channel("3.1", "PJSIP/trunk-5")
    w.enter("b1", "3.1")
    w.leave("b1", "1.1")
    assert told(w.hang_up("1.1")) == ["1.1 ended"]
    assert w.tell(message("Hold", Uniqueid="1.2"), message("Unhold", Uniqueid="1.2")) == []
    assert w.tracker.snapshot()[0] == ()


def test_mobile_colleague() -> None:
    """A colleague by the trunk is a further leg, stays one, and is no caller when alone with the agent."""
    for caller_goes in (False, True):
        w = world()
        w.talk()
        w.tracker.colleague(leg("3.1"))
        w.channel("3.1", "PJSIP/trunk-5")
        w.enter("b1", "3.1")
        assert w.call.others == ("3.1",)
        if caller_goes:
            w.leave("b1", "1.1")
            w.hang_up("1.1")
            assert w.tell(message("Hold", Uniqueid="1.2"), message("Unhold", Uniqueid="1.2")) == []
            assert w.tracker.snapshot()[0] == ()
        else:
            w.leave("b1", "1.2")
            assert (w.call.agent, w.call.bridge, w.call.others) == (None, None, ("3.1",))


@pytest.mark.parametrize("name", ["Local/join@bagvagt-00000001;2", "Snoop/1.1-00000002", "Announcer/ARI-00000003"])
def test_ours_by_name(name: str) -> None:
    """An announcer comes and goes without any change to the call."""
    w = world()
    w.talk()
    before = w.call
    w.channel("announcer;2", name)
    assert w.enter("b1", "announcer;2") == []
    assert w.tracker.legs_in("b1") == ("1.2", "1.1", "announcer;2")
    assert w.leave("b1", "announcer;2") + w.hang_up("announcer;2") == []
    assert w.call == before


def test_ours_by_mark() -> None:
    """A leg that was marked before or after it came is neither agent nor further leg."""
    w = world("agent7", "agent8")
    w.talk()
    alone = w.call
    w.channel("3.1", "PJSIP/agent8-5")
    w.enter("b1", "3.1")
    joined = w.call
    w.tracker.ours(leg("3.1"))
    assert (joined.others, w.call) == (("3.1",), alone)
    w.tracker.ours(leg("3.2"))
    w.channel("3.2", "PJSIP/agent8-6")
    assert w.enter("b1", "3.2") == []
    w.leave("b1", "1.2")
    assert (w.call.agent, w.call.others) == (None, ())


def test_two_calls() -> None:
    """An agent with one call on hold and another up has both, told apart."""
    w = world()
    w.talk()
    w.tell(message("Hold", Uniqueid="1.2"))
    w.talk("2.1", "2.2", bridge="b2")
    assert [(c.id, c.held) for c in w.tracker.calls_of(AGENT7)] == [("1.1", True), ("2.1", False)]
    assert [c.id for c in w.tracker.snapshot()[0]] == ["1.1", "2.1"]
    w.leave("b2", "2.1", "2.2")
    assert [c.id for c in w.tracker.calls_of(AGENT7)] == ["1.1"]


def test_uid_order_is_age() -> None:
    """Legs are sorted by age, not as text: `9.10` is younger than `9.9`."""
    w = world()
    w.talk("9.10", "9.11", bridge="b2")
    w.talk("9.8", "9.9")
    assert [c.id for c in w.tracker.snapshot()[0]] == ["9.8", "9.10"]
