"""The workplace of the simulation: its policy, in two versions, and its people."""

from dataclasses import replace
from datetime import time

from policies.model import Does, KeyUse, Target
from policies.rules import (
    Contact,
    HandoffRules,
    KindRules,
    LeaveWhen,
    PagePlan,
    ProofRules,
    Rules,
    Severity,
    Step,
    When,
)

WARNINGS = ("warning", "warning-hard")
PROMPTS = {
    f"{name}:{language}": length_s
    for language in ("da", "en")
    for name, length_s in (
        ("warning", 5.0),
        ("warning-hard", 3.0),
        ("closing", 4.0),
        ("brief-takeover", 2.0),
        ("brief-takeover-warned", 2.5),
    )
}
AGENTS = ("anna", "bo", "carl", "dorte", "erik")
QUEUES = ("support", "tax")
CHIEF = "PJSIP/chief"
FOREIGN = "lunch"
LAST_RESORT_EVERY_S = 300.0

_KINDS = (
    KindRules("abuse", warnings=1, wait_s=3.0, may_end=True, break_s=1500, page="soft"),
    KindRules("sexual", warnings=1, warning="warning-hard", wait_s=1.0, may_end=True, break_s=1000),
    KindRules("repeat", warnings=2, wait_s=1.0, may_end=True, break_s=1300, warning_lasts_s=300),
    KindRules("spam", warnings=0, warning="", may_end=True, break_s=1000),
    KindRules("rambling", warnings=1, may_end=False, break_s=1200, may_transfer=False),
    KindRules("suicide", warnings=0, latched=True, break_s=1500, page="acute", severity=Severity.ACUTE),
    KindRules("threat", warnings=1, latched=True, break_s=2400, page="acute", severity=Severity.ACUTE),
)
KEYS = {
    key.name: key
    for key in (
        KeyUse("warn", Does.WARN, "abuse"),
        KeyUse("sexual", Does.WARN, "sexual"),
        KeyUse("repeat", Does.WARN, "repeat"),
        KeyUse("spam", Does.WARN, "spam"),
        KeyUse("rambling", Does.FLAG, "rambling"),
        KeyUse("mark", Does.FLAG, "abuse"),
        KeyUse("end", Does.END),
        KeyUse("suicide", Does.FLAG, "suicide"),
        KeyUse("threat", Does.FLAG, "threat"),
        KeyUse("colleague", Does.COLLEAGUE),
        KeyUse("chief", Does.CHIEF),
        KeyUse("back", Does.BACK),
    )
}


def _person(name: str) -> Contact:
    return Contact(name, (("sms", f"+45000{name}"), ("mqtt", name)), "da")


def rules(version: str = "1") -> Rules:
    """Return the policy: version "1", or "2", which loosens some of it and tightens some."""
    plans = (
        PagePlan(
            "acute",
            (
                Step((_person("inge"),), 60.0, When.OFFICE),
                Step((_person("jens"), _person("kim")), 90.0, in_turn_s=20.0),
                Step((Contact("nobody", ()),), 60.0),
                Step((_person("lis"),), 120.0),
            ),
            Contact("guard desk", (("sms", "+4599"),), "da"),
            rounds=2,
            last_resort_every_s=LAST_RESORT_EVERY_S,
        ),
        PagePlan(
            "soft",
            (Step((_person("mona"),), 300.0),),
            Contact("chief", (("mqtt", "chief"),)),
            rounds=1,
            last_resort_every_s=LAST_RESORT_EVERY_S,
        ),
    )
    kinds = {k.kind: k for k in _KINDS}
    if version == "2":
        kinds["abuse"] = replace(kinds["abuse"], warnings=0, wait_s=0.0)
        kinds["sexual"] = replace(kinds["sexual"], wait_s=2.0)
    return Rules(
        version=version,
        kinds=kinds,
        keys=KEYS,
        handoffs={
            "colleague": HandoffRules(ring_s=8.0, brief="brief-takeover", leave=LeaveWhen.ON_JOIN, then="chief"),
            "chief": HandoffRules(ring_s=10.0, leave=LeaveWhen.BY_KEY, then="page:soft"),
        },
        chiefs=(Target("chief", CHIEF, None, confirm=True), Target("nobody", "PJSIP/none")),
        pages={p.name: p for p in plans},
        teams={"anna": "a", "bo": "a", "carl": "b"},
        people={name: _person(name) for name in ("inge", "jens", "mona")},
        proofs=ProofRules(opens=time(0), closes=time(23), days=frozenset(range(7)), lapse_s=300.0),
    )
