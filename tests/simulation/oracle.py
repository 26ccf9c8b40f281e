"""The oracle: reads the PBX world's side, the pager's side, and what was decided when; never the service's state.

One check for each rule of what must never happen. Each returns its findings, in words.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta

from adapters.simulator.parts import SERVICE, Record, Sound
from policies import actions as act
from policies import events as ev
from policies.breaks import Break, BreakState
from policies.events import Delivery
from policies.model import Does
from policies.pages import Page
from policies.proofs import Proof, ProofState
from policies.reasons import Reason
from tests.simulation import site
from tests.simulation.faults import Faults
from tests.simulation.process import START
from tests.simulation.simulation import Simulation

HEALTHY = repr(Faults())
OURS = "bagvagt:"
RACE_S = 0.1  # between looking and acting on a PBX that has no conditional commands
LATE_S = 10.0  # a command that the wire delivered late
_FLAGGED = (Reason.FLAGGED, Reason.ACUTE, Reason.WARNING_STARTED, Reason.ENDING)

_HANDOFF = (Does.COLLEAGUE, Does.CHIEF)
_IGNORED = (Reason.SAME_PRESS, Reason.SEVERAL_CALLS, Reason.LATCHED)

Decision = tuple[float, ev.KeyPressed, list[act.Tell]]


class Oracle:
    """Looks at one run that is over."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.run = sim.run
        self.history = [(self._t(r), r) for r in sim.world.history]
        self.log = sim.disk.log
        self.phones = sim.ears
        self.late = [t for t, r in self.history if r.what == "late"]

    def _t(self, record: Record) -> float:
        return (record.at - START).total_seconds()

    def findings(self) -> list[str]:
        """Return everything that is wrong, each with its rule."""
        return [f"{name}: {finding}" for name, check in RULES.items() for finding in check(self)]

    # --- what was decided -----------------------------------------------------------------------------------

    def pressed(self) -> Iterator[Decision]:
        """Return the keys that were decided and committed, with their answers."""
        for t, entry in self.log:
            if isinstance(entry.event, ev.KeyPressed):
                yield t, entry.event, [tell for tell in entry.told if tell.press == entry.event.id]

    def meant(self, event: ev.KeyPressed) -> set[str]:
        """Return the calls that a key may have meant, by what the adapter showed."""
        calls = [call for call in event.calls if (call.joined_at or call.began_at) <= event.pressed_at]
        in_leg = {call.id for call in calls if event.leg is not None and call.agent_leg == event.leg}
        if not calls and event.last_call is not None:
            call, left_at = event.last_call
            return {str(call.id)} if event.at - left_at < timedelta(seconds=120) else set()
        up = {call.id for call in calls if not call.held}
        return {str(c) for c in in_leg or (up if len(up) == 1 else {call.id for call in calls})}

    def was_late(self, t: float) -> bool:
        """Tell whether the wire delivered a command at this instant that had been sent long before."""
        return any(abs(t - late) < 1e-5 for late in self.late)

    def is_troubled(self, since: float, until: float) -> bool:
        """Tell whether the service was away, or the wire, the PBX or the store in trouble, between two instants."""
        lives = self.run.life
        away = [(end, nxt[0]) for (_b, end), nxt in zip(lives, [*lives[1:], (self.run.over_at, 0.0)], strict=True)]
        return any(a < until and b > since for a, b in [*away, *self.run.trouble])

    def was_with(self, caller: str, agent: str, t: float) -> bool:
        """Tell whether an agent was connected with a caller in the minute before `t`."""
        spans = self.sim.company
        return any(a == agent and c == caller and since <= t and until >= t - 60.0 for a, c, since, until in spans)

    def was_paused_everywhere(self, agent: str, since: float, until: float) -> bool:
        """Tell whether the PBX showed a pause in all of an agent's queues at one instant between the two."""
        now: dict[str, bool] = {}
        for t, r in self.history:
            if r.what != "member" or r.leg != agent or t > until:
                continue
            if t > since and now and all(now.values()):
                return True
            queue, paused, _reason = r.detail.split("|")
            now[queue] = paused == "True"
        return all(now.values())

    def is_latched_within(self, caller: str, t: float, for_s: float) -> bool:
        """Tell whether an acute flag followed so closely that what was promised could not happen."""
        return any(c == caller and t <= since <= t + for_s for c, since, _until in _latches(self))

    def together(self, caller: str, t: float) -> set[str]:
        """Return the agents who were in the caller's bridge shortly before `t`.

        A command that the wire held back cannot be called back: it is judged by those who were there when it was sent.
        """
        before = t - (LATE_S if self.was_late(t) else RACE_S)
        return {a for a, c, since, until in self.sim.company if c == caller and since <= t and until >= before}


