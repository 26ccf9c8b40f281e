"""Promises to the admin: a bad policy changes nothing, a good one is taken, the PBX can be checked, the trail holds."""

import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.asterisk.ears import hear_each_other
from tests.asterisk.house import SITE, House, open_house

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

POLICY = (
    SITE
    + """
    [keys.warn]
    does = "warn"
    kind = "abuse"
    code = "*91"

    [keys.end]
    does = "end"

    [kinds.abuse]
    may_end = true
    wait_s = 300
"""
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house with two agents."""
    async with open_house(tmp_path_factory.mktemp("admin"), POLICY, ("agent1", "agent2")) as opened:
        yield opened


async def version(house: House) -> str:
    """Return which policy is in force."""
    _, health = await house.health()
    found: str = health["policy"]["version"]
    return found


async def test_a_bad_policy_is_refused_a_good_one_taken_and_calls_under_way_keep_their_rules(centre: House) -> None:
    """File, line and key are named and the old one stays; a loosened wait counts for new calls alone; SIGHUP asks too.

    After all that the audit trail is unbroken.
    """
    words, service = centre.words(), centre.service
    good, first_version = service.policy_file.read_text(), await version(centre)
    under_way, agent1 = await centre.talk_in_tones("agent1")

    bad = good.replace("wait_s = 300", "wait_ss = 0")
    line = 1 + bad[: bad.index("wait_ss")].count("\n")
    service.policy_file.write_text(bad)
    refused = await words.until_said("policy_refused")
    assert refused["place"] == f"{service.policy_file}:{line}"
    assert refused["key"] == "kinds.abuse.wait_ss"
    assert "wait_s" in refused["remedy"]
    assert len(words.said("policy_refused")) == 1, "what is merely doubtful is no reason"
    assert await version(centre) == first_version
    assert not words.said("policy_loaded")

    service.policy_file.write_text(good.replace("wait_s = 300", "wait_s = 0"))
    await words.until_said("policy_loaded")
    second_version = await version(centre)
    assert second_version != first_version

    new, agent2 = await centre.talk_in_tones("agent2")
    for agent in ("agent1", "agent2"):
        assert (await service.press("warn", agent))["reason"] == "warning_started"
    await words.until_moved("warned", count=2)
    answer = await service.press("end", "agent1")
    assert (answer["verdict"], answer["reason"]) == ("not_yet", "wait")
    assert (await service.press("end", "agent2"))["reason"] == "ending"
    await agent2.is_ended(2)
    await new.is_ended(8)
    await hear_each_other(under_way, agent1)

    words = centre.words()
    assert service._process is not None
    os.kill(service._process.pid, signal.SIGHUP)
    assert (await words.until_said("policy_loaded"))["version"] == second_version
    await under_way.hang_up()
    await words.until_moved("ended")
    verified = await service.command("audit", "verify", "-c", str(service.policy_file))
    assert "unbroken" in verified


async def test_pbx_check_finds_the_prepared_pbx_right_and_names_what_is_missing(centre: House) -> None:
    """Nothing wrong with the lab; without the dialplan include it says so, and fails."""
    check = ("pbx-check", "-c", str(centre.service.policy_file))
    assert "error" not in await centre.service.command(*check)
    centre.pbx.write_config("extensions.d/bagvagt.conf", "")
    await centre.pbx.cli("dialplan reload")
    found = await centre.service.command(*check, expect=1)
    assert "error: the dialplan has no [bagvagt]" in found
    assert "extensions.d/bagvagt.conf" in found
    assert await centre.service.is_ready(), "looking took nothing away from the running service"
