"""The tracker, told by hand: one case after another, also those that no recording has."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.asterisk.legs import LegNews
from adapters.asterisk.queues import NEVER, AgentRecord
from adapters.asterisk.tracker import Tracker
from policies.events import CallChanged
from policies.model import CallId, LiveCall, Member, Source
from telephony.ports import Seen
from tests.adapters.asterisk.transcripts.world import World, agent_id, leg, member, message, told, world

AGENT7, AGENT8 = agent_id("agent7"), agent_id("agent8")


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
    """The call goes on from agent to agent, between them without one; each agent's last call is kept as it was."""
    w = world("agent7", "agent8")
    w.talk()
    began = w.call
    w.leave("b1", "1.1", "1.2")
    left_at = w.at
    w.hang_up("1.2")
    assert w.tracker.calls_of(AGENT7) == ()
    last = w.tracker.last_call_of(AGENT7)
    assert last is not None
    assert last[0] == began
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


def test_feature_code() -> None:
    """A feature code names the key, the agent and the leg that it was pressed in; the call stays as it is."""
    w = world()
    w.talk()
    event = message("UserEvent", Channel="PJSIP/agent7-1.2", Uniqueid="1.2", UserEvent="BagvagtKey", Key="warn")
    (seen,) = w.tell(event)
    assert told([seen]) == [("warn", AGENT7, "1.2", Source.CODE)]
    assert getattr(seen, "pressed_at", None) == w.at
    assert w.tell(message("UserEvent", Uniqueid="1.2", UserEvent="Other", Key="warn")) == []


@pytest.mark.parametrize("token", [None, "", "right ", "wrong", "r\u00eeght"])
def test_a_key_without_the_token_is_none(token: str | None) -> None:
    """Only an event with the site's own token is a key; the last line counts, since a caller's lines come before."""
    w = World(key_token="right")
    w.member("agent7")
    w.talk()
    fields = {"Channel": "PJSIP/agent7-1.2", "Uniqueid": "1.2", "UserEvent": "BagvagtKey", "Key": "warn"}
    given = {} if token is None else {"Token": token}
    assert w.tell(message("UserEvent", **fields, **given)) == []
    assert told(w.tell(message("UserEvent", **fields, Token="right"))) == [("warn", AGENT7, "1.2", Source.CODE)]
    twice = message("UserEvent", **fields, Token="right")
    twice.text += "\r\nToken: wrong"
    assert w.tell(twice) == []


def test_lines_in_a_callers_number() -> None:
    """Lines that a number brought name another leg, queue and language: what stands after the number is true."""
    w = world()
    w.talk("9.1", "9.2", bridge="b9")
    other = w.call
    forged = "1\r\nUniqueid: 9.1\r\nLanguage: sv\r\nChannelState: 0\r\nBridgeUniqueid: b9"
    w.channel("1.1", "PJSIP/trunk-1.1", number=forged)
    w.channel("1.2", "PJSIP/agent7-1.2", 0)
    w.enter("b1", "1.2", "1.1", number=forged)
    assert {c.id for c in w.tracker.calls_of(AGENT7)} == {"1.1", "9.1"}
    assert w.tracker.call(CallId("9.1")) == other
    assert w.tracker.legs_in("b9") == ("9.2", "9.1")
    call = w.tracker.call(CallId("1.1"))
    assert call is not None
    assert (call.bridge, call.language) == ("b1", "en")


def test_speed_dial() -> None:
    """A speed dial names the agent of the phone and no leg; its channel is never a call, whatever it is bridged to."""
    w = world()
    w.talk()
    w.channel("2.1", "PJSIP/agent7-9", 4)
    fields = {"Channel": "PJSIP/agent7-9", "Uniqueid": "2.1", "UserEvent": "BagvagtKey", "Key": "warn"}
    assert told(w.tell(message("UserEvent", **fields, Source="speed_dial"))) == [
        ("warn", AGENT7, None, Source.SPEED_DIAL)
    ]
    w.channel("2.2", "PJSIP/trunk-10")
    assert w.enter("b9", "2.1", "2.2") == []
    assert [c.id for c in w.tracker.calls_of(AGENT7)] == ["1.1"]


def test_key_of_nobody() -> None:
    """A key from a leg that is no agent's, from nowhere, or without a name, does nothing."""
    w = world()
    w.talk()
    for fields in ({"Uniqueid": "1.1", "Key": "warn"}, {"Key": "warn"}, {"Uniqueid": "1.2"}):
        assert w.tell(message("UserEvent", UserEvent="BagvagtKey", **fields)) == []


