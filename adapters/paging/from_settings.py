"""The ways to reach people, as a policy file asks for them."""

from collections.abc import Callable, Mapping

from adapters.http.sms_webhook import SmsWebhook, WebhookConfig
from adapters.paging.apprise import AppriseChannel
from adapters.paging.email import EmailChannel, EmailConfig, Security
from adapters.paging.links import Links
from adapters.paging.mqtt import MqttChannel, MqttConfig
from adapters.paging.mqtt_signing import Signer
from adapters.paging.pager import Channel
from adapters.paging.sms import AppriseGateway, GammuSpool, HttpGateway, SmsChannel, SmsConfig
from adapters.paging.sms_incoming import ELKS, GATEWAYAPI, Fields, ReceiptUrls
from adapters.paging.sms_providers import elks, gatewayapi
from adapters.paging.sms_template import Content
from adapters.paging.voice import VoiceChannel, VoiceConfig
from adapters.paging.voice_call import Caller
from adapters.prompts.library import PromptLibrary
from policies.events import Event
from telephony.ports import Clock
from telephony.settings import Settings
from telephony.settings.reach import Gateway, Sms


class Channels:
    """Every channel that the policy has.

    Args:
        settings: the policy that the service starts with.
        clock: time and ids.
        caller: the PBX, which rings people.
        prompts: what they hear then.
        site_key: see `adapters.privacy.read_or_make_key`.

    Attributes:
        links: of messages, to the screen where their pages are taken.
        mqtt: the broker's, None for no broker.
        by_name: as policy names them.
    """

    def __init__(
        self, settings: Settings, clock: Clock, caller: Caller, prompts: PromptLibrary, site_key: bytes
    ) -> None:
        self.links = Links(settings.panel.url, site_key)
        self.mqtt = _mqtt(settings, clock, site_key, self.links)
        self._apprise = AppriseChannel(_apprise_urls(settings), self.links)
        voice = settings.voice
        config = VoiceConfig(voice.caller_id, voice.ring_s, voice.repeat, voice.most_calls)
        found: dict[str, Channel | None] = {
            "mqtt": self.mqtt,
            "sms": _sms(settings, settings.sms, clock, self.links),
            "voice": VoiceChannel(config, caller, prompts, clock),
            "email": _email(settings, clock, self.links),
            "apprise": self._apprise,
        }
        self.by_name: Mapping[str, Channel] = {name: one for name, one in found.items() if one is not None}
        self._used = _used(settings)

    @property
    def connected(self) -> Mapping[str, bool]:
        """Tell of each channel by which somebody is reached whether it could send now, as far as that is known."""
        return {n: getattr(channel, "is_connected", True) for n, channel in self.by_name.items() if n in self._used}

    def loaded(self, settings: Settings) -> None:
        """Take what a reload may change."""
        self.links.url = settings.panel.url
        self._used = _used(settings)
        self._apprise.replace(_apprise_urls(settings))


def sms_webhook(settings: Settings, emit: Callable[[Event], None], clock: Clock) -> SmsWebhook | None:
    """Return where an SMS provider reports and brings replies; None where the policy has no such place."""
    sms = settings.sms
    if sms is None or sms.webhook is None:
        return None
    hook = sms.webhook
    own = Fields(
        message=hook.message,
        status=hook.status,
        delivered=frozenset(hook.delivered),
        failed=frozenset(hook.failed),
        number=hook.number,
        text=hook.text,
    )
    fields = ELKS if sms.elks else GATEWAYAPI if sms.gatewayapi else own
    config = WebhookConfig(settings.secret(hook.secret_file), fields, tuple(str(n) for n in hook.networks))
    return SmsWebhook(config, emit, clock)


def _used(settings: Settings) -> frozenset[str]:
    return frozenset(channel for person in settings.people.values() for channel in person.channels)


def _mqtt(settings: Settings, clock: Clock, site_key: bytes, links: Links) -> MqttChannel | None:
    mqtt = settings.mqtt
    if mqtt is None:
        return None
    config = MqttConfig(
        host=mqtt.host,
        port=mqtt.port,
        prefix=mqtt.prefix,
        client_id=mqtt.client_id,
        answer_at=mqtt.answer_at,
        username=mqtt.user,
        password_file=settings.path(mqtt.password_file) if mqtt.password_file else None,
        tls=mqtt.tls,
        ca_file=settings.path(mqtt.ca_file) if mqtt.ca_file else None,
    )
    return MqttChannel(config, clock, signer=Signer(site_key), link=links)


def _email(settings: Settings, clock: Clock, links: Links) -> EmailChannel | None:
    email = settings.email
    if email is None:
        return None
    config = EmailConfig(
        host=email.host,
        sender=email.sender,
        port=email.port,
        security=Security(email.security),
        user=email.user,
        password_file=settings.path(email.password_file) if email.password_file else None,
        ca_file=settings.path(email.ca_file) if email.ca_file else None,
    )
    return EmailChannel(config, clock, links)


def _apprise_urls(settings: Settings) -> Mapping[str, str]:
    files = {person.apprise_url_file for person in settings.people.values() if person.apprise_url_file}
    return {file: settings.secret(file) for file in files}


def _sms(settings: Settings, sms: Sms | None, clock: Clock, links: Links) -> SmsChannel | None:
    if sms is None:
        return None
    receipts: ReceiptUrls | None = None
    if sms.webhook is not None and (url := sms.webhook.url or settings.panel.url):
        receipts = ReceiptUrls(settings.secret(sms.webhook.secret_file), url)
    config = SmsConfig(
        gateway=_gateway(settings, sms, receipts=receipts is not None),
        sender=sms.sender,
        answer_at=sms.answer_at,
        can_reply=sms.takes_replies,
        link=links,
        receipt_url=receipts,
    )
    return SmsChannel(config, clock)


def _gateway(settings: Settings, sms: Sms, *, receipts: bool) -> HttpGateway | AppriseGateway | GammuSpool:
    if sms.elks is not None:
        return elks(sms.elks.user, settings.secret(sms.elks.password_file), url=sms.elks.url, receipts=receipts)
    if sms.gatewayapi is not None:
        token = settings.secret(sms.gatewayapi.token_file)
        return gatewayapi(token, url=sms.gatewayapi.url, receipts=receipts)
    if sms.gammu is not None:
        return GammuSpool(settings.path(sms.gammu.folder))
    if sms.gateway is not None:
        return _http_gateway(settings, sms.gateway)
    return AppriseGateway(settings.secret(sms.apprise_url_file))


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
