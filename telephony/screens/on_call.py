"""Who is on call now, and who is next, by the page plans, the rotas and the office hours."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from policies.pages import LAST_RESORT, Rung, next_rung, staffed, turns
from policies.rules import PagePlan, Rules
from telephony.screens.model import OnCallPicture, RungPicture

LOOK_AHEAD = timedelta(days=14)
LOOK_AGAIN = timedelta(hours=1)


class OnCall:
    """Looks it up, and keeps it until somebody else may be on call: the duty desk's screen is drawn often."""

    def __init__(self) -> None:
        self._rules: Rules | None = None
        self._since = self._until = datetime.min.replace(tzinfo=UTC)
        self._found: tuple[OnCallPicture, ...] = ()

    def __call__(self, rules: Rules, at: datetime) -> tuple[OnCallPicture, ...]:
        """Return who would be told by each plan, if it began at `at` (aware)."""
        if rules is not self._rules or not self._since <= at < self._until:
            next_turns = turns(rules, at, at + LOOK_AHEAD)
            self._found = tuple(_plan(plan, rules, at, next_turns) for plan in rules.pages.values())
            self._rules, self._since = rules, at
            self._until = min((at + LOOK_AGAIN, *next_turns[:1]))
        return self._found


def _plan(plan: PagePlan, rules: Rules, at: datetime, next_turns: Iterable[datetime]) -> OnCallPicture:
    now = _rungs(plan, rules, at)
    for turn in next_turns:
        later = _rungs(plan, rules, turn)
        if later != now:
            return OnCallPicture(plan=plan.name, now=now, next_at=turn, next=later)
    return OnCallPicture(plan=plan.name, now=now)


def _rungs(plan: PagePlan, rules: Rules, at: datetime) -> tuple[RungPicture, ...]:
    """Return the rungs of one round, and the last resort."""
    found: list[Rung] = []
    with_people = staffed(plan, at, rules)
    rung = next_rung(with_people, rules.office, at, -1, 0)
    while rung.step != LAST_RESORT and rung.round == 0:
        found.append(rung)
        rung = next_rung(with_people, rules.office, at, rung.step, 0)
    last = RungPicture(step=LAST_RESORT, people=(plan.last_resort.name,), wait_s=plan.last_resort_every_s)
    return (*(RungPicture(step=r.step, people=tuple(p.name for p in r.people), wait_s=r.wait_s) for r in found), last)
