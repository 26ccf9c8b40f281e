"""Whether the running dialplan is what the snippets say, and whether keys reach it."""

import re

from adapters.asterisk.ami import AmiClient
from adapters.asterisk.ami_codec import Message
from adapters.asterisk.findings import Finding
from adapters.asterisk.snippets import CONTEXTS, FEATURES, KEYS, AsteriskSide, asterisk_snippets
from telephony.errors import PbxRejectedError

_LINE = re.compile(r"(?:exten => ([^,]+),1|\s*same => n(?:\([a-z]+\))?),(\w+)\((.*)\)$")


async def check_dialplan(ami: AmiClient, side: AsteriskSide) -> list[Finding]:
    """Compare contexts with the snippets; look for what hides a key."""
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
