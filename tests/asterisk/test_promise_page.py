"""Promises about pages: they reach people at any hour, by what still works, and only a person's answer ends them."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.asterisk.house import SITE, House, Mobile, mobile_at, open_house
from tests.lab.service import fake_clock
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

    [office_hours]
    mon = ["08:00-16:00"]

    [people.desk]
    mqtt = "desk"
    sms = "+4520304050"

    [people.anna]
    mqtt = "anna"
    sms = "+4520304051"

    [people.bo]
    sms = "+4520304052"

    [pages.acute]
    last_resort = "desk"

    [[pages.acute.steps]]
    people = ["desk"]
    wait_s = 600
    when = "office"

    [[pages.acute.steps]]
    people = ["anna"]
    wait_s = 10
    when = "outside"

    [[pages.acute.steps]]
    people = ["bo"]
    wait_s = 600
"""
)
DESK, ANNA, BO = "+4520304050", "+4520304051", "+4520304052"
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # 10:00 in Copenhagen
SUNDAY_NIGHT = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)  # 02:30 in Copenhagen


@pytest.fixture
async def quiet(tmp_path: Path) -> AsyncIterator[House]:
    """A house whose service is started by the story, at an hour of its own."""
    async with open_house(tmp_path, POLICY, ("agent1",), people=("bo",), start=False) as opened:
        yield opened


async def test_in_office_hours_the_desk_is_told_and_takes_it_by_mqtt(quiet: House) -> None:
    """Monday at 10: the desk by MQTT and SMS, and nobody else; its answer by MQTT ends the page, and is told."""
    quiet.service.environment.update(fake_clock(MONDAY))
    words = quiet.words()
    await quiet.service.start()
    await words.until_said("mqtt_connected")
    async with mobile_at(quiet.broker.port) as mobile:
        assert (await quiet.service.press("suicide", "agent1"))["verdict"] == "accepted"
        await until(lambda: mobile.told("desk") and quiet.carrier.to(DESK), 5, "the desk is told")
        page = json.loads(mobile.told("desk")[0])
        assert page["severity"] == "acute"
        assert not words.moved("answered"), "sent is not answered"
        await mobile.acknowledge(page["page"], "desk")
        await words.until_moved("answered")
        await until(lambda: _knows(mobile, "desk", "desk"), 5, "the desk's other screens know")
        assert not mobile.told("anna")
    assert {sms["to"] for sms in quiet.carrier.taken} == {DESK}


async def test_outside_office_hours_with_a_dead_broker_sms_goes_and_mqtt_follows(quiet: House) -> None:
    """Sunday at 02:30, the broker is dead: Anna has SMS at once, and MQTT when the broker is back; not the desk.

    A stranger's answer is none. Anna does not answer; Bo, who has SMS alone, is next and takes it on the command line.
    """
    quiet.service.environment.update(fake_clock(SUNDAY_NIGHT))
    words = quiet.words()
    await quiet.service.start()
    await words.until_said("mqtt_connected")
    await quiet.broker.kill()
    await words.until_said("mqtt_lost")
    assert (await quiet.service.press("suicide", "agent1"))["verdict"] == "accepted"
    await until(lambda: quiet.carrier.to(ANNA), 5, "Anna has the SMS")
    assert not quiet.carrier.to(BO)
    await quiet.broker.start()
    async with mobile_at(quiet.broker.port) as mobile:
        await until(lambda: mobile.told("anna"), 25, "Anna has it by MQTT too")
        page = json.loads(mobile.told("anna")[0])["page"]
        await mobile.acknowledge(page, "nobody-we-know")
        await until(lambda: quiet.carrier.to(BO), 15, "Bo is told by SMS")
        assert not words.moved("answered")
        quiet.service.secret_file("bo.token", quiet.service.tokens["bo"])
        take = ("acknowledge", page, "--server", quiet.service.url, "--token-file")
        printed = await quiet.service.command(*take, str(quiet.service.folder / "bo.token"))
        assert "taken by bo" in printed
        await words.until_moved("answered")
        await until(lambda: _knows(mobile, "anna", "bo"), 5, "Anna is told who has it")
    assert not quiet.carrier.to(DESK)


def _knows(mobile: Mobile, person: str, by: str) -> bool:
    """Tell whether somebody was told who has taken the page."""
    answers = [payload for payload in map(json.loads, mobile.told(person)) if payload["state"] == "answered"]
    assert all(answer["by"] == by for answer in answers)
    return bool(answers)