def test_key_before_its_channel_is_known() -> None:
    """Asterisk's own channel name says whose key it is, should the leg not be known."""
    w = world()
    fields = {"Channel": "PJSIP/agent7-00000009", "Uniqueid": "7.7", "UserEvent": "BagvagtKey", "Key": "warn"}
    assert told(w.tell(message("UserEvent", **fields))) == [("warn", AGENT7, None, Source.CODE)]


def test_members() -> None:
    """A member is told when it is new, paused, paused for another reason, unpaused; not for its device or calls."""
    w = World()
    assert told(w.member("agent7")) == [Member(AGENT7, "support", paused=False, static=True)]
    assert w.member("agent7", Status=2, InCall=1) == []
    paused: dict[str, str | int] = {"Paused": 1, "PausedReason": "lunch"}
    assert told(w.member("agent7", "QueueMemberPause", **paused)) == [
        Member(AGENT7, "support", paused=True, reason="lunch", static=True)
    ]
    assert w.member("agent7", "QueueMemberStatus", **paused) == []
    assert told(w.member("agent7", Paused=1, PausedReason="bagvagt:b1")) == [
        Member(AGENT7, "support", paused=True, reason="bagvagt:b1", static=True)
    ]
    assert told(w.member("agent7", Queue="other", Membership="dynamic")) == [Member(AGENT7, "other", paused=False)]
    assert [m.queue for m in w.tracker.members_of(AGENT7)] == ["support", "other"]
    assert w.member("agent7", "QueueMemberRemoved", Queue="other") == []
    assert [m.queue for m in w.tracker.members_of(AGENT7)] == ["support"]
    assert w.tracker.snapshot()[1] == w.tracker.members_of(AGENT7)


def test_candidates() -> None:
    """Only who is in a queue, paused in none, in no call and not ringing is free, since the last call."""
    busy: list[dict[str, str | int]] = [{"Paused": 1}, {"Status": 2}, {"Status": 5}, {"Status": 0}, {"InCall": 1}]
    for fields in busy:
        w = world()
        w.member("agent7", "QueueMemberStatus", **{"Queue": "other", **fields})
        assert w.tracker.candidates()[0].free_since is None, fields
    w = world()
    assert w.tracker.candidates()[0].free_since == NEVER
    w.member("agent7", LastCall=1_795_316_396)
    assert w.tracker.candidates()[0].free_since == datetime.fromtimestamp(1_795_316_396, UTC)
    w.channel("1.2", "PJSIP/agent7-2", 5)
    assert w.tracker.candidates()[0].free_since is None
    w.hang_up("1.2")
    w.talk(leg="1.3")
    w.leave("b1", "1.3")
    left_at = w.at
    w.hang_up("1.3")
    assert w.tracker.candidates()[0].free_since == max(left_at, datetime.fromtimestamp(1_795_316_396, UTC))


def test_agents_of_the_policy() -> None:
    """The policy names an agent, its team and its phone; who is in no queue has calls but is no candidate."""
    w = World(AgentRecord(agent_id("anna"), "PJSIP/agent7", team="night", name="Anna"))
    w.talk()
    assert w.call.agent == "anna"
    (candidate,) = w.tracker.candidates()
    assert (candidate.target.name, candidate.target.endpoint, candidate.team) == ("Anna", "PJSIP/agent7", "night")
    w.hang_up("1.1", "1.2")
    assert w.tracker.candidates()[0].free_since is None
    assert told(w.member("agent7")) == [Member(agent_id("anna"), "support", paused=False, static=True)]


@pytest.mark.parametrize(
    ("interface", "state", "agent", "endpoint"),
    [
        ("PJSIP/agent7", "PJSIP/agent7", "agent7", "PJSIP/agent7"),
        ("Local/101@from-queue/n", "PJSIP/agent7", "agent7", "PJSIP/agent7"),
        ("Local/101@from-queue/n", "hint:101@ext-local", "101", "Local/101@from-queue/n"),
        ("PJSIP/agent7", "hint:101@ext-local", "agent7", "PJSIP/agent7"),
    ],
)
def test_interfaces(interface: str, state: str, agent: str, endpoint: str) -> None:
    """An agent's id and phone come from its interface, or from the StateInterface of a Local channel."""
    w = World()
    w.member("x", Interface=interface, StateInterface=state)
    (candidate,) = w.tracker.candidates()
    assert (candidate.target.agent, candidate.target.endpoint) == (agent, endpoint)


def test_agent_connect_tells_whose_leg() -> None:
    """A member who is rung by the trunk is known by what Asterisk says when it connects."""
    w = World()
    w.member("x", Interface="PJSIP/4712345678@trunk", StateInterface="hint:7@x")
    w.channel("1.1", "PJSIP/trunk-1")
    w.channel("1.2", "PJSIP/trunk-2", 0)
    w.tell(message("AgentConnect", Uniqueid="1.1", DestUniqueid="1.2", Interface="PJSIP/4712345678@trunk"))
    w.enter("b1", "1.2", "1.1")
    assert (w.call.caller, w.call.agent) == ("1.1", "4712345678")


