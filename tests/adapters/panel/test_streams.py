"""Streams of screens, on real sockets: what reaches whom, and when nothing happens."""

from dataclasses import replace
from typing import Any

import pytest

from policies import events as ev
from policies.model import AgentId, CallId
from policies.pages import KEEP_ANSWERED_S
from policies.rules import KindRules
from telephony.screens.model import AgentScreen
from tests.adapters.http.site import Site
from tests.adapters.panel.panel import by, following, panel
from tests.policies.story import ANNA, BO, RULES, call

AGENT, DUTY = "/v1/screens/agent/stream", "/v1/screens/duty/stream"
C1 = CallId("c1")


async def press(s: Site, key: str, who: str = "anna") -> Any:
    status, body = await s.ask("POST", f"/v1/keys/{key}", headers=by(who))
    assert status == 200, body
    return body


def seen(s: Site, event: ev.Event) -> None:
    """The PBX shows something."""
    s.service.pbx.emit(event)


async def test_a_stream_begins_with_how_to_come_back_a_sign_of_life_and_the_screen_of_now() -> None:
    """A client knows at once what is so, and the server's time; the same picture stands at the plain address."""
    async with panel() as s, following(s, AGENT, "anna") as stream:
        assert stream.answer.content_type == "text/event-stream"
        assert stream.answer.headers["Cache-Control"] == "no-store"
        name, _ = await stream.event()
        assert (name, stream.lines[0]) == ("alive", "retry: 1000\n")
        shown = await stream.of("screen")
        assert (shown["agent"], shown["mood"], shown["call"]["id"]) == (ANNA, "call", C1)
        assert (await s.ask("GET", "/v1/screens/agent", headers=by("anna")))[1] == shown
        assert "id: 2\n" in stream.lines


async def test_a_press_reaches_the_agents_screen_and_the_duty_desks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requested, happened: the warning is asked for, is heard, and both screens say so, long before the next beat."""
    monkeypatch.setattr("adapters.panel.streams.BEAT_S", 60.0)
    async with panel() as s, following(s, AGENT, "anna") as own, following(s, DUTY, "kim") as duty:
        await press(s, "warn")
        shown = await own.until(mood="warned")
        assert shown["last"] == "warning_started"
        while not (calls := (await duty.of("screen"))["calls"]) or calls[0]["mood"] != "warned":
            pass
        assert (calls[0]["agent"], calls[0]["call"]["kind"]) == (ANNA, "abuse")


async def test_an_alarm_reaches_the_duty_desk_and_goes_when_somebody_has_it() -> None:
    """The page comes up, is taken, and is shown as taken by whom for a while."""
    async with panel() as s, following(s, DUTY, "lis") as duty:
        assert (await duty.of("screen"))["pages"] == []
        await press(s, "suicide")
        page = (await duty.of("screen"))["pages"][0]
        assert (page["severity"], page["state"], page["answered_by"]) == ("acute", "calling", "")
        status, _ = await s.ask("POST", f"/v1/pages/{page['id']}/acknowledge", headers=by("lis"))
        assert status == 202
        while not (page := (await duty.of("screen"))["pages"][0])["answered_by"]:
            pass
        assert (page["state"], page["answered_by"]) == ("answered", "lis")
        s.service.clock.forward(KEEP_ANSWERED_S + 1)
        await s.service.engine.run_due()
        while (await duty.of("screen"))["pages"]:
            pass


async def test_a_call_that_nobody_guards_is_on_its_agents_screen_while_it_lasts() -> None:
    """It comes and goes without a decision of the core; the one who had it before a transfer sees that too."""
    async with panel() as s, following(s, AGENT, "bo") as stream:
        await stream.until(mood="free")
        engine, pbx = s.service.engine, s.service.pbx
        pbx.calls = (call(2, BO, caller_tag="hash:47"),)
        seen(s, ev.CallChanged(**engine.stamp(), call=pbx.calls[0]))
        assert (await stream.until(mood="call"))["call"]["caller"] == "…47"
        pbx.calls = (call(2, ANNA),)
        seen(s, ev.CallChanged(**engine.stamp(), call=pbx.calls[0]))
        await stream.until(mood="free", calls=0)
        pbx.calls = (call(2, BO),)
        seen(s, ev.CallChanged(**engine.stamp(), call=pbx.calls[0]))
        await stream.until(mood="call")
        pbx.calls = ()
        seen(s, ev.CallEnded(**engine.stamp(), call=CallId("c2")))
        await stream.until(mood="free")


async def test_what_concerns_another_agent_draws_nobody_elses_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anna presses; Bo's screen is not even built."""
    async with panel() as s, following(s, AGENT, "bo") as other, following(s, AGENT, "anna") as own:
        await other.until(mood="free")
        built: list[str] = []
        build = s.panel.screens.agent

        def noted(agent: AgentId) -> AgentScreen:
            built.append(agent)
            return build(agent)

        monkeypatch.setattr(s.panel.screens, "agent", noted)
        await press(s, "warn")
        await own.until(mood="warned")
        assert set(built) == {ANNA}


