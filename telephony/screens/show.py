"""The screens of the running service, as they are now."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from policies.model import AgentId
from telephony.engine import Engine
from telephony.ports import Clock, Pbx
from telephony.screens.agent import agent_screen
from telephony.screens.asking import Moment, Seat
from telephony.screens.duty import duty_screen
from telephony.screens.model import AgentScreen, Alive, DutyScreen, Protection
from telephony.screens.on_call import OnCall
from telephony.screens.recent import Recent


class Screens:
    """Draws what is so at the time of asking.

    Attributes:
        own_hotkeys: what the site has chosen, see `telephony.screens.hotkeys`; replaced by a reload.
        recent: what was said lately.

    Args:
        engine: the running one.
        pbx: the engine's, for its agents' calls.
        health: as `telephony.watchdog.Health.read`.
        clock: the time.
        recent: fed by whoever listens to the engine.
        own_hotkeys: see there.
    """

    def __init__(
        self,
        engine: Engine,
        pbx: Pbx,
        health: Callable[[], Mapping[str, Any]],
        clock: Clock,
        recent: Recent,
        own_hotkeys: Mapping[str, str],
    ) -> None:
        self._engine = engine
        self._pbx = pbx
        self._health = health
        self._clock = clock
        self.recent = recent
        self.own_hotkeys = own_hotkeys
        self._on_call = OnCall()

    def agent(self, agent: AgentId) -> AgentScreen:
        """Return one agent's screen."""
        calls = self._pbx.calls_of(agent)
        candidates = self._pbx.candidates() if calls else ()
        seat = Seat(agent, calls, self._pbx.last_call_of(agent), candidates)
        return agent_screen(self.moment(), seat, own_hotkeys=self.own_hotkeys, last=self.recent.told(agent))

    def duty(self) -> DutyScreen:
        """Return the duty desk's screen."""
        moment = self.moment()
        agents = {g.agent for g in moment.state.guards.values()}
        live = {call.id: call for agent in agents for call in self._pbx.calls_of(agent)}
        on_call = self._on_call(moment.policy.now, moment.at)
        return duty_screen(moment, live=live, on_call=on_call)

    def alive(self) -> Alive:
        """Return the sign of life."""
        return Alive(now=self._clock.now(), protection=self.protection())

    def now(self) -> datetime:
        """Return now, as the screens count it."""
        return self._clock.now()

    def protection(self) -> Protection:
        """Return whether a press would be obeyed."""
        health = self._health()
        return Protection(on=bool(health["ok"]), why=tuple(health.get("why", ())))

    def moment(self) -> Moment:
        """Return what is so now."""
        return Moment.of(self._engine.state, self._engine.policy, self._clock.now(), self.protection())
