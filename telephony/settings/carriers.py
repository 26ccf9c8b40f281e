"""Contradictions in how SMS are sent: what would fail with the first message, at night, is said here."""

import json
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl

from telephony.settings import webhook
from telephony.settings.files import exists, secret
from telephony.settings.look import Look
from telephony.settings.model import KeyPath
from telephony.settings.reach import Gateway, Sms
from telephony.settings.wording import did_you_mean

PLACEHOLDERS = ("to", "to_digits", "text", "id", "from", "receipts")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+:[ \t]*[\x21-\x7e](?:[\x20-\x7e\t]*)")  # RFC 9110 §5.1, §5.5
_NUMBER = re.compile(r"\+?[0-9]+", re.ASCII)
_SPOOL = ("outbox", "inbox", "sent", "error")
_WAYS = "apprise_url_file = …, [sms.gateway], [sms.elks], [sms.gatewayapi] or [sms.gammu]"


def check(look: Look) -> None:
    """Look for everything of this file's kind."""
    sms = look.settings.sms
    if sms is None:
        return
    if len(sms.ways) != 1:
        several = f"there are several ways to send SMS: {', '.join(sms.ways)}"
        look.wrong(("sms",), several if sms.ways else "nothing says how SMS are sent", f"give one of {_WAYS}")
    if sms.apprise_url_file:
        _apprise(look, sms.apprise_url_file)
    if sms.gateway is not None:
        _gateway(look, sms.gateway, receipts=sms.webhook is not None)
    if sms.elks is not None:
        secret(look, ("sms", "elks", "password_file"), sms.elks.password_file)
    if sms.gatewayapi is not None:
        secret(look, ("sms", "gatewayapi", "token_file"), sms.gatewayapi.token_file)
    if sms.gammu is not None:
        _gammu(look, sms.gammu.folder)
    if sms.webhook is not None:
        webhook.check(look, sms, sms.webhook)
    _sender(look, sms)
    _answers(look, sms)


def _sender(look: Look, sms: Sms) -> None:
    at: KeyPath = ("sms", "sender")
    given = "sender" in sms.model_fields_set
    if sms.gammu is not None:
        if given:
            look.doubtful(at, "a modem sends as its own number", "remove sender")
    elif sms.takes_replies and not _NUMBER.fullmatch(sms.sender):
        message = f'phones cannot reply to "{sms.sender}", which is no number, and nobody is asked to'
        look.doubtful(at, message, 'give the number at which the provider takes replies, as "+4520304050"')
    elif given and not sms.takes_replies and sms.gateway and "{from}" not in sms.gateway.url + sms.gateway.body:
        message = "the sender is sent nowhere: neither url nor body holds {from}"
        look.doubtful(at, message, "put {from} where the provider wants the sender")


def _answers(look: Look, sms: Sms) -> None:
    if sms.webhook is None and (sms.elks or sms.gatewayapi):
        message = "replies are not taken in: an SMS cannot be answered, and nobody hears whether it arrived"
        look.doubtful(("sms", "elks" if sms.elks else "gatewayapi"), message, "add [sms.webhook]")
    elif not sms.takes_replies and not sms.answer_at and not look.settings.panel.url:
        message = "an SMS says that the page is taken at the duty desk, also when nobody sits there"
        remedy = 'add url = "https://…" to [panel] for a link in the SMS, or answer_at = "…" for another place'
        look.doubtful(("sms",), message, remedy)


def _apprise(look: Look, name: str) -> None:
    at: KeyPath = ("sms", "apprise_url_file")
    url = secret(look, at, name)
    if url and not holds_number(url):
        look.wrong(at, f"the URL in {name} lacks {{to}}", "put {to} where the number belongs")
    if any(unknown_placeholders(url)):
        look.wrong(at, f"the URL in {name} has a placeholder that stands for nothing", "use {to} or {to_digits}")


def _gammu(look: Look, folder: str) -> None:
    missing = [name for name in _SPOOL if not exists(look.resolve(folder) / name, folder=True)]
    if missing:
        # No error: a service that does not start for a modem would take the other channels with it.
        message = f"in {folder} there is no folder {', '.join(missing)}: no SMS would leave"
        look.doubtful(("sms", "gammu"), message, "install gammu-smsd, and name the folder of its spool")


def unknown_placeholders(text: str) -> Iterable[str]:
    """Return each `{…}` that stands for nothing."""
    return (name for name in dict.fromkeys(_PLACEHOLDER.findall(text)) if name not in PLACEHOLDERS)


def holds_number(text: str) -> bool:
    """Tell whether the number is put in somewhere."""
    return "{to}" in text or "{to_digits}" in text


def _gateway(look: Look, gateway: Gateway, *, receipts: bool) -> None:
    body: KeyPath = ("sms", "gateway", "body")
    sent = gateway.url + gateway.body
    if not holds_number(sent):
        message = "the number is sent nowhere: neither url nor body holds {to} or {to_digits}"
        look.wrong(body, message, "put {to} where the provider wants the number")
    if "{text}" not in sent:
        message = "the message is sent nowhere: neither url nor body holds {text}"
        look.wrong(body, message, "put {text} where the provider wants the message")
    for key, text in (("url", gateway.url), ("body", gateway.body)):
        for name in unknown_placeholders(text):
            known = ", ".join(f"{{{p}}}" for p in PLACEHOLDERS)
            remedy = f"use {known}{did_you_mean(name, PLACEHOLDERS)}"
            look.wrong(("sms", "gateway", key), f"{{{name}}} stands for nothing", remedy)
    if "{receipts}" in sent and not receipts:
        look.wrong(body, "{receipts} is the webhook's address, and there is no webhook", "add [sms.webhook]")
    if gateway.method == "GET" and gateway.body:
        look.wrong(body, "a GET has no body", 'use method = "POST", or only the url')
    elif gateway.body and not _is_what_it_says(gateway):
        remedy = "put placeholders inside the quotes of a JSON text, or inside the values of name=value&name=value"
        look.wrong(body, f"is not {gateway.content_type}", remedy)
    if gateway.headers_file:
        _headers(look, gateway.headers_file)


def _is_what_it_says(gateway: Gateway) -> bool:
    try:
        if gateway.content_type == "application/json":
            json.loads(gateway.body)
        else:
            parse_qsl(gateway.body.strip(), keep_blank_values=True, strict_parsing=True)
    except (ValueError, RecursionError):
        return False
    return True


def _headers(look: Look, name: str) -> None:
    at: KeyPath = ("sms", "gateway", "headers_file")
    for number, line in enumerate(secret(look, at, name, one_line=False).splitlines(), 1):
        if line.strip() and not _HEADER.fullmatch(line.strip()):
            look.wrong(at, f"{name}, line {number}, is not a header", "write `Name: value`, one on each line")
