"""The same promises by the whole service: from the acute key to the key on the phone of the one on call."""

import time
from pathlib import Path

import pytest

from adapters.prompts.library import PromptLibrary
from tests.asterisk.house import SITE, open_house
from tests.lab import listening
from tests.lab.audio import read_wav
from tests.lab.waiting import until

pytestmark = pytest.mark.asterisk

POLICY = (
    SITE
    + """
    [keys.suicide]
    does = "flag"
    kind = "suicide"

    [kinds.suicide]
    latched = true
    page = "acute"
    break_s = 60

    [people.anna]
    voice = "PJSIP/agent2"
    language = "sv"

    [people.bo]
    sms = "+4520304052"

    [pages.acute]
    last_resort = "bo"

    [[pages.acute.steps]]
    people = ["anna"]
    wait_s = 600
"""
)
ACUTE = read_wav(PromptLibrary(None).find("page-acute", "sv").path)


async def test_the_acute_key_rings_who_is_on_call_and_1_takes_it_though_the_service_is_killed(tmp_path: Path) -> None:
    """Anna hears an acute alarm in Swedish; the service is killed with -9; she hears it again, and 1 counts.

    She is rung once, and Bo, who is next, is not told.
    """
    async with open_house(tmp_path, POLICY, ("agent1", "agent2")) as house:
        anna = await house.phone("agent2")
        assert (await house.service.press("suicide", "agent1"))["verdict"] == "accepted"
        call = await anna.takes(8)
        await until(lambda: listening.heard_whole(call, ACUTE), 10, "Anna hears the alarm")
        await house.service.kill()
        since = time.monotonic()
        words = house.words()
        await house.service.start()
        await until(lambda: listening.heard_whole(call, ACUTE, since), 15, "Anna hears the alarm again")
        assert not words.moved("answered")
        await call.press("1")
        await words.until_moved("answered", kind="page")
        await call.is_ended(8)
        assert len(anna.calls) == 1
        assert not house.carrier.taken
