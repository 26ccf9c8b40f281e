"""What the stories wait for: answers to keys, alarms on phones, pauses."""

from dataclasses import dataclass

from adapters.demo.failing import DemoError
from adapters.demo.stage import Stage
from adapters.paging.mqtt_codec import AnsweredPage, PersonPage
from policies import actions as act
from policies import events as ev
from policies.model import AgentId
from policies.reasons import Reason

STORIES = 5


@dataclass
class Cues:
    """What stories share.

    Attributes:
        stage: where they play.
    """

    stage: Stage

    def heading(self, number: int, title: str, text: str) -> None:
        """Begin a story."""
        self.stage.narrator.heading(f"{number} of {STORIES}: {title}", text)

    def told(self, reason: Reason, since: int = 0) -> act.Tell | None:
        """Return what agents were told for this reason, after so many tellings."""
        return next((t for t in self.stage.decisions.tells[since:] if t.reason is reason), None)

    async def answer(self, agent: AgentId, key: str, reason: Reason) -> act.Tell:
        """Let an agent press a key, and wait for the answer that is expected."""
        s = self.stage
        since = len(s.decisions.tells)
        s.press(agent, key)

        def answers() -> list[act.Tell]:
            return [tell for tell in s.decisions.tells[since:] if tell.press and tell.agent == agent]

        await s.until(lambda: bool(answers()), f"the key {key} is answered")
        told = answers()[0]
        if told.reason is not reason:
            raise DemoError(f"the key {key} was answered “{told.reason}”, not “{reason}”")
        return told

    async def shown(self, person: str, since: int = 0) -> PersonPage:
        """Wait until a phone shows an alarm, after so many showings; returns it."""
        s = self.stage

        def pages() -> list[PersonPage]:
            return [p for who, p in s.shown[since:] if who == person and isinstance(p, PersonPage)]

        await s.until(lambda: bool(pages()), f"{person}'s phone shows the alarm", 30)
        return pages()[-1]

    def knows(self, person: str) -> bool:
        """Tell whether a phone says who has taken an alarm."""
        return any(who == person and isinstance(p, AnsweredPage) for who, p in self.stage.shown)

    def paused(self, agent: AgentId) -> bool:
        """Tell whether the PBX shows an agent paused."""
        return any(member.paused for member in self.stage.world.queues.of(agent))

    def went_up_and_was_answered(self) -> bool:
        """Tell whether Anna, Bo and Mette were told in this order, and Mette alone answered."""
        told = dict.fromkeys(a.person for a in self.stage.decisions.actions if isinstance(a, act.Notify))
        events = self.stage.decisions.events
        sent = [e for e in events if isinstance(e, ev.Notified) and e.delivery is ev.Delivery.SENT]
        answers = [e for e in events if isinstance(e, ev.PageAnswered)]
        return list(told) == ["anna", "bo", "mette"] and bool(sent) and [e.by for e in answers] == ["mette"]

    def why_nobody(self) -> str:
        """Say what keeps every agent from answering, as the PBX has it."""
        s = self.stage
        busy = [a.capitalize() for a in sorted(s.world.busy())]
        paused = [m.agent.capitalize() for m in s.world.queues.members.values() if m.paused]
        return f"{', '.join(busy)} talks, {', '.join(paused)} is paused"
