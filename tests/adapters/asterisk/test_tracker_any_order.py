"""The tracker, told anything, in any order."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.asterisk.tracker import Tracker
from policies.model import LiveCall
from telephony.ports import Seen
from tests.adapters.asterisk.transcripts.world import World, message, told, world

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
