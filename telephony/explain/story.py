"""One made-up call, and what `decide` makes of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from policies import actions as act
from policies import events as ev
from policies.breaks import Break, BreakState
from policies.decide import decide
from policies.guards import CallState, Heard
from policies.model import AgentId, CallId, Candidate, Does, KeyUse, LegId, LiveCall, Outcome, Source, Target, Timer
from policies.pages import LAST_RESORT, Page
from policies.rules import Policy, Rules
from policies.state import Decision, State
from telephony.explain.model import Explanation, Told
from telephony.explain.words import Places, action_words, sentence
from telephony.settings import Settings

_CALL = CallId("call")
_FREE = Target("the first free colleague", "as the queues say", AgentId("the-first-free-colleague"))
_TALKING = timedelta(minutes=10)


class Story:
    """A call of `kind` in which `agent` presses `key` at `at` (aware)."""

    def __init__(self, settings: Settings, rules: Rules, agent: AgentId, kind: str, key: KeyUse, at: datetime) -> None:
        self._settings = settings
        self._policy = Policy(rules)
        self._agent = agent
        self._kind = kind
        self._key = key
        self._local = at
        self._at = at.astimezone(UTC)
        self._places = Places(settings)
        self._assumed: list[str] = []

    def explained(self, note: str, warned: int | None, since_s: float | None) -> Explanation:
        """Press the key, and say what follows.

        Args:
            note: on the time.
            warned: warnings that the caller has heard; None for what the key needs.
            since_s: since the last of them; None for long enough.
        """
        before, marked = self._before(warned, since_s)
        pressed = self._press(before, self._key, "press")
        answer = next(a for a in pressed.actions if isinstance(a, act.Tell) and a.press)
        missed = self._nobody_comes(pressed)
        break_s, until = self._break_after(pressed)
        guard = pressed.state.guards.get(_CALL)
        paged = [d for d in (marked, pressed, *missed) if d is not None]
        words = [w for d in (pressed, *missed) for a in d.actions if (w := action_words(a))]
        if guard is not None and guard.state is CallState.ACUTE:
            words.insert(0, "no key ends this call, until two people agree that it is not acute any more")
        office, office_rule = self._places.office(self._local, open_=self._policy.now.office.is_open(self._at))
        return Explanation(
            at=self._local,
            note=note,
            office=office,
            office_rule=office_rule,
            key=self._key,
            assumed=tuple(self._assumed),
            verdict=answer.verdict,
            reason=answer.reason,
            answer=sentence(answer),
            rule=self._places.rule_of(answer),
            actions=tuple(words),
            break_s=break_s,
            break_until=until,
            break_rule=self._places.rule("kinds", guard.kind, "break_s") if guard is not None and guard.kind else None,
            told=tuple(told for d in paged for told in self._rungs(d)),
        )

    def _before(self, warned: int | None, since_s: float | None) -> tuple[State, Decision | None]:
        """Return what has happened when the key is pressed, and the decision that marked the call, if it was marked."""
        state = State(connected=True)
        if self._key.does is Does.BACK:
            return self._on_break(state), None
        self._assumed.append(f"{self._agent} has one call, and it is with the caller")
        rules = self._policy.now.kinds.get(self._kind)
        needed = rules.warnings if rules is not None and self._key.does is Does.END and not rules.latched else 0
        heard = needed if warned is None else warned
        marks = self._key.does in (Does.WARN, Does.FLAG) and self._key.kind == self._kind
        if rules is None or (marks and not heard):
            return state, None
        marked = self._press(state, KeyUse("mark", Does.FLAG, self._kind), "mark")
        self._assumed.append(f'the call is marked as "{self._kind}" already')
        if any(isinstance(entity, Page) for entity in marked.changed):
            self._assumed.append("its page went out then; it is told here as if that were now")
        state = replace(marked.state, presses={})
        guard = state.guards[_CALL]
        if not heard:
            return state, marked
        enough_s = min(rules.wait_s + 1, max(rules.wait_s, rules.warning_lasts_s))
        last = self._at - timedelta(seconds=enough_s if since_s is None else since_s)
        self._assumed.append(
            f"warnings heard by the caller: {heard}, the last {(self._at - last).total_seconds():g} s ago"
        )
        if guard.state is CallState.OPEN:
            times = [last - _TALKING / 10 * n for n in reversed(range(heard))]
            evidence = tuple(Heard(rules.warning, guard.caller, guard.agent, at, 250, 5.0) for at in times)
            guard = replace(guard, state=CallState.WARNED, heard=evidence, warned=heard)
        return replace(state, guards={_CALL: guard}), marked

    def _on_break(self, state: State) -> State:
        rules = self._policy.now.kinds.get(self._kind)
        length = timedelta(seconds=rules.break_s if rules is not None and rules.break_s else 600)
        self._assumed.append(f"{self._agent} is on a break, and has no call")
        break_ = Break("break", self._agent, "incident", self._at, self._at + length, BreakState.ON)
        return replace(state, breaks={break_.id: break_})

    def _press(self, state: State, key: KeyUse, event: str) -> Decision:
        began = self._at - timedelta(days=1)  # also before warnings that were long ago
        call = LiveCall(
            id=_CALL,
            caller=LegId("caller"),
            agent=self._agent,
            agent_leg=LegId("agent"),
            bridge="bridge",
            began_at=began,
            language=self._settings.site.language,
        )
        pressed = ev.KeyPressed(
            id=event,
            at=self._at,
            agent=self._agent,
            key=key,
            source=Source.COMMAND,
            pressed_at=self._at,
            calls=(call,),
            candidates=(Candidate(_FREE, "", began),),
        )
        return decide(state, pressed, self._policy)

    def _nobody_comes(self, pressed: Decision) -> list[Decision]:
        """Follow a handoff in which nobody answers, to its end."""
        followed: list[Decision] = []
        latest, at = pressed, self._at
        while True:
            ring = next((a for a in latest.actions if isinstance(a, act.Ring)), None)
            if ring is None:
                return followed
            at += timedelta(seconds=ring.ring_s)
            missed = ev.ColleagueMissed(id=f"missed-{len(followed)}", at=at, action=ring.id, handoff=ring.handoff)
            latest = decide(latest.state, missed, self._policy)
            followed.append(latest)

    def _break_after(self, pressed: Decision) -> tuple[int, datetime | None]:
        """Let the call end, by the key if it ends it, and return the length of the agent's break and its end."""
        release = next((a for a in pressed.actions if isinstance(a, act.Release)), None)
        ends: list[ev.Event] = [ev.CallEnded(id="ended", at=self._at, call=_CALL)]
        if release is not None:
            done = ev.ReleaseFinished(
                id="released",
                at=self._at,
                action=release.id,
                call=_CALL,
                permit=release.permit.id,
                outcome=Outcome.DONE,
            )
            ends.insert(0, done)
        state = pressed.state
        for event in ends:
            decision = decide(state, event, self._policy)
            state = decision.state
            for action in decision.actions:
                if isinstance(action, act.StartTimer) and (action.timer.entity, action.timer.what) == ("break", "over"):
                    length = int((action.due_at - event.at).total_seconds())
                    return length, action.due_at.astimezone(self._local.tzinfo)
        return 0, None

    def _rungs(self, decision: Decision) -> list[Told]:
        """Follow every page that a decision opened, while nobody answers, to its last resort."""
        told = []
        for page in [entity for entity in decision.changed if isinstance(entity, Page)]:
            latest, at = decision, page.opened_at
            while True:
                now = latest.state.pages[page.id]
                told.append(self._told(now, at))
                if now.step == LAST_RESORT:
                    break
                next_ = Timer("page", page.id, "next")
                at = next(a.due_at for a in latest.actions if isinstance(a, act.StartTimer) and a.timer == next_)
                event = ev.TimerFired(id=f"next-{len(told)}", at=at, timer=next_)
                latest = decide(latest.state, event, self._policy)
        return told

    def _told(self, page: Page, at: datetime) -> Told:
        last = page.step == LAST_RESORT
        step = None if last else page.plan.steps[page.step]
        people: dict[str, tuple[str, ...]] = {}
        for message in page.rung:
            channels = people.get(message.person, ())
            if step is None or len(channels) * step.in_turn_s < step.wait_s:  # else the step is over before its turn
                people[message.person] = (*channels, message.channel)
        plan = ("pages", page.plan.name)
        rule = self._places.rule(*plan, "last_resort") if last else self._places.rule(*plan, "steps", page.step)
        return Told(
            plan=page.plan.name,
            step=0 if last else page.step + 1,
            round=page.round + 1,
            at=at.astimezone(self._local.tzinfo),
            people=tuple(people.items()),
            rule=rule,
            in_turn_s=step.in_turn_s if step is not None else 0.0,
        )
