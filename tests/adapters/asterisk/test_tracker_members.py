"""Queue members in the tracker: who is an agent, by which phone, and who is free."""

from datetime import UTC, datetime

import pytest

from adapters.asterisk.queues import NEVER, AgentRecord
from policies.events import CallChanged
from policies.model import Member, Source
from tests.adapters.asterisk.transcripts.world import AGENT7, World, agent_id, leg, member, message, told, world


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


def test_unlisted_member_line() -> None:
    """A list's other lines (`QueueParams`, callers) are not taken for members."""
    w = World()
    w.tracker.load([], [message("QueueParams", Queue="support"), member("agent7", "QueueMember")])
    assert [m.agent for m in w.tracker.snapshot()[1]] == [AGENT7]
