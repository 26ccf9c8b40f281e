"""Verifies a running Asterisk against what Bagvagt needs, in words for an admin; changes nothing: `bagvagt pbx-check`.

It sees what the least rights let it see. What they don't is said so, with the way to look by hand, and not guessed.
"""

import asyncio
import ipaddress
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import msgspec

from adapters.asterisk.ami import AmiClient, Epoch
from adapters.asterisk.ami_codec import Message
from adapters.asterisk.ari import AriClient
from adapters.asterisk.pbx import AsteriskAccess
from adapters.asterisk.snippets import CONTEXTS, FEATURES, KEYS, AsteriskSide, asterisk_snippets
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
_LINE = re.compile(r"(?:exten => ([^,]+),1|\s*same => n(?:\([a-z]+\))?),(\w+)\((.*)\)$")
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes:
        severity: "error" (something will not work), "warning", or "unseen" (these rights do not show it).
        what: what is so.
        remedy: what to do.
    """

    severity: str
    what: str
    remedy: str = ""


class _Attribute(msgspec.Struct):
    attribute: str
    value: str


class _Endpoint(msgspec.Struct):
    technology: str
    resource: str


class _System(msgspec.Struct):
    version: str


class _Info(msgspec.Struct):
    system: _System


async def check_access(access: AsteriskAccess, side: AsteriskSide, within_s: float = 10.0) -> list[Finding]:
    """Connect, check everything, disconnect. Takes nothing away from a service that runs meanwhile.

    Args:
        access: where, and how to get in.
        side: what the snippets say.
        within_s: how long to try to connect.
    """
    async with _connected(access, within_s) as (ami, ari, findings):
        if ami is not None and ari is not None:
            findings.extend(await check_pbx(ami, ari, side, access.host))
    return findings


@asynccontextmanager
async def _connected(
    access: AsteriskAccess, within_s: float
) -> AsyncIterator[tuple[AmiClient | None, AriClient | None, list[Finding]]]:
    # An application of its own: whoever connects to one takes it away from who had it.
    ari = AriClient(access.ari_url, access.ari_user, access.ari_password, app=f"bagvagt-check-{secrets.token_hex(4)}")
    ready = asyncio.Event()

    async def on_connected(_epoch: Epoch) -> None:
        ready.set()

    ami = AmiClient(
        access.host,
        access.ami_port,
        access.ami_user,
        access.ami_secret,
        on_event=lambda _message: None,
        on_connected=on_connected,
        wanted=(),
    )
    tasks = [asyncio.create_task(ami.run()), asyncio.create_task(ari.run())]
    try:
        deadline = asyncio.get_running_loop().time() + within_s
        while asyncio.get_running_loop().time() < deadline:
            if (ready.is_set() or _is_refused(ami)) and (ari.is_ready or _is_refused(ari)):
                break
            await asyncio.sleep(0.02)
        findings = []
        if not ready.is_set():
            findings.append(_no_ami(access, ami.last_error))
        if not ari.is_ready:
            findings.append(_no_ari(access, ari.last_error))
        yield (ami if ready.is_set() else None), (ari if ari.is_ready else None), findings
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _is_refused(client: AmiClient | AriClient) -> bool:
    return isinstance(client.last_error, PbxRejectedError)


def _no_ami(access: AsteriskAccess, error: PbxError | None) -> Finding:
    if isinstance(error, PbxRejectedError):
        what = f"Asterisk refuses the manager user {access.ami_user} ({error.detail})"
        return Finding("error", what, "Compare user, secret and permit= with manager.d/bagvagt.conf; manager reload.")
    what = f"AMI does not answer at {access.host}:{access.ami_port} ({error or 'no answer'})"
    return Finding("error", what, "In manager.conf: enabled=yes, bindaddr= and port= as in [pbx].")


def _no_ari(access: AsteriskAccess, error: PbxError | None) -> Finding:
    if isinstance(error, PbxRejectedError):
        what = f"Asterisk refuses the ARI user {access.ari_user} ({error.detail})"
        return Finding("error", what, "Compare user and password with ari.d/bagvagt.conf; module reload res_ari.so.")
    what = f"ARI does not answer at {access.ari_url} ({error or 'no answer'})"
    return Finding("error", what, "In http.conf: enabled=yes and bindaddr=; in ari.conf: enabled=yes.")


async def check_pbx(ami: AmiClient, ari: AriClient, side: AsteriskSide, host: str) -> list[Finding]:
    """Check a PBX over connections that are up; changes nothing."""
    checks: tuple[Callable[[], Awaitable[list[Finding]]], ...] = (
        lambda: _version(ari),
        lambda: _rights(ami, ari),
        lambda: _modules(ari, side),
        lambda: _dialplan(ami, side),
        lambda: _endpoints(ari),
        lambda: _members(ami),
        lambda: _media(side, host),
    )
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += await check()
        except PbxError as error:
            findings.append(Finding("unseen", f"{error.action} was refused: {error.detail}", "See the manager user."))
    return findings


async def _version(ari: AriClient) -> list[Finding]:
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


async def _rights(ami: AmiClient, ari: AriClient) -> list[Finding]:
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


async def _modules(ari: AriClient, side: AsteriskSide) -> list[Finding]:
    findings = []
    for name in (*MODULES, *(HTTP_MODULES if "://" in side.media.base else ())):
        try:
            await ari.ask("GET", f"asterisk/modules/{name}.so")
        except LegGoneError:
            findings.append(Finding("error", f"the module {name} is not loaded", f"In modules.conf: load={name}.so."))
        except PbxRejectedError as error:
            findings.append(Finding("unseen", f"whether {name} is loaded ({error.detail})"))
    return findings


async def _dialplan(ami: AmiClient, side: AsteriskSide) -> list[Finding]:
    _, entries = await ami.send_list("ShowDialPlan", timeout_s=30.0)
    have = [entry for entry in entries if entry.name == "ListDialplan"]
    wanted = dialplan_of(asterisk_snippets(side)["extensions.d/bagvagt.conf"])
    findings = []
    for context in CONTEXTS:
        there = {_step(e) for e in have if e.get("Context") == context and e.get("Extension")}
        ours = {step for name, *step_ in wanted for step in [tuple(step_)] if name == context}
        if not there and ours:
            what = f"the dialplan has no [{context}]"
            findings.append(Finding("error", what, "Put extensions.d/bagvagt.conf in place; dialplan reload."))
        elif there != ours:
            what = f"[{context}] in the dialplan is not what Bagvagt expects"
            findings.append(Finding("error", what, "Print it anew: bagvagt pbx-config asterisk; dialplan reload."))
    if not any(e.get("IncludeContext") == KEYS for e in have):
        what = f"no context includes [{KEYS}]: keys by speed dial do not work"
        findings.append(Finding("warning", what, f"In your agents' context: include => {KEYS}"))
    for context in sorted({e.get("Context") for e in have if e.get("IncludeContext") == KEYS}):
        findings += await _shadowed(ami, side, context)
    if not any("DYNAMIC_FEATURES" in e.get("AppData") and FEATURES in e.get("AppData") for e in have):
        findings += await _global_features(ami)
    what = "whether the feature codes are loaded (applicationmap)"
    findings.append(Finding("unseen", what, "At Asterisk's console: features show"))
    return findings


async def _shadowed(ami: AmiClient, side: AsteriskSide, context: str) -> list[Finding]:
    """Find keys that this context takes for something else: its own patterns win over what it includes."""
    findings = []
    for extension in side.extensions():
        try:
            _, steps = await ami.send_list("ShowDialPlan", Context=context, Extension=extension)
        except PbxRejectedError:
            continue
        own = [s for s in steps if s.get("Context") == context and s.get("Priority") == "1"]
        if own and not any(KEYS in s.get("AppData") for s in own):
            what = f"{extension} in [{context}] does not reach [{KEYS}]: {own[0].get('Extension')} there takes it"
            remedy = f"In [{context}]: exten => {extension},1,Goto({KEYS},{extension},1)"
            findings.append(Finding("error", what, remedy))
    return findings


async def _global_features(ami: AmiClient) -> list[Finding]:
    reply = await ami.send("Getvar", Variable="DYNAMIC_FEATURES")
    if FEATURES in reply.get("Value").split("#"):
        return []
    what = f"no dialplan line sets __DYNAMIC_FEATURES={FEATURES}: keys pressed in a call do not work"
    remedy = f"Before Queue() or Dial(): same => n,Set(__DYNAMIC_FEATURES={FEATURES}); or in [globals]."
    return [Finding("warning", what, remedy)]


def _step(entry: Message) -> tuple[str, str, str, str]:
    return entry.get("Extension"), entry.get("Priority"), entry.get("Application"), entry.get("AppData")


def dialplan_of(text: str) -> list[tuple[str, str, str, str, str]]:
    """Read a dialplan of ours as Asterisk does: (context, extension, priority, application, its arguments)."""
    steps: list[tuple[str, str, str, str, str]] = []
    context = extension = ""
    priority = 0
    for line in text.splitlines():
        if line.startswith("["):
            context = line.strip("[]")
        elif (found := _LINE.match(line)) is not None:
            extension, priority = (found[1], 1) if found[1] else (extension, priority + 1)
            steps.append((context, extension, str(priority), found[2], found[3]))
    return steps


async def _endpoints(ari: AriClient) -> list[Finding]:
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
        what = f"direct_media is on for {_some(direct)}: Asterisk then hears no key and can prove no warning"
        findings.append(Finding("error", what, "In pjsip.conf, for agents and trunks: direct_media=no"))
    if unseen:
        findings.append(
            Finding("unseen", f"the settings of {_some(unseen)}", "Look for direct_media=no in pjsip.conf.")
        )
    return findings


async def _members(ami: AmiClient) -> list[Finding]:
    _, entries = await ami.send_list("QueueStatus")
    members = [e for e in entries if e.name == "QueueMember"]
    if not members:
        return [Finding("warning", "no queue has a member", "Breaks need agents who are queue members.")]
    static = sorted({e.get("Name") for e in members if e.get("Membership") == "static"})
    if not static:
        return []
    what = f"static queue members: {_some(static)}; Asterisk forgets their pauses when it restarts"
    remedy = "Bagvagt asks for its own again; dynamic members with persistentmembers=yes keep them without a gap."
    return [Finding("warning", what, remedy)]


async def _media(side: AsteriskSide, host: str) -> list[Finding]:
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


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
