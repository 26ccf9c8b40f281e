"""Legs in the tracker: names, bridges, watchers, and events that come late."""

from adapters.asterisk.legs import LegNews
from tests.adapters.asterisk.transcripts.world import AGENT7, leg, message, told, world


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
