"""What a key would do, and which line of the policy says so.

Nothing here knows the policy: a call is made up as it was asked for, the key is pressed in it, and `policies.decide`
says what follows. What comes later (nobody answers, the call ends) is told by feeding those events to `decide` too.
"""

from collections.abc import Callable
from datetime import datetime

from policies.model import AgentId, Does, KeyUse
from policies.rules import Rules
from telephony.errors import BagvagtError
from telephony.explain.clock import local_time
from telephony.explain.model import Explanation, Rule, Told
from telephony.explain.story import Story
from telephony.settings import Settings
from telephony.settings import rules as resolve

__all__ = ["Explanation", "Rule", "Told", "UnknownKeyError", "explain", "local_time"]


class UnknownKeyError(BagvagtError):
    """Neither a key of the policy nor a word for what keys do.

    Attributes:
        key: what was asked for.
        known: what could have been.
    """

    def __init__(self, key: str, known: tuple[str, ...]) -> None:
        self.key = key
        self.known = known
        super().__init__(key, known)

    def __str__(self) -> str:
        return f'there is no key "{self.key}"; there are {", ".join(self.known)}'


def explain(
    settings: Settings,
    agent: str,
    kind: str,
    key: str,
    at: datetime,
    *,
    warned: int | None = None,
    since_warning_s: float | None = None,
    into: Callable[[Rules], Rules] = lambda rules: rules,
) -> Explanation:
    """Tell what a key would do.

    Args:
        settings: the policy.
        agent: who presses.
        kind: kind of the call; "" for what the key marks, or for a call that nobody has marked.
        key: a key's name, or what it does ("warn", "end", "flag", "colleague", "chief", "back").
        at: when; without a zone it is the site's local time.
        warned: how many warnings the caller has heard. For an ending key as many as are needed, else none.
        since_warning_s: seconds since the last of them. Until the wait is over, when left out.
        into: puts the shifts of calendars into the rules.

    Raises:
        UnknownKeyError: there is no such key.
    """
    when, note = local_time(settings.site.zone, at)
    rules = into(resolve(settings, when.date()))
    used = _key(rules, kind, key)
    return Story(settings, rules, AgentId(agent), kind or used.kind, used, when).explained(
        note, warned, since_warning_s
    )


def _key(rules: Rules, kind: str, key: str) -> KeyUse:
    """Return the key of that name, else one that does what is asked, of the policy where it has one."""
    named = rules.keys.get(key)
    verbs = tuple(does.value for does in Does)
    if named is not None and (key not in verbs or not kind or named.kind in ("", kind)):
        return named
    if key not in verbs:
        raise UnknownKeyError(key, tuple(dict.fromkeys((*rules.keys, *verbs))))
    does = Does(key)
    if does not in (Does.WARN, Does.FLAG):
        return KeyUse(key, does)
    same = (k for k in rules.keys.values() if k.does is does and k.kind == kind)
    return next(same, KeyUse(key, does, kind))
