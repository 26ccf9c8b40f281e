"""Whether a running Asterisk has what Bagvagt needs: version, rights, modules, phones, members, prompts."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from adapters.asterisk.ami import AmiClient
from adapters.asterisk.ari import AriClient
from adapters.asterisk.findings import Finding, some
from adapters.asterisk.snippets import AsteriskSide
from telephony.errors import LegGoneError, PbxError, PbxRejectedError

OLDEST: Final = 20
"""Asterisk 20: the oldest with long-term support, and with `otherChannelId` and `ListCommands` as used here."""
NEEDED_ACTIONS: Final = {
    "Redirect": "write=call",
    "Hangup": "write=call",
    "Setvar": "write=call",
    "Getvar": "write=call",
    "QueuePause": "write=agent",
    "QueueStatus": "any write class",
    "BridgeInfo": "any write class",
    "CoreShowChannels": "write=reporting",
    "ShowDialPlan": "write=reporting",
}
TOO_MUCH: Final = {"Command": "command", "Originate": "originate", "UpdateConfig": "config"}
MODULES: Final = (
    "app_bridgeaddchan",
    "app_playback",
    "app_queue",
    "app_read",
    "app_userevent",
    "bridge_softmix",
    "res_stasis_playback",
    "res_stasis_snoop",
)
HTTP_MODULES: Final = ("res_http_media_cache", "res_curl")
_FORBIDDEN = 403


class _Attribute(msgspec.Struct):
    attribute: str
    value: str


class _Endpoint(msgspec.Struct):
    technology: str
    resource: str


class _Known(msgspec.Struct):
    state: str = "unknown"


class _System(msgspec.Struct):
    version: str


class _Info(msgspec.Struct):
    system: _System


async def check_version(ari: AriClient) -> list[Finding]:
    """Look at Asterisk's version."""
    text = msgspec.json.decode(await ari.ask("GET", "asterisk/info"), type=_Info).system.version
    found = re.match(r"(\d+)\.(\d+)", text)
    if found is None:
        return [Finding("unseen", f"Asterisk calls its version {text}", "Bagvagt is tested on Asterisk 22.")]
    major, minor = int(found[1]), int(found[2])
    if major < OLDEST:
        return [Finding("error", f"Asterisk {text} is too old", f"Bagvagt needs {OLDEST} or later.")]
    if (major, minor) == (22, 11):
        what = f"Asterisk {text}: whispering is reported broken, so that agents may not hear the short tones"
        return [Finding("warning", what, "Announcements do not whisper and are not affected.")]
    return []


async def check_rights(ami: AmiClient, ari: AriClient) -> list[Finding]:
    """Look at what both users may do: all that is needed, and no more."""
    findings = []
    epoch = ami.epoch
    if epoch is not None:
        missing = {action: right for action, right in NEEDED_ACTIONS.items() if not epoch.may(action)}
        for action, right in missing.items():
            findings.append(Finding("error", f"the manager user may not {action}", f"In manager.conf: {right}."))
        for action, right in TOO_MUCH.items():
            if epoch.may(action):
                what = f"the manager user may {action}, which Bagvagt never needs"
                findings.append(Finding("warning", what, f"In manager.conf: take `{right}` out of write=."))
    try:
        await ari.ask(
            "DELETE", "playbacks/bagvagt-check-none"
        )  # there is none: 404, or 403 for a user who may only read
    except LegGoneError:
        pass
    except PbxRejectedError as error:
        if error.fields.get("status") == str(_FORBIDDEN):
            findings.append(Finding("error", "the ARI user may only read", "In ari.conf: read_only=no."))
    what = "whether the manager user gets events (its read= classes)"
    findings.append(Finding("unseen", what, "In manager.conf: read=call,agent,dtmf,user."))
    return findings


async def check_modules(ari: AriClient, side: AsteriskSide) -> list[Finding]:
    """Look for the modules that the procedures need."""
    findings = []
    for name in (*MODULES, *(HTTP_MODULES if "://" in side.media.base else ())):
        try:
            await ari.ask("GET", f"asterisk/modules/{name}.so")
        except LegGoneError:
            findings.append(Finding("error", f"the module {name} is not loaded", f"In modules.conf: load={name}.so."))
        except PbxRejectedError as error:
            findings.append(Finding("unseen", f"whether {name} is loaded ({error.detail})"))
    return findings


