"""Calls about pages on the simulated PBX: what its people do, and what it does by itself."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.paging.voice import VoiceChannel, VoiceConfig
from adapters.paging.voice_call import About, page_leg
from adapters.prompts.library import PromptLibrary
from adapters.simulator.page_calls import ALIVE_S
from adapters.simulator.pbx import SimulatedPbx
from adapters.simulator.people import People
from adapters.simulator.timing import LoopTime
from adapters.simulator.world import SimWorld
from policies.actions import Notify
from policies.events import Event, MessageReported, PageAnswered, PagePassed
from policies.rules import Severity
from telephony.ports import Seen
from tests.contract.simulator_world import CountingClock
from tests.lab.waiting import until

ABOUT = About("p-1.0", "p-1", "anna", "PJSIP/anna", "en", "page-acute")
LEG = page_leg("p-1.0")
SPEED = 50.0


@pytest.fixture
async def pbx() -> AsyncIterator[SimulatedPbx]:
    """A simulated PBX that is followed, fifty times as fast as a real one."""
    made = SimulatedPbx(SimWorld(LoopTime(speed=SPEED), {}), CountingClock())
    seen: list[Seen] = []
    running = asyncio.create_task(made.run(seen.append))
    await until(lambda: seen)
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(("presses", "wanted"), [("1", [PageAnswered]), ("73", [PagePassed]), ("", [])])
async def test_people_press_what_they_are_told_to(pbx: SimulatedPbx, presses: str, wanted: list[type[Event]]) -> None:
    """One who takes a page, one who passes it on after a slip of the finger, and a voicemail."""
    phone = People(pbx.world).phone("PJSIP/anna", answers_after_s=2.0, presses=presses)
    events: list[Event] = []
    channel = VoiceChannel(VoiceConfig(repeat=1, key_s=0.1), pbx.page_calls, PromptLibrary(None), CountingClock())
    running = asyncio.create_task(channel.run(events.append))
    try:
        await channel.tell(
            Notify(
                id="a",
                page="p-1",
                incident="i-1",
                reason="call",
                severity=Severity.ACUTE,
                person="anna",
                channel="voice",
                address="PJSIP/anna",
                language="en",
                step=0,
                attempt=1,
                message="p-1.0",
            )
        )
        await until(lambda: any(isinstance(e, MessageReported) for e in events) and not pbx.world.legs)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [type(e) for e in events if isinstance(e, (PageAnswered, PagePassed))] == wanted
    assert phone.heard[0].what == "tone:tone-pause"


async def test_a_call_to_which_nobody_speaks_ends(pbx: SimulatedPbx) -> None:
    """The service has died: the PBX hangs up by itself, and no sooner than it should."""
    People(pbx.world).phone("PJSIP/anna", answers_after_s=0.0)
    assert await pbx.page_calls.place(LEG, ABOUT, ring_s=5, caller_id="")
    began = pbx.world.time.now()
    await until(lambda: LEG in pbx.world.legs and pbx.world.legs[LEG].place == "brief")
    await pbx.page_calls.say(LEG, [("page-acute", "en")], 5.0)
    await until(lambda: LEG not in pbx.world.legs)
    assert (pbx.world.time.now() - began).total_seconds() >= ALIVE_S + 5
    assert pbx.world.history[-1].detail.endswith("nobody spoke")
