"""The API as somebody who has logged in uses it: who they are, their screens, marks, take-over, and the limits."""

from dataclasses import replace
from typing import Any

import pytest

from policies import events as ev
from policies.actions import Ring, Tell
from policies.guards import CallState
from policies.model import AgentId, CallId, Candidate, Source, Target
from tests.adapters.http.site import CHIEF, SCREEN, Site, site
from tests.adapters.panel.panel import by, panel
from tests.policies.story import ANNA, BO, NOON, RULES, call

C1 = CallId("c1")
KIND = "/v1/calls/current/kind"


async def post(s: Site, path: str, who: str, body: Any = None) -> tuple[int, Any]:
    more = {"json": body} if body is not None else {}
    return await s.ask("POST", path, headers=by(who), **more)


async def test_everybody_is_told_who_they_are() -> None:
    """What the panel needs to know of its viewer."""
    async with panel() as s:
        status, body = await s.ask("GET", "/v1/me", headers=by("eva"))
        assert (status, body) == (
            200,
            {
                "name": "eva",
                "shown": "eva",
                "roles": ["agent", "chief"],
                "agent": "eva",
                "person": "",
                "language": "en",
                "by": "session",
            },
        )
        assert (await s.ask("GET", "/v1/me"))[0] == 401


async def test_an_agent_presses_a_key_from_the_screen_and_hears_no_tone() -> None:
    """As with a token: the answer is the answer; who looks at a screen needs no tone."""
    async with panel() as s:
        status, body = await post(s, "/v1/keys/suicide", "anna")
        assert (status, body["verdict"], body["reason"]) == (200, "accepted", "acute")
        (pressed,) = s.service.saw(ev.KeyPressed)
        assert (pressed.agent, pressed.source) == (ANNA, Source.HTTP)
        await s.service.settled()
        assert s.service.pbx.asked(Tell) == []


@pytest.mark.parametrize("path", ["/v1/screens/agent", "/v1/screens/agent/stream"])
async def test_an_account_without_an_agent_has_no_agents_screen(path: str) -> None:
    """The role alone is nobody's calls: it is said so, and no screen of somebody else is shown."""
    async with panel() as s:
        status, body = await s.ask("GET", path, headers=by("newcomer"))
        assert (status, body["type"]) == (403, "urn:bagvagt:problem:not-an-agent")
        assert (await post(s, "/v1/keys/warn", "newcomer"))[1]["type"] == "urn:bagvagt:problem:not-an-agent"
        assert s.service.saw(ev.KeyPressed) == []


# --- marks --------------------------------------------------------------------------------------------------------


async def test_a_call_is_marked_and_the_mark_is_put_right() -> None:
    """Two clicks within a second are two marks when they are of two kinds."""
    async with panel() as s:
        status, body = await post(s, KIND, "anna", {"kind": "abuse"})
        assert (status, body["reason"], body["rule"]) == (200, "flagged", "kinds.abuse")
        await post(s, KIND, "anna", {"kind": "mild"})
        assert s.service.engine.state.guards[C1].kind == "mild"
        assert (await post(s, KIND, "anna", {"kind": "suicide"}))[1]["reason"] == "acute"
        s.service.clock.forward(2)
        assert (await post(s, KIND, "anna", {"kind": "abuse"}))[1]["reason"] == "latched"
        assert s.service.engine.state.guards[C1].kind == "suicide"


async def test_a_token_marks_too() -> None:
    """What the panel does, a program may do."""
    async with site() as s:
        status, body = await s.ask("POST", KIND, SCREEN, json={"kind": "abuse"})
        assert (status, body["reason"]) == (200, "flagged")
        assert (await s.ask("POST", KIND, CHIEF, json={"kind": "abuse"}))[0] == 401


@pytest.mark.parametrize(
    ("sent", "status", "problem"),
    [
        ({"json": {"kind": "abuze"}}, 404, "no-such-kind"),
        ({"json": {"kind": ""}}, 422, "not-valid"),
        ({"json": {"kind": 7}}, 422, "not-valid"),
        ({"json": {"kind": "abuse", "more": 1}}, 422, "not-valid"),
        ({"json": ["abuse"]}, 422, "not-valid"),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 422, "not-valid"),
        ({"data": b"\xff", "headers": {"Content-Type": "application/json"}}, 422, "not-valid"),
        ({"data": {"kind": "abuse"}}, 415, "not-json"),
        ({}, 415, "not-json"),
    ],
)
async def test_a_body_that_is_not_what_is_wanted_is_refused_and_not_repeated(
    sent: dict[str, Any], status: int, problem: str
) -> None:
    """Where it is wrong is said, and nothing is marked."""
    async with panel() as s:
        headers = by("anna") | sent.pop("headers", {})
        got, body = await s.ask("POST", KIND, headers=headers, **sent)
        assert (got, body["type"]) == (status, f"urn:bagvagt:problem:{problem}")
        assert "abuze" not in str(body)
        assert s.service.saw(ev.KeyPressed) == []
        assert sent != {"json": {"kind": "abuze"}} or "abuse" in body["kinds"]


