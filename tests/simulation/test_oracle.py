"""The oracle bites: for each rule the service is broken in a way that somebody might break it, and is found out."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from adapters.simulator import pbx as sim_pbx
from adapters.simulator.dialplan import Dialplan
from adapters.simulator.following import Follower
from adapters.simulator.pbx import SimulatedPbx
from adapters.simulator.world import SimWorld
from policies import actions as act
from policies import decide as decide_package
from policies import events as ev
from policies import gate
from policies.decide import breaks, calls, keys, pages, telling
from policies.events import Delivery, Report
from policies.model import LiveCall, Outcome
from policies.pages import PageCause
from policies.state import Draft
from telephony.engine import Engine
from telephony.ports import Seen
from tests.simulation.faults import Faults
from tests.simulation.simulate import simulate

MOST = 60


def _is_found(rule: str, faults: Callable[[], Faults] = Faults) -> bool:
    runs = (simulate(seed, faults()) for seed in range(1000, 1000 + MOST))
    return any(finding.startswith(rule) for run in runs for finding in run.findings)


def test_finds_a_gate_without_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 1: a gate that asks for no warning is found."""
    monkeypatch.setattr(gate, "_evidence", lambda _heard, _rules, _at: None)
    assert _is_found("rule 1")


def test_finds_faked_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 1: an adapter that calls a warning heard because it was played is found where callers miss some."""
    monkeypatch.setattr(sim_pbx, "HEARD_SHARE", 0.0)
    assert _is_found("rule 1", lambda: Faults(media=True))


def test_finds_a_latch_that_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 2: a flag that is answered and latches nothing is found."""
    monkeypatch.setattr(calls, "_latch", lambda _d, _guard: None)
    assert _is_found("rule 2")


def test_finds_a_closing_that_is_not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 2: a caller who is not brought back from the closing after an acute flag is found."""

    async def retrieve(self: SimulatedPbx, action: act.Retrieve) -> ev.ActionFinished:
        return self._finished(action, Outcome.DONE, "")

    monkeypatch.setattr(SimulatedPbx, "retrieve", retrieve)
    assert _is_found("rule 2")


def test_finds_a_key_that_takes_any_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 3: a key that is taken for the agent's first call, whichever it was pressed in, is found."""

    def meant(event: ev.KeyPressed) -> tuple[LiveCall, ...]:
        return event.calls[:1]

    monkeypatch.setattr(keys, "_meant", meant)
    assert _is_found("rule 3")


def test_finds_an_adapter_that_does_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 3: an adapter that warns or ends without reading the bridge first is found where events get lost."""
    monkeypatch.setattr(SimWorld, "share_bridge", lambda _world, _one, _other: True)
    assert _is_found("rule 3", lambda: Faults(events=True))


def test_finds_a_page_that_ends_when_it_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 4: a page that a carrier's success ends is found."""

    def on_notified(d: Draft, e: ev.Notified) -> None:
        page = d.pages.get(e.page)
        if page is not None and e.delivery is Delivery.SENT:
            d.no_timer("page", page.id, "next")
            d.drop(page)

    monkeypatch.setitem(decide_package._DECIDE, ev.Notified, on_notified)
    assert _is_found("rule 4")


def test_finds_a_page_without_a_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 4: a page that is told once and then no more is found."""
    monkeypatch.setattr(pages, "_escalate", lambda _d, _page: None)
    assert _is_found("rule 4")


def test_finds_a_page_that_a_receipt_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 4: "delivered", taken for an answer, is found."""

    def on_reported(d: Draft, e: ev.MessageReported) -> None:
        page = d.pages.get(e.message.rpartition(".")[0])
        if page is not None and page.is_open and e.report is Report.DELIVERED:
            d.page(page, PageCause.ANSWERED, answered_by="voicemail")

    monkeypatch.setitem(decide_package._DECIDE, ev.MessageReported, on_reported)
    assert _is_found("rule 4", lambda: Faults(carriers=True))


def test_finds_a_message_that_is_repeated_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 4: more than one duplicate of a message that may have arrived is found."""
    monkeypatch.setattr(telling, "must_repeat", lambda told: told.delivery is Delivery.SENT and told.attempt < 6)
    assert _is_found("rule 4 only", lambda: Faults(carriers=True))


def test_finds_alarms_that_a_crash_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 4: a store that loses its pages at a restart is found."""
    recover = Engine._recover

    def forgets(self: Engine, open_actions: Any) -> None:
        self.state = type(self.state)(guards=self.state.guards, breaks=self.state.breaks)
        recover(self, ())

    monkeypatch.setattr(Engine, "_recover", forgets)
    assert _is_found("rule 4", lambda: Faults(kills=True))


def test_finds_a_break_that_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 5: a pause that the PBX refused, and that is reported as taken, is found."""
    pause = SimulatedPbx.pause

    async def optimist(self: SimulatedPbx, action: act.Pause) -> ev.PauseFinished:
        done = await pause(self, action)
        return ev.PauseFinished(
            id=done.id, at=done.at, action=done.action, break_id=done.break_id, outcome=Outcome.DONE
        )

    monkeypatch.setattr(SimulatedPbx, "pause", optimist)
    assert _is_found("rule 5", lambda: Faults(pauses=True))


def test_finds_a_foreign_pause_lifted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 5: an unpause that lifts every pause, whoever set it, is found."""

    async def unpause(self: SimulatedPbx, action: act.Unpause) -> ev.UnpauseFinished:
        for member in await self._members(action.agent):
            await self._set_pause(member, "", paused=False)
        return ev.UnpauseFinished(**self._stamp(), action=action.id, break_id=action.break_id, outcome=Outcome.DONE)

    monkeypatch.setattr(SimulatedPbx, "unpause", unpause)
    assert _is_found("rule 5")


def test_finds_a_break_that_a_restart_of_the_pbx_loses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 5: a break that is not painted again after the PBX forgot the pause is found."""
    monkeypatch.setattr(breaks, "_look", lambda _d, _break, _members: None)
    assert _is_found("rule 5", lambda: Faults(pbx=True))


def test_finds_a_service_that_takes_calls_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 6: calls that hang on the service's connection, and fall with it, are found."""
    lost = Follower._lost

    def hangs_up(self: Follower, emit: Callable[[Seen], None]) -> None:
        for leg in tuple(self._world.legs):
            Dialplan(self._world).hang_up(leg)
        lost(self, emit)

    monkeypatch.setattr(Follower, "_lost", hangs_up)
    assert _is_found("rule 6", lambda: Faults(kills=True))


def test_finds_a_service_that_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Liveness: a service that never answers keeps all six rules, and is found all the same."""

    async def nothing(_self: Engine, _event: ev.Event) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(Engine, "_handle", nothing)
    assert _is_found("liveness")
