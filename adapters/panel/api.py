"""What the `/v1` API does beside keys and people: screens, their streams, marks, take-over. See docs/http.md."""

from dataclasses import dataclass, field
from typing import Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from adapters.accounts.model import IDENTITY, Identity, Role
from adapters.http.access import TokenKind
from adapters.http.doors import DOORS, owner_of
from adapters.http.keys import answered, is_acute
from adapters.http.people import taken
from adapters.http.problems import problem, unknown_token
from adapters.panel.past import PastPages
from adapters.panel.routes import answer, body_of
from adapters.panel.streams import AGENT_JSON, DUTY_JSON, Hub
from policies import events as ev
from policies.model import AgentId, CallId, Source, Target
from policies.reasons import SENTENCES, Reason
from telephony.ports import Pbx
from telephony.screens.asking import mark
from telephony.screens.duty import no_take_over
from telephony.screens.show import Screens


@dataclass(frozen=True, slots=True)
class Panel:
    """What the screens' routes need.

    Attributes:
        screens: draws them.
        hub: sends them.
        pbx: for the phone of an agent who takes a call over.
        past: pages that are over; a service without a store has none to show.
    """

    screens: Screens
    hub: Hub
    pbx: Pbx
    past: PastPages = field(default_factory=lambda: PastPages(""))


PANEL: Final = web.AppKey("panel", Panel)


class Me(BaseModel):
    """Who has sent the request.

    Attributes:
        name: of the account, or of the token.
        shown: for people.
        roles: what for.
        agent: whose calls these are, "" for nobody's.
        person: the name under [people], "" for none.
        language: two letters.
        by: how it was proved: "session" or "token".
    """

    name: str
    shown: str
    roles: list[Role]
    agent: str
    person: str
    language: str
    by: Literal["session", "token"]


class Mark(BaseModel):
    """The kind of a call.

    Attributes:
        kind: its name in the policy.
    """

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(min_length=1, max_length=64)


class TakenOver(BaseModel):
    """A call that somebody comes into.

    Attributes:
        call: which.
        taken_over_by: who.
        ringing: what is rung now.
    """

    call: str
    taken_over_by: str
    ringing: str


def _who(request: web.Request) -> Identity | web.Response:
    return request.get(IDENTITY) or unknown_token()


def _agent(request: web.Request) -> AgentId | web.Response:
    who = _who(request)
    if isinstance(who, web.Response):
        return who
    return AgentId(who.agent) if who.agent else problem(403, "not-an-agent", "This account belongs to no agent")


async def me(request: web.Request) -> web.Response:
    """Say who the request comes from."""
    who = _who(request)
    if isinstance(who, web.Response):
        return who
    return answer(
        Me(
            name=who.name,
            shown=who.shown or who.name,
            roles=sorted(who.roles),
            agent=who.agent,
            person=who.person,
            language=who.language,
            by="session" if who.session else "token",
        )
    )


async def agent_screen(request: web.Request) -> web.Response:
    """Send the own screen as it is now."""
    agent = _agent(request)
    return agent if isinstance(agent, web.Response) else answer(request.app[PANEL].screens.agent(agent))


async def agent_stream(request: web.Request) -> web.StreamResponse:
    """Send the own screen whenever it changes."""
    agent = _agent(request)
    if isinstance(agent, web.Response):
        return agent
    panel = request.app[PANEL]
    return await panel.hub.agent(request, panel.screens, agent, AGENT_JSON)


async def duty_screen(request: web.Request) -> web.Response:
    """Send the duty desk's screen as it is now."""
    who = _who(request)
    return who if isinstance(who, web.Response) else answer(request.app[PANEL].screens.duty())


async def duty_stream(request: web.Request) -> web.StreamResponse:
    """Send the duty desk's screen whenever it changes."""
    who = _who(request)
    if isinstance(who, web.Response):
        return who
    panel = request.app[PANEL]
    return await panel.hub.duty(request, panel.screens, DUTY_JSON)


async def mark_call(request: web.Request) -> web.Response:
    """Mark the own call, or the one just over, with a kind; or put the mark right."""
    wanted = await body_of(request, Mark)
    doors = request.app[DOORS]
    kind = wanted.kind if isinstance(wanted, Mark) else ""
    agent = owner_of(request, TokenKind.AGENT, never_refused=is_acute(doors, kind))
    if isinstance(agent, web.Response):
        return agent
    if isinstance(wanted, web.Response):
        return wanted
    kinds = doors.engine.policy.now.kinds
    if kind not in kinds:
        return problem(404, "no-such-kind", "No such kind", kinds=sorted(kinds))
    return await answered(doors, AgentId(agent), mark(kind), Source.HTTP)


async def take_over(request: web.Request) -> web.Response:
    """Ring the own phone, and join it to the call."""
    by = owner_of(request, TokenKind.PERSON)
    if isinstance(by, web.Response):
        return by
    doors, panel = request.app[DOORS], request.app[PANEL]
    call = CallId(request.match_info["call"])
    guard = doors.engine.state.guards.get(call)
    if guard is None:
        return problem(404, "no-such-call", "No such guarded call")
    reason, rule = no_take_over(panel.screens.moment(), guard)
    if reason:
        title = "Nobody may come into this call now"
        return problem(409, "no-take-over", title, detail=SENTENCES[Reason(reason)], reason=reason, rule=rule)
    target = _own_phone(request, by)
    if target is None:
        return problem(409, "no-phone", "Policy names no phone on which you could be rung", person=by)
    doors.engine.take(ev.TakeOverAsked(**doors.engine.stamp(), call=call, by=by, target=target))
    return taken(TakenOver(call=call, taken_over_by=by, ringing=target.name))


def _own_phone(request: web.Request, by: str) -> Target | None:
    """Return where a person is rung: as [people] says, as one of the chiefs, or at the own agent's phone."""
    rules, who = request.app[DOORS].engine.policy.now, request.get(IDENTITY)
    agent = who.agent if who is not None else ""
    if by in rules.phones:
        return rules.phones[by]
    for chief in rules.chiefs:
        if chief.name.casefold() == by.casefold() or (agent and chief.agent == agent):
            return chief
    candidates = request.app[PANEL].pbx.candidates() if agent else ()
    return next((c.target for c in candidates if c.target.agent == agent), None)