def heard_before_ending(o: Oracle) -> Iterator[str]:
    """Rule 1: nobody is cut off without having heard the whole warning, unless the kind needs none."""
    for t, r in o.history:
        if r.by != SERVICE or r.what != "redirected":
            continue
        needed = _warnings_needed(o, r.leg, t)
        agents = o.together(r.leg, t)
        whole = [s for s in o.phones[r.leg] if _counts(s, r) and s.company & agents]
        if needed is None or len(whole) < needed:
            yield f"{t:.3f} {r.leg} redirected with {agents}; {len(whole)} of {needed} warnings heard"


def _counts(sound: Sound, r: Record) -> bool:
    name = sound.what.split(":")[1] if sound.what.startswith("prompt:") else ""
    ended = sound.began + timedelta(seconds=sound.heard_s)
    return name in site.WARNINGS and sound.is_whole and ended <= r.at


def _warnings_needed(o: Oracle, caller: str, t: float) -> int | None:
    """Return how many warnings the kind in force needs, by the strictest policy since the call began."""
    kinds: list[tuple[float, str]] = [
        (at, e.key.kind)
        for at, e, told in o.pressed()
        if e.key.kind and caller in o.meant(e) and at <= t and not any(x.reason in _IGNORED for x in told)
    ]
    if not kinds:
        return None
    last = kinds[-1][0]
    # At the least, a call is held to the policies since the conversation that is under way began: a service that was
    # restarted after a transfer cannot know the conversation before.
    began = max((at for at, r in o.history if r.what == "bridged" and r.leg == caller and at <= t), default=0.0)
    versions = [
        rules
        for (since, rules), until in zip(
            o.run.policies, [*(p[0] for p in o.run.policies[1:]), float("inf")], strict=True
        )
        if until > began and since <= t
    ]
    near = {kind for at, kind in kinds if at >= last - (LATE_S if o.late else RACE_S)}
    strictest = min if o.run.clock_spread_s else max  # "since the call began" means little to a clock that jumps
    return min(strictest(rules.kinds[kind].warnings for rules in versions) for kind in near)


def latched_never_ended(o: Oracle) -> Iterator[str]:
    """Rule 2: after the flag was decided, no ending begins, and one under way is stopped."""
    for caller, since, until in _latches(o):
        for t, r in o.history:
            if r.leg != caller or not since < t < until:
                continue
            if r.what == "redirected" and r.by == SERVICE and t - since > RACE_S and not o.was_late(t):
                yield f"{t:.3f} {caller} was redirected, latched since {since:.3f}"
            if r.what == "ended" and r.detail.endswith(":closing") and not _could_not_be_stopped(o, caller, since, t):
                yield f"{t:.3f} {caller} heard the closing to its end, latched since {since:.3f}"


def _could_not_be_stopped(o: Oracle, caller: str, since: float, t: float) -> bool:
    began = max(at for at, r in o.history if r.what == "redirected" and r.leg == caller and at <= t)
    commands = "commands=True" in o.run.drawn or "events=True" in o.run.drawn
    return t - max(since, began) < 1.0 or o.is_troubled(began - LATE_S, t) or commands


