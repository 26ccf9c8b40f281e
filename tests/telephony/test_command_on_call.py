"""Who is on call, as an admin asks for it on the command line, and as the running service follows a calendar."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from tests.lab.service import Service
from tests.lab.waiting import until
from tests.telephony.test_command import run

POLICY = """
    [site]
    name = "Test"
    zone = "Europe/Copenhagen"
    language = "da"
    country = ""

    [pbx]
    kind = "simulator"

    [http]
    port = {http_port}

    [mqtt]
    host = "127.0.0.1"
    port = 9

    [kinds.suicide]
    latched = true
    break_s = 60
    page = "acute"

    [people.anna]
    mqtt = "anna"

    [people.bo]
    mqtt = "bo"

    [rotas.backup]
    calendar_file = "backup.ics"

    [pages.acute]
    last_resort = "bo"

    [[pages.acute.steps]]
    rotas = ["backup"]
    wait_s = 60
"""


def calendar(*shifts: tuple[str, datetime, datetime]) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN"]
    for number, (person, since, until_) in enumerate(shifts):
        lines += ["BEGIN:VEVENT", f"UID:{number}", f"DTSTAMP:{since:%Y%m%dT%H%M%SZ}", f"SUMMARY:{person}"]
        lines += [f"DTSTART:{since:%Y%m%dT%H%M%SZ}", f"DTEND:{until_:%Y%m%dT%H%M%SZ}", "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A policy whose rota is a calendar: Anna, for the two days around now."""
    now = datetime.now(UTC)
    (tmp_path / "backup.ics").write_text(calendar(("anna", now - timedelta(days=1), now + timedelta(days=1))))
    return Service(tmp_path, POLICY)


async def test_who_names_those_whom_the_calendar_names_now(service: Service) -> None:
    """By rung and channel, with the last resort; the same for machines."""
    said = await service.command("who", "-c", str(service.policy_file))
    assert "anna by mqtt" in said
    assert "last resort" in said
    told = json.loads(await service.command("who", "-c", str(service.policy_file), "--json", "--plan", "acute"))
    assert [reach["plan"] for reach in told["plans"]] == ["acute"]


def test_who_of_an_unknown_plan_names_the_known_ones(service: Service) -> None:
    """A clear answer instead of a traceback."""
    assert "acute" in run("who", "-c", service.policy_file, "--plan", "nonsense", expect=1)


def test_check_warns_of_the_days_on_which_nobody_is_on_call(service: Service) -> None:
    """The calendar ends tomorrow: the step's line, when, and what to do."""
    said = run("check", service.policy_file)
    assert "nobody is on call on this step" in said or "would reach nobody but the last resort" in said
    assert "add somebody to the rota" in said
    assert "fine, with" in said


async def test_the_running_service_takes_a_changed_calendar_and_counts_the_gaps(service: Service) -> None:
    """On SIGHUP: what was a gap is none, since the calendar covers the month; the metric and the log say so."""

    async def gaps() -> float:
        async with aiohttp.ClientSession() as web, web.get(f"{service.url}/metrics") as answer:
            found = [line for line in (await answer.text()).splitlines() if line.startswith("bagvagt_on_call_gaps ")]
        return float(found[0].split()[1])

    await service.start(ready=False)
    try:
        await until(lambda: service.said("started"), 40.0, "it listens")
        await until(lambda: service.said("on_call_gap"), 40.0, "a gap is said")
        assert await gaps() > 0
        now = datetime.now(UTC)
        text = calendar(("bo", now - timedelta(days=1), now + timedelta(days=60)))
        (service.folder / "backup.ics").write_text(text)
        service.ask_to_reload()

        async def is_taken() -> bool:
            return await gaps() == 0

        await until(is_taken, 40.0, "the calendar is taken")
    finally:
        await service.kill()
