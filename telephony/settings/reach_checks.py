"""Contradictions in what people are reached by, and in how the path to them is watched."""

from urllib.parse import urlsplit

from telephony.settings import fields as f
from telephony.settings.files import exists, secret
from telephony.settings.look import Look
from telephony.settings.model import KeyPath
from telephony.settings.numbers import is_emergency
from telephony.settings.people import known
from telephony.settings.policy import Proofs
from telephony.settings.reach import Email, Heartbeat, Watch

TLS_PORT, STARTTLS_PORT = 465, 587  # RFC 8314 §3.3, RFC 6409 §3.1
_MORNING, _EVENING = 7, 21
_MOST_ADDRESSES = 2


def check(look: Look) -> None:
    """Look for everything of this file's kind."""
    settings = look.settings
    _voice(look)
    if settings.email is not None:
        _email(look, settings.email)
    _links(look)
    if settings.proofs is not None:
        _proofs(look, settings.proofs)
    elif settings.people:
        message = "nobody's channels are tested: a dead one is found out by the alarm that does not arrive"
        look.doubtful(("proofs",), message, "add [proofs]")
    if settings.heartbeat is not None:
        _heartbeat(look, settings.heartbeat)
    elif settings.pages:
        look.doubtful(("heartbeat",), "nobody is told when this machine itself is dead", "add [heartbeat]")
    for number, watch in enumerate(settings.watch):
        _watch(look, number, watch)


def _voice(look: Look) -> None:
    if is_emergency(look.settings.voice.caller_id):
        message = f"{look.settings.voice.caller_id} is an emergency or public service number"
        look.wrong(("voice", "caller_id"), message, "give a number of this workplace")
    rung = next((name for name, person in look.settings.people.items() if person.voice), None)
    if rung is not None and look.settings.pbx.kind == "simulator":
        look.doubtful(("people", rung, "voice"), "a simulated PBX rings nobody", 'use kind = "asterisk" in [pbx]')


def _email(look: Look, email: Email) -> None:
    if email.password_file:
        secret(look, ("email", "password_file"), email.password_file)
    if bool(email.user) != bool(email.password_file):
        look.wrong(("email", "user"), "user and password_file go together", "give both, or neither")
    _authority(look, ("email", "ca_file"), email.ca_file, encrypted=email.security != "none")
    if email.security == "none" and email.host not in f.LOOPBACK:
        message = "links with which a page is taken go over the network unencrypted"
        look.doubtful(("email", "security"), message, 'write security = "starttls", or "tls"')
    for security, port, other in (("starttls", TLS_PORT, "tls"), ("tls", STARTTLS_PORT, "starttls")):
        if (email.security, email.port) == (security, port):
            message = f'servers speak "{other}" at port {port}, and this is "{security}"'
            look.doubtful(("email", "port"), message, f"write port = {TLS_PORT + STARTTLS_PORT - port}")


def _authority(look: Look, at: KeyPath, name: str, *, encrypted: bool) -> None:
    if name and not encrypted:
        look.wrong(at, "is of no use without encryption", "remove ca_file, or encrypt")
    elif name and not exists(look.resolve(name)):
        look.wrong(at, f"there is no file {name}", "name the certificate authority's file")


def _links(look: Look) -> None:
    used = {channel for person in look.settings.people.values() for channel in person.channels}
    mute = [
        words for channel, words in (("email", "an e-mail"), ("apprise", "a message by Apprise")) if channel in used
    ]
    url = look.settings.panel.url
    if url and used and not look.has_links:
        message = "messages hold a link that only this machine can open"
        look.doubtful(("panel", "url"), message, "give the address that phones know, or remove it")
    elif mute and not url:
        message = f"{' or '.join(mute)} cannot be answered, and holds no link with which the page is taken"
        look.doubtful(("panel", "url"), message, 'add url = "https://…" to [panel], as phones know it')


def _proofs(look: Look, proofs: Proofs) -> None:
    if not proofs.days:
        look.wrong(("proofs", "days"), "no test is ever sent", 'name days, such as days = ["mon", "thu"]')
    opens, closes = f.span(proofs.hours)
    if opens.hour < _MORNING or closes.hour >= _EVENING:
        look.doubtful(("proofs", "hours"), "tests would wake people", 'choose decent hours, as "10:00-14:00"')
    if proofs.lapse_s > proofs.every_days * f.DAY_S:
        message = f"a test would lapse after the next one, which comes after {proofs.every_days} days"
        look.wrong(("proofs", "lapse_s"), message, "make lapse_s shorter")


def _heartbeat(look: Look, heartbeat: Heartbeat) -> None:
    at: KeyPath = ("heartbeat",)
    broker = look.settings.mqtt is not None or look.is_broken("mqtt")
    if not heartbeat.url_file and not (heartbeat.mqtt and broker):
        look.wrong(at, "goes nowhere", "add url_file = …, or mqtt = true and [mqtt]")
    elif heartbeat.mqtt and "mqtt" in heartbeat.model_fields_set and not broker:
        look.doubtful((*at, "mqtt"), "there is no broker here", "add [mqtt], or write mqtt = false")
    if heartbeat.url_file:
        _addresses(look, (*at, "url_file"), heartbeat.url_file)


def _addresses(look: Look, at: KeyPath, name: str) -> None:
    """Look at one address, and on a second line at the one for "protection is off", which may be `none`."""
    lines = [line.strip() for line in secret(look, at, name, one_line=False).splitlines()]
    given = [line for line in lines if line and not line.startswith("#")]
    if len(given) > _MOST_ADDRESSES:
        look.wrong(
            at, f"{name} holds more than two addresses", "one for signs of life, and one for protection being off"
        )
    for url in given[:1] + [line for line in given[1:] if line != "none"]:
        if not f.is_web_address(url):  # it is a secret: it is not shown
            look.wrong(at, f"{name} holds no web address", 'begin it with "https://" and a host')
        elif f.in_clear(url):
            message = f"an address in {name} is not encrypted: who reads it could feign signs of life"
            look.doubtful(at, message, 'begin it with "https://"')


def _watch(look: Look, number: int, watch: Watch) -> None:
    at: KeyPath = ("watch", number)
    earlier = look.settings.watch[:number]
    if watch.name in [other.name for other in earlier]:
        look.wrong((*at, "name"), f"there is another {watch.name}", "give each its own name")
    if watch.url in [other.url for other in earlier]:
        look.doubtful((*at, "url"), "is watched twice", "remove one")
    known(look, (*at, "plan"), "pages", watch.plan)
    if _is_own(look, watch.url):
        look.wrong((*at, "url"), "is this Bagvagt, which cannot see that it is dead", "name the other one's address")
    elif f.in_clear(watch.url):
        message = "is not encrypted: somebody on the way could feign signs of life"
        look.doubtful((*at, "url"), message, 'begin it with "https://"')
    if watch.silent_s <= watch.every_s:
        message = f"it is asked every {watch.every_s:g} s: two answers that are lost would be an alarm"
        look.doubtful((*at, "silent_s"), message, "make silent_s some times every_s")
    _authority(look, (*at, "ca_file"), watch.ca_file, encrypted=watch.url.startswith("https:"))


def _is_own(look: Look, url: str) -> bool:
    http = look.settings.http
    own = ((http.host, http.port), (http.tls_host or http.host, http.tls_port), _where(look.settings.panel.url))
    return _where(url) in own


def _where(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
