"""Contradictions in how SMS are sent: what would fail with the first message, at night, is said here."""

import json
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl

from telephony.settings.look import Look
from telephony.settings.model import KeyPath
from telephony.settings.surroundings import Gateway
from telephony.settings.wording import did_you_mean

PLACEHOLDERS = ("to", "to_digits", "text", "id", "from")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


def check(look: Look) -> None:
    """Look for everything of this file's kind."""
    sms = look.settings.sms
    if sms is None:
        return
    if bool(sms.apprise_url_file) == (sms.gateway is not None):
        both = "both an Apprise URL and a gateway" if sms.gateway else "neither an Apprise URL nor a gateway"
        look.wrong(("sms",), f"there is {both}", "give one: apprise_url_file = …, or [sms.gateway]")
    if not sms.answer_at:
        message = "an SMS says that the page is taken at the duty desk, also when nobody sits there"
        look.doubtful(("sms",), message, 'add answer_at = "…": the address of the screen where it is taken')
    if sms.gateway is not None:
        _gateway(look, sms.gateway)
        if "sender" in look.raw["sms"] and "{from}" not in sms.gateway.url + sms.gateway.body:
            message = "the sender is sent nowhere: neither url nor body holds {from}"
            look.doubtful(("sms", "sender"), message, "put {from} where the provider wants the sender")


def unknown_placeholders(text: str) -> Iterable[str]:
    """Return each `{…}` that stands for nothing."""
    return (name for name in dict.fromkeys(_PLACEHOLDER.findall(text)) if name not in PLACEHOLDERS)


def holds_number(text: str) -> bool:
    """Tell whether the number is put in somewhere."""
    return "{to}" in text or "{to_digits}" in text


def _gateway(look: Look, gateway: Gateway) -> None:
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
    if gateway.method == "GET" and gateway.body:
        look.wrong(body, "a GET has no body", 'use method = "POST", or only the url')
    elif gateway.body and not _is_what_it_says(gateway):
        remedy = "put placeholders inside the quotes of a JSON text, or inside the values of name=value&name=value"
        look.wrong(body, f"is not {gateway.content_type}", remedy)


def _is_what_it_says(gateway: Gateway) -> bool:
    try:
        if gateway.content_type == "application/json":
            json.loads(gateway.body)
        else:
            parse_qsl(gateway.body.strip(), keep_blank_values=True, strict_parsing=True)
    except (ValueError, RecursionError):
        return False
    return True