async def check_endpoints(ari: AriClient) -> list[Finding]:
    """Look for phones whose media would pass Asterisk by."""
    found = msgspec.json.decode(await ari.ask("GET", "endpoints/PJSIP"), type=list[_Endpoint])
    direct, unseen = [], []
    for endpoint in found:
        try:
            body = await ari.ask("GET", f"asterisk/config/dynamic/res_pjsip/endpoint/{endpoint.resource}")
        except PbxError:
            unseen.append(endpoint.resource)
            continue
        values = {a.attribute: a.value for a in msgspec.json.decode(body, type=list[_Attribute])}
        if values.get("direct_media") in ("true", "yes"):
            direct.append(endpoint.resource)
    findings = []
    if direct:
        what = f"direct_media is on for {some(direct)}: Asterisk then hears no key and can prove no warning"
        findings.append(Finding("error", what, "In pjsip.conf, for agents and trunks: direct_media=no"))
    if unseen:
        findings.append(Finding("unseen", f"the settings of {some(unseen)}", "Look for direct_media=no in pjsip.conf."))
    return findings


async def check_rung(ari: AriClient, people: Mapping[str, str]) -> list[Finding]:
    """Look for the endpoints by which people are rung for pages.

    Args:
        ari: the connection.
        people: name -> address, in policy's words.
    """
    findings, by_endpoint = [], dict[str, list[str]]()
    for person, address in people.items():
        technology, _, rest = address.partition("/")
        if technology == "PJSIP":
            by_endpoint.setdefault(rest.partition("/")[0].rpartition("@")[2], []).append(person)
        else:
            what = f"whether {person} can be rung by {technology}"
            findings.append(Finding("unseen", what, "Send a test page."))
    for endpoint, names in by_endpoint.items():
        try:
            known = msgspec.json.decode(await ari.ask("GET", f"endpoints/PJSIP/{endpoint}"), type=_Known)
        except LegGoneError:
            what = f"Asterisk has no endpoint {endpoint}, by which {some(names)} would be rung"
            findings.append(Finding("error", what, "Compare voice = under [people] with pjsip.conf."))
            continue
        if known.state == "offline":
            what = f"Asterisk cannot reach the endpoint {endpoint} now, by which {some(names)} would be rung"
            findings.append(Finding("warning", what, "At Asterisk's console: pjsip show endpoint, and its contact."))
    return findings


async def check_members(ami: AmiClient) -> list[Finding]:
    """Look at the queues' members."""
    _, entries = await ami.send_list("QueueStatus")
    members = [e for e in entries if e.name == "QueueMember"]
    if not members:
        return [Finding("warning", "no queue has a member", "Breaks need agents who are queue members.")]
    static = sorted({e.get("Name") for e in members if e.get("Membership") == "static"})
    if not static:
        return []
    what = f"static queue members: {some(static)}; Asterisk forgets their pauses when it restarts"
    remedy = "Bagvagt asks for its own again; dynamic members with persistentmembers=yes keep them without a gap."
    return [Finding("warning", what, remedy)]


async def check_media(side: AsteriskSide, host: str) -> list[Finding]:
    """Look at where Asterisk gets its prompts."""
    base = side.media.base.removeprefix("sound:")
    if "://" not in base:
        what = f"whether the prompts are in the folder {base} of Asterisk's sounds"
        return [Finding("unseen", what, "Copy the prompts there, or let Asterisk fetch them: [pbx] media_base.")]
    if _is_loopback(urlsplit(base).hostname or "") and not _is_loopback(host):
        what = f"Asterisk is at {host} and would look for the prompts at itself ({base})"
        return [Finding("error", what, "Set [pbx] media_base to an address of Bagvagt that Asterisk reaches.")]
    return [
        Finding("unseen", f"whether Asterisk reaches {base}", "On its machine: curl -I that address + /da/warning.wav")
    ]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
