"""What the core decided, in words, and where in the file the rule for it stands."""

from datetime import datetime

from policies import actions as act
from policies.reasons import SENTENCES, Reason
from telephony.explain.model import Rule
from telephony.settings import Settings
from telephony.settings.lines import dotted
from telephony.settings.policy import Hours
from telephony.settings.resolve import holiday_names

# Where in the file a rule stands that the core calls otherwise, or an answer that names none.
_RULES: dict[str, tuple[str, ...]] = {
    "late_key_s": ("presses", "late_key_s"),
    "late_flag_s": ("presses", "late_flag_s"),
}
_REASONS: dict[Reason, tuple[str, ...]] = {
    Reason.NO_SUCH_KIND: ("kinds",),
    Reason.NO_BREAK: ("breaks",),
}


class Places:
    """Finds rules in a policy file."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def rule(self, *path: str | int) -> Rule:
        """Return the rule at a path such as `("kinds", "abuse", "wait_s")`."""
        lines = self._settings.origin.lines
        return Rule(dotted(path), lines.near(path), self._value(path), written=lines.at(path) is not None)

    def rule_of(self, answer: act.Tell) -> Rule | None:
        """Return the rule that an answer comes from; None when no policy can change it."""
        path: tuple[str, ...] = _RULES.get(answer.rule) or tuple(answer.rule.split("."))
        if not answer.rule:
            path = _REASONS.get(answer.reason, ())
        return self.rule(*path) if path and path[0] in type(self._settings).model_fields else None

    def office(self, at: datetime, *, open_: bool) -> tuple[str, Rule]:
        """Say whether the office is open at `at` (local), and what says so."""
        closed = holiday_names(self._settings, range(at.year, at.year + 1))
        if at.date() in closed:
            own = closed[at.date()] == "closed by the site"
            return f"outside office hours: {closed[at.date()]}", self.rule("site", "closed" if own else "country")
        day = list(Hours.model_fields)[at.weekday()]
        return "in office hours" if open_ else "outside office hours", self.rule("office_hours", day)

    def _value(self, path: tuple[str | int, ...]) -> str:
        value: object = self._settings
        for part in path:
            if isinstance(value, dict):
                value = value.get(part)
            elif isinstance(part, str):
                value = getattr(value, part, None)
            else:
                return ""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            return f"{value:g}"
        if isinstance(value, str):
            return f'"{value}"'
        return "[" + ", ".join(f'"{v}"' for v in value) + "]" if isinstance(value, list) and path[0] != "pages" else ""


def sentence(answer: act.Tell) -> str:
    """Return an answer as the agent reads it."""
    words = SENTENCES[answer.reason]
    words += f" ({answer.who})" if answer.who else ""
    return words + (f" Possible in {answer.wait_s:g} s." if answer.wait_s else "")


def action_words(action: act.Action) -> str:
    """Return what is done, in words; "" for what is told elsewhere (answers, pages, timers)."""
    match action:
        case act.Announce():
            return f'the prompt "{action.prompt}" ({action.language}) is played to caller and agent'
        case act.StopAnnouncement():
            return "the warning that is playing stops"
        case act.Release(permit=permit):
            closing = f'hears the prompt "{permit.closing}" ({permit.language}) and ' if permit.closing else ""
            return f"{permit.agent} is let go at once; the caller {closing}is disconnected"
        case act.Retrieve():
            return f"the caller is brought back to {action.agent}"
        case act.Ring(target=target):
            brief = f', and hears the prompt "{action.brief}" ({action.language}) first' if action.brief else ""
            confirm = "; a key press is asked for, since a voicemail may answer" if target.confirm else ""
            return f"{target.name} ({target.endpoint}) is rung for {action.ring_s:g} s{brief}{confirm}"
        case act.Tell(press="", reason=Reason.NOBODY_ANSWERED):
            return f"when nobody answers: {sentence(action)}"
        case act.Unpause():
            return f"{action.agent} is put back into the queues; pauses that are not ours stay"
        case _:
            return ""
