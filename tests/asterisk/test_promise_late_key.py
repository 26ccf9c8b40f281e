"""Promises about keys that arrive late: one that would end a call ends nothing, an acute one is obeyed all the same."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio

from adapters.prompts.library import PromptLibrary
from tests.asterisk.ears import hear_each_other, hears_prompt
from tests.asterisk.house import SITE, House, open_house
from tests.asterisk.link import Link, link_to
from tests.lab import listening
from tests.lab.audio import Audio, read_wav
from tests.lab.waiting import until

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

LATE_S = 1.0
# The PBX's stamp is in whole seconds, and is taken for as young as it may be.
OLD_S = LATE_S + 1.5

POLICY = (
    SITE
    + f"""
    [presses]
    late_key_s = {LATE_S}

    [keys.warn]
    does = "warn"
    kind = "abuse"

    [keys.end]
    does = "end"
    code = "*96"
    speed_dial = "8596"

    [keys.suicide]
    does = "flag"
    kind = "suicide"
    code = "*99"

    [kinds.abuse]
    may_end = true
    wait_s = 0

    [kinds.suicide]
    latched = true
    page = "acute"
    break_s = 60

    [people.anna]
    sms = "+4520304051"

    [pages.acute]
    last_resort = "anna"

    [[pages.acute.steps]]
    people = ["anna"]
    wait_s = 600
"""
)


@dataclass
class Slow:
    """A house whose service learns of its PBX over a link that may stand still, and may be stopped itself."""

    house: House
    link: Link

    def stands_still(self, what: str) -> Callable[[], None]:
        """Let the link, or the service, stand still; return what lets it go on."""
        process = self.house.service._process
        assert process is not None
        if what == "link":
            self.link.hold()
            return self.link.release
        process.send_signal(signal.SIGSTOP)
        return lambda: process.send_signal(signal.SIGCONT)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Slow]:
    """Such a house, with six agents."""
    agents = [f"agent{n}" for n in range(1, 7)]
    async with (
        open_house(tmp_path_factory.mktemp("late"), POLICY, agents, start=False) as house,
        link_to(*house.pbx.ami) as link,
    ):
        house.write_policy(ami_port=link.port)
        await house.service.start()
        yield Slow(house, link)


def not_yet() -> Audio:
    """Return the tone that says so."""
    return read_wav(PromptLibrary(None).find_tone("tone-not-yet").path)


@pytest.mark.parametrize(
    ("what", "agent", "by"),
    [("link", "agent1", "code"), ("service", "agent2", "code"), ("service", "agent3", "speed dial")],
)
async def test_an_end_key_that_arrives_late_ends_nothing_and_the_agent_is_told(
    slow: Slow, what: str, agent: str, by: str
) -> None:
    """Warned, all is permitted; the press waits on the way: too late, by a tone. Pressed again, in time, it ends."""
    house = slow.house
    words = house.words()
    at_caller, at_agent = await house.talk_in_tones(agent)
    await house.service.press("warn", agent)
    await words.until_moved("warned")
    go_on = slow.stands_still(what)
    try:
        if by == "code":
            await at_agent.press("*96")
        else:
            await at_agent.hold()
            await (await house.phone(agent)).dial("8596")
        await asyncio.sleep(OLD_S)  # how late the key is
    finally:
        go_on()
    since = time.monotonic()
    await words.until_told("too_late")
    if by == "speed dial":  # its own call is over: the tone is heard in the caller's
        await at_agent.resume()
    else:
        await until(lambda: listening.heard_whole(at_agent, not_yet(), since), 5, "the agent's own tone")
    assert not words.did("Release")
    await hear_each_other(at_caller, at_agent)
    since = time.monotonic()
    await at_agent.press("*96")
    await at_agent.is_ended(8)
    await at_caller.is_ended(8)
    await hears_prompt(at_caller, "closing", since)


async def test_an_acute_key_that_arrives_late_is_obeyed_also_in_a_call_that_began_meanwhile(slow: Slow) -> None:
    """The service stands still while the agent answers, and flags the call as suicide: latched and paged afterwards."""
    house = slow.house
    words = house.words()
    go_on = slow.stands_still("service")
    try:
        at_caller, at_agent = await house.talk_in_tones("agent4")
        await at_agent.press("*99")
        await asyncio.sleep(OLD_S)  # how late the key is
    finally:
        go_on()
    await words.until_moved("acute", kind="guard")
    await until(lambda: house.carrier.to("+4520304051"), 5, "the backup is told")
    for key in ("warn", "end"):
        assert (await house.service.press(key, "agent4"))["reason"] == "latched"
    await hear_each_other(at_caller, at_agent)
    await at_caller.hang_up()
