"""What counts as heard on a real Asterisk: packets alone do not, while the agent talks."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.asterisk.ami_codec import Message
from policies.events import Played
from tests.asterisk.test_procedures import talking
from tests.contract.asking import announce
from tests.contract.asterisk_world import AsteriskWorld, open_world
from tests.lab.raw import Ami

pytestmark = pytest.mark.asterisk


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[AsteriskWorld]:
    """A lab Asterisk with the snippets in place and the adapter connected with their users."""
    async with open_world(tmp_path) as opened:
        yield opened


async def test_an_announcer_that_left_unseen_was_not_heard(
    world: AsteriskWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is taken elsewhere and plays to its end there, we are not told, and the agent's packets flow: NOT_HEARD."""
    caller, _, call = await talking(world)
    playing = asyncio.create_task(world.pbx.announce(announce(call)))
    await world.until(lambda: caller.has_heard_any("warning"))
    gone, steps = world.voice_in(call), world.pbx.tracker._steps
    leave = steps["BridgeLeave"]

    def unless_it_is_the_voice(message: Message) -> None:
        if message.get("Channel") != gone:
            leave(message)

    monkeypatch.setitem(steps, "BridgeLeave", unless_it_is_the_voice)
    world.lab.write_config("extensions.d/elsewhere.conf", "[elsewhere]\nexten => s,1,Wait(30)\n")
    await world.lab.cli("dialplan reload")
    async with Ami(world.lab) as ami:
        reply = await ami.send("Redirect", Channel=gone, Context="elsewhere", Exten="s", Priority="1")
    assert reply["Response"] == "Success"
    done = await playing
    assert done.played is Played.NOT_HEARD
    assert "announcer" in done.detail
    assert not caller.has_heard("warning")
    assert (await world.pbx.announce(announce(call, name="say.2"))).played is Played.HEARD
    await world.until(lambda: caller.has_heard("warning"))
