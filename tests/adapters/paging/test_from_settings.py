"""Channels, as a policy file asks for them."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import aiomqtt
import msgspec

from adapters.from_settings import prompt_library
from adapters.paging.from_settings import Channels
from adapters.paging.mqtt import MqttChannel
from adapters.paging.mqtt_codec import PersonPage
from adapters.paging.pager import Channel
from telephony.settings import Settings, load
from tests.adapters.paging.stage import LIMIT_S, NUMBER, Gateway, HandClock, alarm, says
from tests.adapters.paging.voice_stage import HandCaller
from tests.lab.mosquitto import Mosquitto
from tests.lab.waiting import until
from tests.telephony.site_folder import SMALL, changed, site

AT = "https://vagt.example"


def channels(settings: Settings) -> Mapping[str, Channel]:
    return Channels(settings, HandClock(), HandCaller(), prompt_library(settings), b"k" * 32).by_name


async def test_an_sms_says_where_the_page_is_taken_and_who_sends_it(tmp_path: Path) -> None:
    """Proves that `answer_at` and `sender` of [sms] reach the gateway."""
    async with Gateway(says(200)) as gateway:
        body = '{"from": "{from}", "to": "{to}", "text": "{text}"}'
        text = changed(SMALL, "sms", f'answer_at = "{AT}"\nsender = "Vagt 7"')
        text = changed(text, "sms.gateway", f"url = \"{gateway.url}\"\nbody = '{body}'")
        sms = channels(load(site(tmp_path, text)))["sms"]
        await sms.tell(alarm("sms", NUMBER))
        sent = json.loads(gateway.seen[0].body)
    assert (sent["from"], sent["to"]) == ("Vagt 7", NUMBER)
    assert sent["text"] == f"Bagvagt: AKUT alarm, hændelse i-7. Tag den: {AT}"


async def test_mqtt_says_where_the_page_is_taken_and_has_its_own_name(tmp_path: Path, broker: Mosquitto) -> None:
    """Proves that `client_id` and `answer_at` of [mqtt] reach the broker and the person."""
    text = changed(SMALL, "mqtt", f'port = {broker.port}\nclient_id = "vagt-2"\nanswer_at = "{AT}"')
    mqtt = channels(load(site(tmp_path, text)))["mqtt"]
    assert isinstance(mqtt, MqttChannel)
    running = asyncio.create_task(mqtt.run(lambda _: None))
    try:
        await until(lambda: mqtt.is_connected, LIMIT_S)
        assert " as vagt-2 " in broker.log
        async with aiomqtt.Client(broker.host, broker.port) as anna:
            await anna.subscribe("bagvagt/person/anna/page")
            await mqtt.tell(alarm("mqtt", "anna"))
            async with asyncio.timeout(LIMIT_S):
                message = await anext(anna.messages)
        assert isinstance(message.payload, bytes)
        assert msgspec.json.decode(message.payload, type=PersonPage).text.endswith(f"Tag den: {AT}")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
