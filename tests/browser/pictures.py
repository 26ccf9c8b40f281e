"""Pictures of every state that a screen can show, as the service would send them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from telephony.screens.model import (
    AgentScreen,
    BreakPicture,
    CallPicture,
    DutyScreen,
    GuardedCall,
    HelpPicture,
    Mood,
    NextPress,
    OnCallPicture,
    PagePicture,
    ProofPicture,
    Protection,
    RungPicture,
    ToldPicture,
)

ON = Protection(on=True)
OFF = Protection(on=False, why=("pbx",))
ALL_KINDS = (
    "abuse",
    "sexual",
    "discrimination",
    "threat",
    "violence",
    "suicide",
    "confused",
    "rambling",
    "superior",
)
ACUTE_KINDS = frozenset({"threat", "violence", "suicide"})
_KEYS = (
    ("warn", "F8", "warn", "abuse"),
    ("sexual", "F9", "warn", "sexual"),
    ("colleague", "F6", "colleague", ""),
    ("chief", "F7", "chief", ""),
    ("violence", "", "flag", "violence"),
    ("threat", "F4", "flag", "threat"),
    ("suicide", "F10", "flag", "suicide"),
    ("confused", "", "flag", "confused"),
    ("rambling", "", "flag", "rambling"),
    ("back", "F2", "back", ""),
)
_COLLEAGUE = HelpPicture(role="colleague", who="Bo", state="ringing")
_WOULD = {"colleague": "ring_colleague", "chief": "ring_chief", "back": "end_break"}


def ago(seconds: float) -> datetime:
    """Return a time in the past."""
    return datetime.now(UTC) - timedelta(seconds=seconds)


def _key(name: str, hotkey: str, does: str, kind: str, **changes: Any) -> NextPress:
    first: dict[str, Any] = {"permitted": True, "would": _WOULD.get(does, does)}
    return NextPress(key=name, hotkey=hotkey, does=does, kind=kind, **{**first, **changes})


def keys(**changes: dict[str, Any]) -> tuple[NextPress, ...]:
    """Return the keys; `changes` names what differs, by key, or by "all"."""
    return tuple(_key(*key, **{**changes.get("all", {}), **changes.get(key[0], {})}) for key in _KEYS)


def no(reason: str, at: datetime | None = None) -> dict[str, Any]:
    """Return a key that would not be obeyed."""
    return {"permitted": False, "would": "", "reason": reason, "permitted_at": at}


def call(kind: str = "", state: str = "", **changes: Any) -> CallPicture:
    """Return a call that has lasted two minutes."""
    first: dict[str, Any] = {
        "id": "1763800000.12",
        "caller": "…47",
        "queue": "borgerservice",
        "language": "da",
        "began_at": ago(127),
        "held": False,
        "kind": kind,
        "state": state,
    }
    return CallPicture(**{**first, **changes})


def agent(mood: Mood = Mood.CALL, **changes: Any) -> AgentScreen:
    """Return an agent's screen."""
    first: dict[str, Any] = {"agent": "anna", "mood": mood, "protection": ON, "keys": keys(back=no("no_break"))}
    return AgentScreen(**{**first, **changes})


def agent_states() -> dict[str, AgentScreen]:
    """Return the agent's screen in every mood, and in what else it may look like."""
    return _without_a_call() | _in_a_call() | _acute() | _with_help()


def _without_a_call() -> dict[str, AgentScreen]:
    acute = {"permitted": True, "would": "flag"}
    idle = keys(all=no("no_call"), suicide=acute, threat=acute)
    on_break = keys(all=no("no_call"), back={"permitted": True, "would": "end_break"})
    pause = BreakPicture(id="b1", agent="anna", state="on", until=ago(-754), may_end=True)
    refused = pause.model_copy(update={"state": "refused"})
    over = call("abuse", "closing", warned=1)
    return {
        "free": agent(Mood.FREE, keys=idle),
        "closing": agent(Mood.CLOSING, over=over, kinds=ALL_KINDS, keys=idle),
        "break": agent(Mood.BREAK, keys=on_break, **{"break": pause}),
        "break-refused": agent(Mood.BREAK, keys=idle, **{"break": refused}),
        "off": agent(Mood.OFF, protection=OFF, call=call(), calls=1, keys=keys(all=no("pbx_away"))),
    }


def _in_a_call() -> dict[str, AgentScreen]:
    free: dict[str, Any] = {"calls": 1, "kinds": ALL_KINDS}
    back = no("no_break")
    abuse, warned = call("abuse", "open"), call("abuse", "warned", warned=1)
    known = call(note="Bliver hurtigt vred. Tal roligt, og sig hvad der sker nu.")
    playing = keys(warn=no("warning_playing"), back=back)
    acute = {"permitted": True, "would": "flag"}
    return {
        "call": agent(call=call(), **free),
        "known": agent(call=known, **free),
        "held": agent(call=call(held=True), **free),
        "several": agent(calls=2, keys=keys(all=no("several_calls"), suicide=acute)),
        "flagged": agent(Mood.FLAGGED, call=call("rambling", "open"), **free),
        "warning": agent(Mood.WARNING, call=call("abuse", "warning"), keys=playing, **free),
        "wait": agent(Mood.WARNED, call=warned, keys=keys(warn=no("wait", ago(-4)), back=back), **free),
        "warned": agent(Mood.WARNED, call=warned, keys=keys(warn={"would": "end"}, back=back), **free),
        "not-heard": agent(Mood.FLAGGED, call=abuse, last="warning_not_heard", last_at=ago(1), **free),
        "ending": agent(Mood.ENDING, call=warned, calls=1, keys=keys(all=no("call_ending"))),
    }