def _latches(o: Oracle) -> list[tuple[str, float, float]]:
    """Return (call, from, until) of each latch; two different people end it."""
    found: list[tuple[str, float, float]] = []
    for t, event, told in o.pressed():
        if not any(tell.reason is Reason.ACUTE for tell in told):
            continue
        for caller in o.meant(event):
            by: set[str] = set()
            until = float("inf")
            for at, call, who in o.run.agreed:
                if call == caller and at >= t - LATE_S:
                    by.add(who)
                    until = min(until, at) if len(by) > 1 else until
            found.append((caller, t, until))
    return found


def no_command_elsewhere(o: Oracle) -> Iterator[str]:
    """Rule 3: what the service does to a leg was asked for by a key in that leg's call."""
    for t, r in o.history:
        if r.by != SERVICE or (o.was_late(t) and not r.legs):
            continue  # a late command for a caller who is in the closing already: the same closing once more
        if r.what in ("redirected", "announced"):
            does = (Does.WARN, Does.END) if r.what == "redirected" else (Does.WARN,)
            if not _was_asked(o, r.leg, t, does, o.together(r.leg, t)):
                yield f"{t:.3f} {r.what} {r.leg} (with {o.together(r.leg, t)}): nobody there asked for it"
        elif r.what in ("rung in", "joined"):
            caller = r.detail
            if not _was_asked(o, caller, t, _HANDOFF, None):
                yield f"{t:.3f} {r.what} {caller}: nobody asked for it"
        elif r.what == "brought back":
            # An acute key does not wait for the store: what it does may come before the commit that tells of it.
            if not any(
                caller == r.leg and (since <= t or o.is_troubled(t, since)) for caller, since, _until in _latches(o)
            ):
                yield f"{t:.3f} {r.leg} was brought back without a latch"
        elif r.what == "ended":
            yield from _service_hung_up(o, t, r)


def _was_asked(o: Oracle, caller: str, t: float, does: tuple[Does, ...], agents: set[str] | None) -> bool:
    for p in o.run.presses:
        if p.at > t or p.key.does not in does or (agents is not None and p.agent not in agents):
            continue
        blurred = "events=True" in o.run.drawn and p.leg is None  # what was seen may be old: any of the agent's calls
        was_in = caller in p.talks or (blurred and o.was_with(caller, p.agent, p.at))
        if p.late and o.run.clock_spread_s and t - p.at < 60.0:
            return True  # when a late key was pressed, a clock that jumped cannot tell
        if p.meant == caller or (blurred and was_in) or (p.late and was_in):
            return True
    return False


def _service_hung_up(o: Oracle, t: float, r: Record) -> Iterator[str]:
    role = r.detail.split(":")[0]
    if role == "rung" and ":bridge:" not in r.detail:
        return
    if role == "caller":
        yield f"{t:.3f} the service hung up the caller {r.leg}"
        return
    released = any(
        x.what == "redirected" and x.by == SERVICE and r.leg in x.legs and 0 <= t - at < LATE_S for at, x in o.history
    )
    stays = [leg for leg in r.legs if leg != r.leg]
    asked = any(_was_asked(o, leg, t, _HANDOFF, None) for leg in stays)
    if not released and not (len(stays) > 1 and asked):
        yield f"{t:.3f} the service hung up {r.leg}, who was with {stays}"


def pages_go_on(o: Oracle) -> Iterator[str]:
    """Rule 4: what was opened is told until a person answers, and reaches the last resort."""
    attempts = defaultdict(list)
    for a in o.sim.carriers.attempts:
        attempts[a.notify.page].append(a)
    opened = {a.page: t for t, entry in reversed(o.log) for a in entry.actions if isinstance(a, act.Notify)}
    for page, since in opened.items():
        if page.startswith("t-"):
            continue  # a test of a path: it escalates to nobody
        answered = o.sim.carriers.answered.get(page)
        told = attempts[page]
        if not told and answered is None:
            yield f"{since:.3f} page {page} was opened and nobody was ever told"
        elif answered is None:
            last = [a for a in told if a.notify.step == -1 and a.at >= o.run.calm_at]
            if len(last) < 2 or last[-1].at < o.run.over_at - site.LAST_RESORT_EVERY_S - 30.0:
                yield f"{since:.3f} page {page}: nobody answered, and it is told no more (last {told[-1].at:.3f})"
        elif answered > o.run.calm_at and any(a.at > answered + 5.0 for a in told):
            yield f"{answered:.3f} page {page} goes on after an answer"
    for t, event, told_ in o.pressed():
        if any(tell.reason is Reason.ACUTE for tell in told_) and not _has_acute_page(o, t, event):
            yield f"{t:.3f} acute key {event.id} of {event.agent} opened no page"