def test_local_member_that_stays() -> None:
    """With `/n` the near half of the Local channel is the agent's leg; the phone's hold and keys count for it."""
    w = World()
    w.member("x", Interface="Local/101@from-queue/n", StateInterface="PJSIP/agent7")
    w.channel("1.1", "PJSIP/trunk-1")
    w.channel("1.2", "Local/101@from-queue-0000;1")
    w.channel("1.3", "Local/101@from-queue-0000;2")
    w.channel("1.4", "PJSIP/agent7-4")
    assert w.enter("b2", "1.4", "1.3") == []
    w.enter("b1", "1.2", "1.1")
    assert (w.call.agent, w.call.agent_leg, w.call.bridge) == (AGENT7, "1.2", "b1")
    w.tell(message("Hold", Uniqueid="1.4"))
    assert w.call.held
    pressed = message("UserEvent", Uniqueid="1.4", UserEvent="BagvagtKey", Key="warn")
    assert told(w.tell(pressed)) == [("warn", AGENT7, "1.2", Source.CODE)]


def test_one_agent_by_two_interfaces() -> None:
    """An agent who is a member directly and behind a Local channel is one agent, with the legs of both."""
    w = world()
    w.member("x", Queue="other", Interface="Local/101@from-queue/n", StateInterface="PJSIP/agent7")
    assert [(c.target.agent, c.target.endpoint) for c in w.tracker.candidates()] == [(AGENT7, "PJSIP/agent7")]
    w.channel("1.2", "Local/101@from-queue-0000;1")
    assert w.tracker.agent_of(leg("1.2")) == AGENT7


def test_member_logs_in_during_a_call() -> None:
    """Who becomes an agent in the middle of a call is its agent from then on."""
    w = World()
    w.talk()
    assert w.tracker.snapshot()[0] == ()
    seen = w.member("agent7", "QueueMemberAdded")
    assert isinstance(seen[0], CallChanged)
    assert w.call.agent == AGENT7


def test_rename() -> None:
    """A leg follows its channel's new name."""
    w = world()
    w.channel("1.1", "PJSIP/trunk-1")
    w.channel("1.2", "AsyncGoto/PJSIP/x-2")
    w.enter("b1", "1.1", "1.2")
    assert w.tracker.agent_of(leg("1.2")) is None
    w.tell(message("Rename", Uniqueid="1.2", Newname="PJSIP/agent7-2"))
    assert (w.tracker.agent_of(leg("1.2")), w.call.agent) == (AGENT7, AGENT7)
    assert w.tracker.channel_name(leg("1.2")) == "PJSIP/agent7-2"


def test_questions_about_legs() -> None:
    """A leg is up when it answered, has a bridge while it stands in one, and none of it once it is gone."""
    w = world()
    one = leg("1.2")
    w.channel("1.2", "PJSIP/agent7-2", 0)
    assert not w.tracker.leg_is_up(one)
    w.tell(message("Newstate", ChannelState=5, ChannelStateDesc="Ringing", Uniqueid="1.2"))
    assert not w.tracker.leg_is_up(one)
    w.tell(message("Newstate", ChannelState=6, ChannelStateDesc="Up", Uniqueid="1.2"))
    assert w.tracker.leg_is_up(one)
    w.enter("b1", "1.2")
    assert (w.tracker.bridge_of(one), w.tracker.legs_in("b1")) == ("b1", ("1.2",))
    w.hang_up("1.2")
    assert (w.tracker.bridge_of(one), w.tracker.legs_in("b1"), w.tracker.leg_is_up(one)) == (None, (), False)
    assert w.tracker.channel_name(one) is w.tracker.agent_of(one) is None


def test_watch() -> None:
    """A watcher is told answer, bridges and end of its leg alone, until it stops or the leg is gone."""
    w = world()
    news: list[tuple[LegNews, str]] = []
    other: list[tuple[LegNews, str]] = []
    w.tracker.watch(leg("1.2"), lambda what, detail: news.append((what, detail)))
    stop = w.tracker.watch(leg("1.2"), lambda what, detail: other.append((what, detail)))
    w.talk()
    stop()
    stop()
    w.leave("b1", "1.2")
    w.hang_up("1.2", "1.1")
    came = [(LegNews.ANSWERED, ""), (LegNews.ENTERED, "b1")]
    assert other == came
    assert news == [*came, (LegNews.LEFT, "b1"), (LegNews.GONE, "16")]
    w.tracker.watch(leg("9.9"), lambda what, detail: news.append((what, detail)))
    w.tracker.begin_epoch()
    assert news[4:] == [(LegNews.LOST, "")]