async def test_a_limit_holds_a_session_back_and_never_an_acute_key_or_mark() -> None:
    """Two presses a minute: then 429, and the alarm goes out all the same; another agent's bucket is their own."""
    async with panel(per_minute=2) as s:
        assert [(await post(s, "/v1/keys/end", "anna"))[0] for _ in range(3)] == [200, 200, 429]
        assert (await post(s, KIND, "anna", {"kind": "abuse"}))[0] == 429
        for _ in range(3):
            assert (await post(s, "/v1/keys/suicide", "anna"))[1]["verdict"] == "accepted"
            assert (await post(s, KIND, "anna", {"kind": "suicide"}))[1]["verdict"] == "accepted"
        assert (await post(s, "/v1/keys/end", "bo"))[0] == 200


# --- the duty desk ------------------------------------------------------------------------------------------------


async def test_who_has_logged_in_acts_under_the_name_of_people() -> None:
    """A page, a break, a latch: the trail has the person, not the browser."""
    async with panel() as s:
        await post(s, "/v1/keys/suicide", "anna")
        page = next(iter(s.service.engine.state.pages))
        assert (await post(s, f"/v1/pages/{page}/acknowledge", "lis"))[1] == {"page": page, "acknowledged_by": "lis"}
        for who in ("lis", "kim"):
            assert (await post(s, "/v1/calls/c1/open-latch", who))[1] == {"call": "c1", "agreed_by": who}
        await s.service.until(lambda: len(s.service.saw(ev.LatchAgreed)) == 2)
        assert [e.by for e in s.service.saw(ev.LatchAgreed)] == ["lis", "kim"]
        assert s.service.engine.state.guards[C1].state is CallState.OPEN


async def test_the_chief_comes_into_a_call_by_their_own_phone() -> None:
    """The phone that [people] names is rung, the agent is told who is coming."""
    rules = replace(RULES, phones={"kim": Target("Kim", "PJSIP/4520@trunk", confirm=True)})
    async with panel(rules=rules) as s:
        await post(s, "/v1/keys/warn", "anna")
        status, body = await post(s, "/v1/calls/c1/take-over", "kim")
        assert (status, body) == (202, {"call": "c1", "taken_over_by": "kim", "ringing": "Kim"})
        await s.service.until(lambda: s.service.pbx.asked(Ring))
        (ring,) = s.service.pbx.asked(Ring)
        assert (ring.target.endpoint, ring.target.confirm, ring.caller) == ("PJSIP/4520@trunk", True, "c1")
        asked = s.service.saw(ev.TakeOverAsked)
        assert [(e.by, e.call) for e in asked] == [("kim", "c1")]


async def test_a_chief_of_the_chain_and_an_agents_own_phone_are_known_without_more() -> None:
    """By the name in handoff.chief.chain, or as the agent that is in it, or at that agent's own phone."""
    async with panel() as s:
        await post(s, "/v1/keys/warn", "anna")
        kim = replace(RULES.chiefs[0], name="Kim")
        s.service.engine.reload(replace(RULES, version="2", chiefs=(kim,)))
        assert (await post(s, "/v1/calls/c1/take-over", "kim"))[1]["ringing"] == "Kim"
        await s.service.until(lambda: not s.service.engine.state.handoffs)
        eva = Candidate(Target("eva", "PJSIP/eva", AgentId("eva")), "", NOON)
        s.service.pbx.candidates = lambda: (eva,)  # type: ignore[method-assign]
        assert (await post(s, "/v1/calls/c1/take-over", "eva"))[1]["ringing"] == "eva"
        await s.service.until(lambda: not s.service.engine.state.handoffs)
        mobile = Target("Eva's mobile", "PJSIP/4530@trunk", AgentId("eva"), confirm=True)
        s.service.engine.reload(replace(RULES, version="3", chiefs=(mobile,)))
        assert (await post(s, "/v1/calls/c1/take-over", "eva"))[1]["ringing"] == "Eva's mobile"


async def test_a_take_over_that_cannot_be_is_refused_with_the_reason() -> None:
    """No such call, nowhere to ring, and what the core says: nothing is asked of it."""
    kinds = {**RULES.kinds, "abuse": replace(RULES.kinds["abuse"], may_transfer=False)}
    async with panel() as s:
        assert (await post(s, "/v1/calls/c1/take-over", "kim"))[1]["type"] == "urn:bagvagt:problem:no-such-call"
        await post(s, "/v1/keys/warn", "anna")
        status, body = await post(s, "/v1/calls/c1/take-over", "lis")
        assert (status, body["type"]) == (409, "urn:bagvagt:problem:no-phone")
        s.service.engine.reload(replace(RULES, version="2", kinds=kinds))
        await s.service.settled()
        status, body = await post(s, "/v1/calls/c1/take-over", "kim")
        assert (status, body["reason"], body["rule"]) == (409, "not_transferable", "kinds.abuse.may_transfer")
        assert s.service.saw(ev.TakeOverAsked) == []


async def test_the_duty_desks_screen_shows_calls_and_breaks() -> None:
    """What the stream would send, asked for once."""
    async with panel() as s:
        s.service.pbx.calls = (call(), call(2, BO, held=True))
        await post(s, "/v1/keys/warn", "anna")
        await post(s, "/v1/keys/warn", "bo")
        status, body = await s.ask("GET", "/v1/screens/duty", headers=by("lis"))
        assert status == 200
        assert [(c["agent"], c["call"]["held"], c["call"]["kind"]) for c in body["calls"]] == [
            (ANNA, False, "abuse"),
            (BO, True, "abuse"),
        ]
        assert [p["plan"] for p in body["on_call"]] == ["backup"]