def only_people_count(o: Oracle) -> Iterator[str]:
    """Rule 4: what ends a page, or proves a channel, is a person's word; a message is sent in vain once at most."""
    persons = (ev.PageAnswered, ev.PageReplied, ev.PagePassed)
    for t, entry in o.log:
        for entity in entry.changed:
            over = isinstance(entity, Page) and not entity.is_open
            proved = isinstance(entity, Proof) and entity.state is ProofState.PROVED
            was_over = isinstance(entry.event, (ev.Notified, ev.MessageReported))  # noted of what is over already
            if (over or proved) and not was_over and not isinstance(entry.event, persons):
                yield f"{t:.3f} a {type(entity).__name__} was ended by a {type(entry.event).__name__}"
    taken = Counter(a.notify.message for a in o.sim.carriers.attempts if a.delivery is not Delivery.DEFERRED)
    for message, times in taken.items():
        if times > 2 + len(o.run.life):
            yield f"message {message} was handed over {times} times"


def _has_acute_page(o: Oracle, t: float, event: ev.KeyPressed) -> bool:
    calls = {c.id for c in event.calls} | ({event.last_call[0].id} if event.last_call else set())
    for at, entry in o.log:
        pages = any(isinstance(a, act.Notify) and a.incident for a in entry.actions)
        if at <= t and pages and isinstance(entry.event, ev.KeyPressed) and entry.event.key.kind:
            theirs = {c.id for c in entry.event.calls}
            theirs |= {entry.event.last_call[0].id} if entry.event.last_call else set()
            if entry.event.id == event.id or calls & theirs:
                return True
    return False


def breaks_are_true(o: Oracle) -> Iterator[str]:
    """Rule 5: shown ON means paused; none is lost or too long; nobody else's pause is touched."""
    yield from _shown_on(o)
    yield from _foreign_untouched(o)
    yield from _not_lost(o)
    for member in o.sim.world.queues.members.values():
        if member.reason.startswith(OURS):
            yield f"at the end {member.agent} is still paused in {member.queue}: {member.reason}"


def _shown_on(o: Oracle) -> Iterator[str]:
    for t, entry in o.log:
        if not isinstance(entry.event, ev.PauseFinished):
            continue
        for agent in [x.agent for x in entry.changed if isinstance(x, Break) and x.state is BreakState.ON]:
            since = t - 3.0 - (60.0 if o.is_troubled(t - 60.0, t) else 0.0)
            if not o.was_paused_everywhere(agent, since, t):
                yield f"{t:.3f} break of {agent} shown as on; the PBX shows no pause"


def _foreign_untouched(o: Oracle) -> Iterator[str]:
    set_at: dict[tuple[str, str], float] = {}
    for t, r in o.history:
        if r.what == "by hand":
            set_at[r.leg, r.detail.split("|")[0]] = t
        if r.what not in ("paused", "unpaused") or r.by != SERVICE:
            continue
        queue, _reason, before = r.detail.split("|")
        stood = t - set_at.get((r.leg, queue), 0.0) > RACE_S
        if before.startswith("True:") and site.FOREIGN in before and stood and not o.was_late(t):
            yield f"{t:.3f} the service {r.what} {r.leg} in {queue}, where {before} stood"