async def test_a_screen_that_is_the_same_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Woken, looked, nothing new: signs of life only."""
    monkeypatch.setattr("adapters.panel.streams.BEAT_S", 0.02)
    async with panel() as s, following(s, AGENT, "bo") as stream:
        await stream.until(mood="free")
        engine = s.service.engine
        for _ in range(3):
            seen(s, ev.CallChanged(**engine.stamp(), call=call(3, BO)))
            assert (await stream.event())[0] == "alive"
        await s.service.settled()
        assert "event: screen\n" not in stream.lines[stream.lines.index("event: screen\n") + 1 :]


async def test_protection_that_goes_reaches_every_screen_with_the_next_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """No decision of the core comes with it (the journal fails, the loop lags); sign of life and screen say it."""
    monkeypatch.setattr("adapters.panel.streams.BEAT_S", 0.05)
    async with panel() as s, following(s, AGENT, "bo") as own, following(s, DUTY, "kim") as duty:
        await own.until(mood="free")
        await duty.of("screen")
        s.health = {"ok": False, "why": ["journal"]}
        off = await own.until(mood="off")
        assert off["protection"] == {"on": False, "why": ["journal"]}
        assert (await duty.of("screen"))["protection"]["why"] == ["journal"]
        s.health = {"ok": True}
        await own.until(mood="free")
        while not (await duty.of("alive"))["protection"]["on"]:
            pass


async def test_every_beat_says_the_servers_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client's count-down runs by."""
    monkeypatch.setattr("adapters.panel.streams.BEAT_S", 0.02)
    async with panel() as s, following(s, AGENT, "anna") as stream:
        first = await stream.of("alive")
        s.service.clock.forward(60)
        while (later := await stream.of("alive")) == first:
            pass
        assert (first["now"], later["now"]) == ("2026-03-27T11:00:00Z", "2026-03-27T11:01:00Z")


async def test_when_the_wait_is_over_the_key_is_shown_as_working_though_nothing_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Time alone permits the ending; the screen changes by itself, at that time."""
    monkeypatch.setattr("adapters.panel.streams.BUSY_S", 60.0)
    kinds = {**RULES.kinds, "abuse": KindRules("abuse", may_end=True, wait_s=0.3)}
    async with panel(rules=replace(RULES, kinds=kinds)) as s, following(s, AGENT, "anna") as stream:
        await press(s, "warn")
        waits = await stream.until(mood="warned")
        assert {k["key"]: k["reason"] for k in waits["keys"]}["end"] == "wait"
        await s.service.until(lambda: s.service.saw(ev.AnnouncementFinished))
        await s.service.settled()  # from here on nothing happens
        s.service.clock.forward(0.3)
        works = await stream.until(mood="warned")
        assert {k["key"]: k["would"] for k in works["keys"]}["end"] == "end"


async def test_a_pbx_that_goes_and_comes_back_is_on_every_screen() -> None:
    """Nobody's screen goes on showing what is not certain."""
    async with panel() as s, following(s, AGENT, "bo") as own, following(s, DUTY, "kim") as duty:
        await own.until(mood="free")
        await duty.of("screen")
        s.health = {"ok": False, "why": ["pbx"]}
        seen(s, ev.PbxLost(**s.service.engine.stamp(), epoch=s.service.engine.state.epoch))
        assert (await own.of("screen"))["mood"] == "off"
        assert (await duty.of("screen"))["protection"]["on"] is False
        s.health = {"ok": True}
        s.service.pbx.connect()
        assert (await own.of("screen"))["mood"] == "free"


async def test_a_reloaded_policy_is_on_every_screen() -> None:
    """Keys are drawn anew without a reload of the page."""
    async with panel() as s, following(s, AGENT, "bo") as stream:
        assert len((await stream.of("screen"))["keys"]) == len(RULES.keys)
        s.service.engine.reload(replace(RULES, version="2", keys={"warn": RULES.keys["warn"]}))
        assert [k["key"] for k in (await stream.of("screen"))["keys"]] == ["warn"]
