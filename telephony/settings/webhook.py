"""Contradictions in how receipts and replies of SMS come in. Whoever can call there can say that a page is taken."""

from telephony.settings.files import secret
from telephony.settings.look import Look
from telephony.settings.model import KeyPath
from telephony.settings.panel import base
from telephony.settings.reach import Sms, Webhook

_AT: KeyPath = ("sms", "webhook")
_NAMES = ("message", "status", "delivered", "failed", "number", "text")
_SHORTEST = 16


def check(look: Look, sms: Sms, hook: Webhook) -> None:
    """Look for everything of this file's kind."""
    _secret(look, hook.secret_file)
    if hook.url:
        base(look, (*_AT, "url"), hook.url, "the webhook's secret")
    sent = sms.gateway.url + sms.gateway.body if sms.gateway is not None else ""
    if sms.gateway is not None:
        _names(look, hook, sent)
    elif sms.elks or sms.gatewayapi:
        _known_provider(look, hook)
    elif sms.ways:
        what = "gammu-smsd brings replies by itself" if sms.gammu else "Apprise brings no replies"
        look.doubtful(_AT, f"nothing calls it: {what}", "remove it")
    if (sms.elks or sms.gatewayapi or "{receipts}" in sent) and not hook.url and not look.has_links:
        message = "the provider cannot be told where to send receipts"
        look.doubtful((*_AT, "url"), message, 'add url = "https://…" here, or to [panel]')


def _secret(look: Look, name: str) -> None:
    at = (*_AT, "secret_file")
    remedy = "openssl rand -hex 32 makes a good one"
    if not name:
        message = "without a secret anybody could say that a page is taken"
        look.wrong(at, message, f"add secret_file = …; {remedy}")
        return
    text = secret(look, at, name)
    if text and len(text) < _SHORTEST:
        look.wrong(at, f"the secret in {name} is shorter than {_SHORTEST} characters, and can be guessed", remedy)


def _known_provider(look: Look, hook: Webhook) -> None:
    given = [name for name in _NAMES if getattr(hook, name)]
    if given:
        message = "the fields of this provider are known: names are for [sms.gateway]"
        look.doubtful((*_AT, given[0]), message, f"remove {', '.join(given)}")


def _names(look: Look, hook: Webhook, sent: str) -> None:
    if not any(getattr(hook, name) for name in _NAMES):
        message = "no field is named: neither receipts nor replies would be understood"
        remedy = "add number and text for replies, and message, status, delivered and failed for receipts"
        look.wrong(_AT, message, remedy)
    if bool(hook.number) != bool(hook.text):
        look.wrong((*_AT, "number"), "number and text go together", "give both, or neither")
    if hook.message and not hook.status:
        look.wrong((*_AT, "status"), "what became of a message stands in no field", "add status = …")
    if hook.status and not hook.message and "{receipts}" not in sent:
        message = "no receipt says which message it is about"
        look.wrong((*_AT, "message"), message, "add message = …, or put {receipts} into [sms.gateway]")
    if hook.message and "{id}" not in sent:
        message = "the provider does not get the message's id: neither url nor body of [sms.gateway] holds {id}"
        look.doubtful((*_AT, "message"), message, "put {id} where the provider wants an own reference")
    if hook.status and not hook.delivered and not hook.failed:
        message = f"no value of {hook.status} means anything"
        look.wrong((*_AT, "status"), message, 'add delivered = ["…"] and failed = ["…"]')
    both = [value for value in hook.failed if value in hook.delivered]
    if both:
        look.wrong((*_AT, "failed"), f'"{both[0]}" is among delivered, too', "give each value one meaning")