def _not_lost(o: Oracle) -> Iterator[str]:
    due: dict[str, float] = {}
    for t, event, told in o.pressed():
        calls = o.meant(event)
        if len(calls) != 1 or not event.key.kind or not any(tell.reason in _FLAGGED for tell in told):
            continue
        is_over = not set(o.run.talks_when_calm[event.agent]) & calls
        if is_over and t + _shortest_break(o, calls) - o.run.clock_spread_s > o.run.calm_at + 60.0:
            due[event.agent] = t
    ended = [(t, e.agent) for t, e, _told in o.pressed() if e.key.does is Does.BACK]
    for t, agent in [*ended, *o.run.ended_breaks]:
        if due.get(agent, t) < t:
            due.pop(agent)
    for agent, t in due.items():
        if not all(paused for paused, _reason in o.run.paused_when_calm[agent]):
            yield f"{t:.3f} {agent} flagged a call that is over, and is on no break: {o.run.paused_when_calm[agent]}"


def _shortest_break(o: Oracle, calls: set[str]) -> float:
    kinds = {e.key.kind for _t, e, _told in o.pressed() if e.key.kind and o.meant(e) & calls}
    return min((site.rules().kinds[kind].break_s for kind in kinds), default=0)


def calls_go_on(o: Oracle) -> Iterator[str]:
    """Rule 6: with the service dead, only people, the dialplan and the PBX's own death end legs."""
    deaths = [(end, nxt) for (_b, end), nxt in zip(o.run.life, [b for b, _e in o.run.life[1:]], strict=False)]
    for killed, back in deaths:
        for t, r in o.history:
            if not (killed <= t < back and r.what == "ended" and r.by == SERVICE) or o.was_late(t):
                continue
            # The last of a release's commands may have been on its way when the service died.
            if not any(
                x.what == "redirected" and x.by == SERVICE and r.leg in x.legs and killed - RACE_S < at <= killed
                for at, x in o.history
            ):
                yield f"{t:.3f} {r.leg} was ended by a service that was dead since {killed:.3f}"
    ended = {r.leg: (t, r) for t, r in o.history if r.what == "ended"}
    for killed, up in o.run.left_up:
        for leg in up:
            if leg in ended and ended[leg][1].by in ("", "link"):
                yield f"{ended[leg][0]:.3f} {leg}, up when the service died at {killed:.3f}, ended for no reason"


def it_lives(o: Oracle) -> Iterator[str]:
    """No bug kills the service, and in a healthy world every key is answered and every answer is true."""
    yield from o.run.died
    if o.run.drawn != HEALTHY:
        return
    quiet = o.run.life[-2][1] if len(o.run.life) > 1 else o.run.over_at
    for p in o.run.presses:
        if p.answer is None and p.leg is None and not p.by_phone and p.at < quiet - 61.0:
            yield f"{p.at:.3f} {p.agent} pressed {p.key.name} and got no answer"
    for t, event, told in o.pressed():
        reasons = {tell.reason for tell in told}
        for caller in o.meant(event) if len(o.meant(event)) == 1 else ():
            if o.is_latched_within(caller, t, 0.5):
                continue
            if Reason.WARNING_STARTED in reasons and not _happened(o, "announced", caller, t):
                yield f"{t:.3f} {caller}: a warning was promised and not played"
            if Reason.ENDING in reasons and not _happened(o, "redirected", caller, t):
                yield f"{t:.3f} {caller}: the agent was told that the call ends, and it did not"


def _happened(o: Oracle, what: str, caller: str, since: float) -> bool:
    """Tell whether it happened within half a second, or the call changed before it could."""
    changes = ("ended", "transferred", "bridged", what)
    return any(r.leg == caller and r.what in changes and since - 0.1 <= t <= since + 0.5 for t, r in o.history) or any(
        r.what == "ended" and caller in r.legs and since - 0.1 <= t <= since + 0.5 for t, r in o.history
    )


RULES: dict[str, Callable[[Oracle], Iterator[str]]] = {
    "rule 1 heard before ending": heard_before_ending,
    "rule 2 latched never ended": latched_never_ended,
    "rule 3 no command elsewhere": no_command_elsewhere,
    "rule 4 pages go on": pages_go_on,
    "rule 4 only people count": only_people_count,
    "rule 5 breaks are true": breaks_are_true,
    "rule 6 calls go on": calls_go_on,
    "liveness": it_lives,
}
