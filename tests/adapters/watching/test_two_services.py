"""Two real services, each a process of its own with the policy that an admin writes: one watches the other."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from tests.adapters.watching.outside import Outside
from tests.lab.service import Service, SmsGateway, free_port
from tests.lab.waiting import until

POLICY = """
    [site]
    name = "Odense"
    zone = "Europe/Copenhagen"
    language = "en"
    country = "DK"

    [pbx]
    kind = "simulator"

    [http]
    port = {http_port}
    tokens_file = "tokens.toml"

    [people.kim]
    {channel} = "{address}"

    [pages.acute]
    last_resort = "kim"
    [[pages.acute.steps]]
    people = ["kim"]
    wait_s = 600
"""
BY_SMS = """
    [sms.gateway]
    url = "http://127.0.0.1:{sms_port}/sms"
    body = '{"to": "{to}", "text": "{text}", "id": "{id}"}'
"""
BY_MQTT = """
    [mqtt]
    prefix = "bagvagt/odense"
    port = {mqtt_port}
    tls = false
"""
WATCH = """
    [[watch]]
    name = "aarhus"
    url = "http://127.0.0.1:{other_port}/healthz"
    every_s = 5
    silent_s = 10
    plan = "acute"
"""
HEARTBEAT = """
    [heartbeat]
    url_file = "heartbeat"
    every_s = 10
    mqtt = false
"""
PATH = "/ping/5c1d"
KIM = "+4520304053"


def made_in(folder: Path, policy: str, **values: object) -> Service:
    folder.mkdir()
    made = Service(folder, policy)
    made.token("kim-phone", "person", person="kim")
    made.write(**values)
    return made


@asynccontextmanager
async def site(folder: Path, policy: str, **values: object) -> AsyncIterator[Service]:
    """One service; it is not started."""
    made = made_in(folder, policy, **values)
    try:
        yield made
    finally:
        await made.kill()
        for line in made.lines:
            print(line)  # noqa: T201 -- shown when the test fails


async def figures(service: Service) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{service.url}/metrics") as answer:
        return await answer.text()


async def acknowledge(service: Service, page: str) -> None:
    headers = {"Authorization": f"Bearer {service.tokens['kim-phone']}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{service.url}/v1/pages/{page}/acknowledge") as answer,
    ):
        assert answer.status == 202, await answer.text()


async def test_one_service_pages_about_another_that_is_killed(tmp_path: Path) -> None:
    """Kill -9: kim gets one SMS that names it. It comes back: that is logged, and the page stays kim's to answer."""
    async with AsyncExitStack() as stack:
        carrier = await SmsGateway().start()
        stack.push_async_callback(carrier.close)
        sms = {"channel": "sms", "address": KIM, "sms_port": carrier.port}
        other = await stack.enter_async_context(site(tmp_path / "aarhus", POLICY + BY_SMS, **sms))
        values = {**sms, "other_port": other.http_port}
        watcher = await stack.enter_async_context(site(tmp_path / "odense", POLICY + BY_SMS + WATCH, **values))
        await asyncio.gather(other.start(), watcher.start())
        await other.kill()
        await until(lambda: carrier.to(KIM), 60, "kim is told")
        assert "watch-aarhus" in carrier.to(KIM)[0]["text"]
        assert 'bagvagt_watched_up{name="aarhus"} 0.0' in await figures(watcher)
        await other.start()
        await until(lambda: watcher.said("watch_well", name="aarhus"), 30, "it is back")
        moved = " ".join(m for line in watcher.said("decided") for m in line["moved"])
        opened = re.findall(r"page (\S+): new→calling", moved)
        assert len(opened) == 1
        await acknowledge(watcher, opened[0])
        await until(lambda: watcher.moved_to("answered"), 10, "kim has it")


async def test_a_service_gives_signs_of_life_until_it_dies(tmp_path: Path) -> None:
    """The address of its file is fetched while protection is on; killed and started again, it goes on."""
    outside = Outside()
    async with outside.running(), AsyncExitStack() as stack:
        carrier = await SmsGateway().start()
        stack.push_async_callback(carrier.close)
        sms = {"channel": "sms", "address": KIM, "sms_port": carrier.port}
        service = await stack.enter_async_context(site(tmp_path / "odense", POLICY + BY_SMS + HEARTBEAT, **sms))
        service.secret_file("heartbeat", outside.url + PATH)
        await service.start()
        await until(lambda: len(outside.asked) >= 2, 60, "two signs of life")
        assert 'bagvagt_heartbeats_total{what="failed"} 0.0' in await figures(service)
        await service.kill()
        before = len(outside.asked)
        await service.start()
        await until(lambda: len(outside.asked) > before, 60, "a sign of life")
        assert {(a.method, a.path) for a in outside.asked} == {("GET", PATH)}
        assert PATH not in str(service.lines)


async def test_a_service_that_can_reach_nobody_says_so(tmp_path: Path) -> None:
    """Its only channel is a broker that is not there: the pager is off, and that is what is said outside."""
    outside = Outside()
    values = {"channel": "mqtt", "address": "kim", "mqtt_port": free_port()}
    async with outside.running(), site(tmp_path / "odense", POLICY + BY_MQTT + HEARTBEAT, **values) as service:
        service.secret_file("heartbeat", outside.url + PATH)
        await service.start(ready=False)
        await until(lambda: outside.asked, 60, "a word from it")
        said = outside.asked[0]
        assert (said.method, said.path, said.body) == ("POST", PATH + "/fail", "Protection is off: pager.")