def _acute() -> dict[str, AgentScreen]:
    latched = {name: no("latched") for name in ("warn", "sexual", "confused", "rambling")}
    acute: dict[str, Any] = {"calls": 1, "kinds": sorted(ACUTE_KINDS), "keys": keys(back=no("no_break"), **latched)}
    return {
        "acute": agent(Mood.ACUTE, call=call("suicide", "acute"), **acute),
        "threat": agent(Mood.ACUTE, call=call("threat", "acute"), help=_COLLEAGUE, **acute),
    }


def _with_help() -> dict[str, AgentScreen]:
    abuse: dict[str, Any] = {"call": call("abuse", "open"), "calls": 1, "kinds": ALL_KINDS}
    joined = _COLLEAGUE.model_copy(update={"state": "joined"})
    return {
        "help": agent(Mood.HELP, help=_COLLEAGUE, **abuse),
        "joined": agent(Mood.HELP, help=joined, keys=keys(colleague={"would": "leave"}, back=no("no_break")), **abuse),
    }


def page(**changes: Any) -> PagePicture:
    """Return an acute page that two people were told of."""
    began = ago(95)

    def after(seconds: float) -> datetime:
        return began + timedelta(seconds=seconds)

    sent: dict[str, Any] = {"step": 0, "queued_at": began, "sent_at": after(1)}
    next_: dict[str, Any] = {"step": 1, "queued_at": after(60), "at": after(60)}
    told = (
        ToldPicture(person="Vagtdesk", channel="mqtt", delivery="sent", at=after(1), **sent),
        ToldPicture(person="Anna", channel="sms", delivery="delivered", at=after(5), delivered_at=after(5), **sent),
        ToldPicture(
            person="Bo", channel="sms", delivery="refused", detail="HTTP 400 no route", **(next_ | {"at": after(61)})
        ),
        ToldPicture(person="Bo", channel="mqtt", delivery="", **next_),
        ToldPicture(person="Bo", channel="voice", delivery="waiting", attempts=0, **next_),
    )
    first: dict[str, Any] = {
        "id": "p-18f3a1-acute",
        "incident": "i-18f3a1",
        "reason": "call",
        "plan": "acute",
        "severity": "acute",
        "state": "calling",
        "step": 1,
        "opened_at": began,
        "told": told,
    }
    return PagePicture(**{**first, **changes})


def proofs() -> tuple[ProofPicture, ...]:
    """Return ways to people: never proved, proved too long ago, being tried, proved."""
    return (
        ProofPicture(person="Bo", channel="voice", state="unproved", asked_at=ago(200_000), lapses=2, overdue=True),
        ProofPicture(person="Anna", channel="sms", state="proved", proved_at=ago(40 * 86_400), days=40, overdue=True),
        ProofPicture(
            person="Anna", channel="mqtt", state="asked", proved_at=ago(30 * 86_400), days=30, asked_at=ago(600)
        ),
        ProofPicture(person="Vagtdesk", channel="email", state="proved", proved_at=ago(60), days=0),
    )


def duty(**changes: Any) -> DutyScreen:
    """Return a duty desk where nothing is the matter."""
    rungs = (
        RungPicture(step=0, people=("Vagtdesk", "Anna"), wait_s=60),
        RungPicture(step=1, people=("Bo",), wait_s=180),
        RungPicture(step=-1, people=("Mette (chef)",), wait_s=300),
    )
    plan = OnCallPicture(plan="acute", now=rungs, next_at=ago(-7200), next=rungs[1:])
    return DutyScreen(**{"protection": ON, "on_call": (plan, plan.model_copy(update={"plan": "aftercare"})), **changes})


def duty_states() -> dict[str, DutyScreen]:
    """Return the duty desk in quiet and in need."""
    acute, warned, open_ = (
        call("suicide", "acute", id="c1"),
        call("abuse", "warned", id="c2", warned=1),
        call("abuse", "open", id="c3"),
    )
    latch: dict[str, Any] = {"agreed": ("anna",), "no_take_over": "not_transferable"}
    chief = HelpPicture(role="chief", who="Mette", state="ringing")
    calls = (
        GuardedCall(call=acute, agent="Jonas", team="nat", mood=Mood.ACUTE, **latch),
        GuardedCall(call=warned, agent="Ida", team="", mood=Mood.WARNED),
        GuardedCall(call=open_, agent="Karla", team="", mood=Mood.HELP, help=chief),
    )
    breaks = (
        BreakPicture(id="b1", agent="Per", state="on", until=ago(-431), may_end=True),
        BreakPicture(id="b2", agent="Ulla", state="refused", until=ago(-900), may_end=True),
    )
    answer: dict[str, Any] = {"answered_by": "Anna", "answered_at": ago(20), "means": "sms", "answer_s": 75.0}
    taken = page(id="p-2", severity="normal", plan="aftercare", state="answered", **answer)
    return {
        "quiet": duty(),
        "busy": duty(pages=(page(passed=("Carl",)), taken), calls=calls, breaks=breaks, proofs=proofs()),
        "taken": duty(pages=(page(state="answered", **answer),), proofs=proofs()[3:], calls=calls[1:]),
        "off": duty(protection=OFF),
    }
