"""What the product relies on in Asterisk 22, as `test_pbx_facts`: endings, third persons, keys, pauses, dialplan."""

import time

import pytest

from tests.asterisk.facts import AGENT_HZ, CALLER_HZ, CLOSING, COLLEAGUE_HZ, FEATURES, Conversation
from tests.conftest import MakeAsterisk
from tests.lab import listening
from tests.lab.asterisk import Asterisk
from tests.lab.audio import tone
from tests.lab.raw import Ami, Ari
from tests.lab.waiting import until

pytestmark = pytest.mark.asterisk


# Ending


@pytest.mark.parametrize("by", ["name", "id"])
async def test_redirect_frees_the_agent(talk: Conversation, by: str) -> None:
    """AMI Redirect of the caller: the agent's phone is free first, the caller hears the whole closing, then BYE."""
    talk.at_agent.say(tone(AGENT_HZ))
    async with Ami(talk.lab) as ami:
        since = time.monotonic()
        reply = await ami.send("Redirect", Channel=talk.caller[by], Context="bagvagt", Exten="closing", Priority="1")
    assert reply["Response"] == "Success"
    await talk.at_agent.is_ended()
    assert not talk.at_caller.ended.is_set()
    await talk.at_caller.is_ended()
    assert listening.heard_whole(talk.at_caller, CLOSING, since)
    assert talk.at_agent.bye_at is not None
    assert talk.at_caller.bye_at is not None
    assert talk.at_agent.bye_at < talk.at_caller.bye_at


async def test_deleted_channel_is_hung_up(talk: Conversation) -> None:
    """DELETE /channels/{id} gives the phone its BYE."""
    await talk.ari.call("DELETE", f"channels/{talk.agent['id']}")
    await talk.at_agent.is_ended()
    assert talk.at_agent.bye_at is not None


# A third person


@pytest.mark.parametrize("muted", [False, True])
async def test_third_person_stays_with_the_caller(talk: Conversation, muted: bool) -> None:  # noqa: FBT001
    """A colleague brought in by BridgeAdd hears both; when the agent hangs up, caller and colleague go on."""
    colleague = await talk.lab.phone("colleague", audio=tone(COLLEAGUE_HZ))
    talk.at_caller.say(tone(CALLER_HZ))
    talk.at_agent.mute(on=muted)
    async with Ami(talk.lab) as ami:
        await ami.send(
            "Originate",
            Channel="PJSIP/colleague",
            Application="BridgeAdd",
            Data=talk.caller["id"],
            Async="true",
        )
        at_colleague = await colleague.takes()
        since = time.monotonic()
        await listening.hears(at_colleague, CALLER_HZ, since)
        await listening.hears(talk.at_caller, COLLEAGUE_HZ, since)
        await talk.at_agent.hang_up()
    since = time.monotonic()
    await listening.hears(at_colleague, CALLER_HZ, since)
    await listening.hears(talk.at_caller, COLLEAGUE_HZ, since)


# Keys


async def test_key_by_applicationmap(talk: Conversation) -> None:
    """The agent's *91 arrives as a UserEvent; its digits do not reach the caller."""
    async with Ami(talk.lab) as ami:
        await talk.at_agent.press("*91")
        event = await ami.event("UserEvent", lambda e: e.get("UserEvent") == "BagvagtKey")
        assert event["Key"] == "end"
        await talk.at_agent.press("5")
        await until(lambda: "5" in talk.at_caller.rtp.keys, what="an ordinary key reaches the caller")
    assert talk.at_caller.rtp.keys == "5"


async def test_no_key_is_seen_in_a_plain_call(asterisk: Asterisk) -> None:
    """Without an application map AMI shows no DTMF event, though the caller's phone gets the digits."""
    async with Ari(asterisk) as ari, Ami(asterisk) as ami:
        plain = await Conversation(asterisk, ari).begin()
        await plain.at_agent.press("*91")
        await until(lambda: plain.at_caller.rtp.keys == "*91")
        await ami.send("UserEvent", UserEvent="Marker")
        await ami.event("UserEvent", lambda e: e.get("UserEvent") == "Marker")
        assert not [e for e in ami.events if e.get("Event", "").startswith("DTMF")]


async def test_features_by_a_global(asterisk_lab: MakeAsterisk) -> None:
    """DYNAMIC_FEATURES may be a global variable: no line of the site's own dialplan needs to change."""
    lab = await asterisk_lab(
        extra={
            "features.d/bagvagt.conf": FEATURES,
            "extensions.d/bagvagt.conf": "[globals]\nDYNAMIC_FEATURES=bagvagt_end\n",
        }
    )
    async with Ari(lab) as ari, Ami(lab) as ami:
        talk = await Conversation(lab, ari).begin()
        await talk.at_agent.press("*91")
        await ami.event("UserEvent", lambda e: e.get("UserEvent") == "BagvagtKey")


# Pauses


async def _member(ami: Ami, interface: str) -> dict[str, str]:
    start = len(ami.events)
    await ami.send("QueueStatus", Queue="support")
    await ami.event("QueueStatusComplete", start=start)
    return next(e for e in ami.events[start:] if e.get("Location") == interface)


async def test_one_reason_per_pause(lab: Asterisk) -> None:
    """A second pause overwrites the first one's reason, and one unpause lifts both: the PBX knows no owner."""
    async with Ami(lab) as ami:
        for reason in ("lunch", "bagvagt"):
            await ami.send("QueuePause", Interface="PJSIP/agent1", Paused="true", Reason=reason)
        assert (await _member(ami, "PJSIP/agent1"))["PausedReason"] == "bagvagt"
        await ami.send("QueuePause", Interface="PJSIP/agent1", Paused="false")
        assert (await _member(ami, "PJSIP/agent1"))["Paused"] == "0"


async def test_only_dynamic_members_stay_paused(lab: Asterisk) -> None:
    """After a restart a static member's pause is gone; a dynamic member and its pause are still there."""
    async with Ami(lab) as ami:
        await ami.send("QueueAdd", Queue="support", Interface="PJSIP/agent2", MemberName="agent2")
        for interface in ("PJSIP/agent1", "PJSIP/agent2"):
            await ami.send("QueuePause", Interface=interface, Paused="true", Reason="bagvagt")
    await lab.restart()
    async with Ami(lab) as ami:
        assert (await _member(ami, "PJSIP/agent1"))["Paused"] == "0"
        assert (await _member(ami, "PJSIP/agent2"))["Paused"] == "1"


# The dialplan


async def test_reload_wipes_added_extensions(lab: Asterisk) -> None:
    """DialplanExtensionAdd works until the next `dialplan reload`: hence the static include."""
    async with Ami(lab) as ami:
        reply = await ami.send(
            "DialplanExtensionAdd",
            Context="bagvagt",
            Extension="added",
            Priority="1",
            Application="NoOp",
        )
        assert reply["Response"] == "Success"
    assert "'added'" in await lab.cli("dialplan show bagvagt")
    await lab.cli("dialplan reload")
    shown = await lab.cli("dialplan show bagvagt")
    assert "'added'" not in shown
    assert "'join'" in shown
