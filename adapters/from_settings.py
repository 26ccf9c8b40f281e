"""Adapters, as a policy file asks for them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from adapters.http.access import Token, TokenKind, Tokens
from adapters.paging.mqtt import MqttChannel, MqttConfig
from adapters.paging.pager import Channel
from adapters.paging.sms import SmsChannel, SmsConfig
from adapters.paging.sms_apprise import AppriseGateway
from adapters.paging.sms_http import HttpGateway
from adapters.paging.sms_template import Content
from adapters.prompts.library import PromptLibrary
from telephony.ports import Clock
from telephony.settings import Settings
from telephony.settings.surroundings import Gateway


def prompts_missing(folder: Path | None, names: Sequence[str], languages: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Fits `telephony.settings.PromptsMissing`: what could not be played, missing or damaged."""
    library = PromptLibrary(folder)
    return [(n, lang) for n in names for lang in languages if library.problems([n], [lang])]


def prompt_library(settings: Settings) -> PromptLibrary:
    """Return the site's prompts, with the placeholders behind them."""
    folder = settings.prompts.folder
    return PromptLibrary(settings.path(folder) if folder else None)


def store_url(settings: Settings) -> str:
    """Return the journal's place as SQLAlchemy writes it."""
    return f"sqlite:///{settings.path(settings.store.path).absolute()}"


def tokens(settings: Settings) -> Tokens:
    """Return the tokens of the policy's token file."""
    return Tokens(Token(t.name, TokenKind(t.kind), t.sha256, t.agent or t.person) for t in settings.origin.tokens)


def channels(settings: Settings, clock: Clock) -> Mapping[str, Channel]:
    """Return the ways to reach people that the policy has."""
    found: dict[str, Channel] = {}
    mqtt, sms = settings.mqtt, settings.sms
    if mqtt is not None:
        found["mqtt"] = MqttChannel(
            MqttConfig(
                host=mqtt.host,
                port=mqtt.port,
                prefix=mqtt.prefix,
                client_id=mqtt.client_id,
                answer_at=mqtt.answer_at,
                username=mqtt.user,
                password_file=settings.path(mqtt.password_file) if mqtt.password_file else None,
                tls=mqtt.tls,
                ca_file=settings.path(mqtt.ca_file) if mqtt.ca_file else None,
            ),
            clock,
        )
    if sms is not None:
        gateway = _http_gateway(settings, sms.gateway) if sms.gateway else None
        apprise = AppriseGateway(settings.secret(sms.apprise_url_file)) if sms.apprise_url_file else None
        chosen = gateway or apprise
        if chosen is not None:
            found["sms"] = SmsChannel(SmsConfig(chosen, sms.sender, sms.answer_at), clock)
    return found


def _http_gateway(settings: Settings, gateway: Gateway) -> HttpGateway:
    headers: dict[str, str] = {}
    if gateway.headers_file:
        for line in settings.secret(gateway.headers_file).splitlines():
            name, _, value = line.partition(":")
            if value:
                headers[name.strip()] = value.strip()
    form = "form" in gateway.content_type
    return HttpGateway(
        url=gateway.url,
        method=gateway.method,
        headers=headers,
        body=gateway.body,
        content=Content.FORM if form else Content.JSON,
    )
