"""What the service decided, in words, with the rule that says so: from what it tells those who watch it."""

from collections.abc import Callable, Iterable, Mapping

from adapters.demo.telling import Narrator
from policies import actions as act
from policies import events as ev
from policies.actions import Verdict
from policies.breaks import BreakState
from policies.model import Source
from policies.pages import LAST_RESORT
from policies.reasons import SENTENCES
from policies.state import State

_AT_THE_DESK = ev.TakeOverAsked | ev.BreakEnded | ev.LatchAgreed
_ACTS = {
    ev.TakeOverAsked: "comes into the call",
    ev.BreakEnded: "ends a break",
    ev.LatchAgreed: "agrees that the call is acute no more",
}
_VERDICTS = {Verdict.ACCEPTED: "yes", Verdict.NOT_PERMITTED: "no", Verdict.NOT_YET: "not yet"}


class Decisions:
    """Fits `telephony.ports.Listener`: tells the decisions, and keeps them for the demo's own checks.

    Args:
        narrator: tells them.
        codes: what is dialled for a key, by its name.

    Attributes:
        events: what came in, oldest first.
        tells: answers to keys, and news for agents.
        actions: everything that was decided to be done.
        by_hand: called when somebody at a screen in a browser has acted.
    """

    def __init__(self, narrator: Narrator, codes: Mapping[str, str]) -> None:
        self._narrator = narrator
        self._codes = codes
        self.events: list[ev.Event] = []
        self.tells: list[act.Tell] = []
        self.actions: list[act.Action] = []
        self.by_hand: Callable[[], None] = lambda: None

    def decided(self, event: ev.Event, state: State, actions: Iterable[act.Action]) -> None:
        """Tell one decision."""
        made = tuple(actions)
        self.events.append(event)
        self.actions += made
        self._happened(event)
        if _is_by_hand(event):
            self.by_hand()
        for action in made:
            match action:
                case act.Tell():
                    self.tells.append(action)
                    self._tell(action)
                case act.Pause():
                    self._break(action, event, state)
                case act.Unpause():
                    self._break_over(action, state)
        self._pages(made, state)

    def _say(self, text: str) -> None:
        self._narrator.line("Bagvagt", text)

    def _happened(self, event: ev.Event) -> None:
        if isinstance(event, ev.KeyPressed):
            who = "You press" if event.agent == "you" else f"{event.agent.capitalize()} presses"
            code = self._codes.get(event.key.name, "")
            how = f"“{event.key.name}” on the screen" if event.source is Source.HTTP else f"{code} ({event.key.name})"
            self._narrator.line("key", f"{who} {how}.")
        elif isinstance(event, ev.AnnouncementFinished):
            if event.played is ev.Played.HEARD:
                text = f"{event.packets} packets went to the caller's phone in {event.play_s:.1f} s: it was heard."
                self._say(f"Evidence: {text}")
            else:
                self._say(f"No evidence: the warning was {event.played.value.replace('_', ' ')}. It does not count.")
        elif isinstance(event, ev.PageAnswered):
            how = "at the duty desk" if event.means == "http" else f"by {event.means.upper()}"
            self._say(f"{event.by.capitalize()} answers, {how}.")
        elif isinstance(event, _AT_THE_DESK):
            self._narrator.line("key", f"{event.by.capitalize()} {_ACTS[type(event)]}, at the duty desk.")

    def _tell(self, tell: act.Tell) -> None:
        wait = f" {tell.wait_s:.1f} s more." if tell.wait_s else ""
        rule = f"  [rule: {tell.rule}]" if tell.rule else ""
        who = "you" if tell.agent == "you" else tell.agent.capitalize()
        self._say(f"To {who}: {_VERDICTS[tell.verdict]}. “{SENTENCES[tell.reason]}”{wait}{rule}")

    def _break(self, pause: act.Pause, event: ev.Event, state: State) -> None:
        found = state.breaks.get(pause.break_id)
        if found is None or found.state is not BreakState.ASKED or found.starts_at != event.at:
            return
        guard = next((g for g in state.guards.values() if g.incident == found.incident), None)
        rule = f"  [rule: kinds.{guard.kind}.break_s]" if guard is not None else ""
        length_s = (found.until - found.starts_at).total_seconds()
        whose = "Your" if found.agent == "you" else f"{found.agent.capitalize()}'s"
        self._say(f"{whose} break begins by itself: {length_s:.0f} s, until {self._narrator.clock(found.until)}.{rule}")

    def _break_over(self, unpause: act.Unpause, state: State) -> None:
        found = state.breaks.get(unpause.break_id)
        if found is not None:
            whose = "Your" if found.agent == "you" else f"{found.agent.capitalize()}'s"
            self._say(f"{whose} break is over: {'its time is up' if found.ended_by == 'time' else 'ended by key'}.")

    def _pages(self, actions: tuple[act.Action, ...], state: State) -> None:
        notifies = [a for a in actions if isinstance(a, act.Notify) and a.attempt == 1]
        for person in dict.fromkeys(n.person for n in notifies):
            mine = [n for n in notifies if n.person == person]
            first = mine[0]
            page = state.pages.get(first.page)
            plan = page.plan.name if page is not None else ""
            step = "last_resort" if first.step == LAST_RESORT else f"steps, number {first.step + 1}"
            ways = " and ".join(n.channel.upper() for n in mine)
            said = f"Alarm to {person.capitalize()}, by {ways}: {first.severity.value}, {first.incident}."
            self._say(f"{said}  [rule: pages.{plan}.{step}]")
        for action in actions:
            if isinstance(action, act.StandDown):
                told = " and ".join(dict.fromkeys(channel.upper() for channel, _, _ in action.told))
                self._say(
                    f"The alarm is over: {action.by.capitalize()} has it. All who were called are told, by {told}."
                )


def _is_by_hand(event: ev.Event) -> bool:
    """Tell whether a person did this in a browser; nothing in the stories does."""
    at_a_screen = (isinstance(event, ev.KeyPressed) and event.source is Source.HTTP) or (
        isinstance(event, ev.PageAnswered) and event.means == "http"
    )
    return at_a_screen or isinstance(event, _AT_THE_DESK | ev.PageOpened)