def test_bridge_destroyed() -> None:
    """A bridge that goes takes its legs out, should their leaving not have been told."""
    w = world()
    w.talk()
    w.tell(message("BridgeDestroy", BridgeUniqueid="b1"))
    assert (w.call.agent, w.tracker.bridge_of(leg("1.1"))) == (None, None)


def test_hangup_without_leaving() -> None:
    """A leg that goes straight away has left its bridge, its agent and its call."""
    w = world()
    w.talk()
    began = w.call
    w.hang_up("1.1")
    assert w.tracker.snapshot()[0] == ()
    assert w.tracker.last_call_of(AGENT7) == (began, w.at)
    assert told(w.seen)[-1] == "1.1 ended"


def test_gone_stays_gone() -> None:
    """An event about a leg that has hung up does not bring it back."""
    w = world()
    w.talk()
    w.hang_up("1.1", "1.2")
    assert w.enter("b1", "1.2", "1.1") + w.hang_up("1.1") == []
    assert w.tracker.legs_in("b1") == ()


def test_leave_of_another_bridge() -> None:
    """A late word that a leg left its former bridge does not take it out of this one."""
    w = world()
    w.talk()
    w.enter("b2", "1.1", "1.2")
    assert w.leave("b1", "1.1", "1.2") == []
    assert (w.call.agent, w.call.bridge) == (AGENT7, "b2")


_UIDS = st.sampled_from(["", "1.1", "1.2", "1.3", "announcer"])
_NAMES = ["", "PJSIP/agent7-1", "PJSIP/agent8-1", "PJSIP/trunk-1", "Local/1@x-1;1", "Local/1@x-1;2", "X-1<ZOMBIE>"]
_ANY = st.builds(
    lambda name, uid, other, channel, bridge, words: message(
        name,
        **{k: v for k, v in words.items() if v != "-"},
        Uniqueid=uid,
        DestUniqueid=other,
        Channel=channel,
        Newname=channel,
        BridgeUniqueid=bridge,
    ),
    st.sampled_from([*sorted(Tracker.WANTED), "Unheard"]),
    _UIDS,
    _UIDS,
    st.sampled_from(_NAMES),
    st.sampled_from(["", "b1", "b2"]),
    st.fixed_dictionaries(
        {
            "Queue": st.sampled_from(["-", "", "support"]),
            "Interface": st.sampled_from(["-", "", "PJSIP", "PJSIP/agent7", "PJSIP/agent8", "Local/1@x/n"]),
            "StateInterface": st.sampled_from(["-", "PJSIP/agent7", "hint:1"]),
            "LastCall": st.sampled_from(["-", "", "abc", "²", "99999999999", "1795316396"]),
            "UserEvent": st.sampled_from(["-", "BagvagtKey"]),
            "Key": st.sampled_from(["-", "warn"]),
            "Source": st.sampled_from(["-", "speed_dial", "x"]),
            "ChannelState": st.sampled_from(["-", "0", "6"]),
        }
    ),
)


@given(st.lists(_ANY, max_size=40))
def test_any_events_in_any_order(events: list[object]) -> None:
    """Whatever comes, in whatever order and however often: nothing raises, and the picture agrees with itself."""
    w = world("agent7")
    for event in events:
        w.tell(event)  # type: ignore[arg-type]  # made by message()
        calls, _ = w.tracker.snapshot()
        for call in calls:
            beside = w.tracker.legs_in(w.tracker.bridge_of(call.caller) or "")
            assert w.tracker.channel_name(call.caller) is not None
            assert (call.agent is None) == (call.agent_leg is None) == (call.bridge is None)
            if call.agent is not None and call.agent_leg is not None:
                assert {call.caller, call.agent_leg} <= set(beside)
                assert call in w.tracker.calls_of(call.agent)
    _told_as_it_is(w.seen, w)


def _told_as_it_is(seen: list[Seen], w: World) -> None:
    """What was emitted, followed by somebody who has nothing else, is what the tracker shows."""
    calls: dict[str, LiveCall] = {}
    for each in told(seen):
        if isinstance(each, LiveCall):
            assert calls.get(each.id) != each, "told without a change"
            calls[each.id] = each
        elif isinstance(each, str):
            del calls[each.removesuffix(" ended")]
    assert calls == {call.id: call for call in w.tracker.snapshot()[0]}


def test_unlisted_member_line() -> None:
    """A list's other lines (`QueueParams`, callers) are not taken for members."""
    w = World()
    w.tracker.load([], [message("QueueParams", Queue="support"), member("agent7", "QueueMember")])
    assert [m.agent for m in w.tracker.snapshot()[1]] == [AGENT7]
