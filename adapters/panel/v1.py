"""The routes of the `/v1` API, as data. Who may use which stands in `adapters.panel.access`."""

from typing import Final

from adapters.http.keys import KeyAnswer, press_by_action_url, press_by_post
from adapters.http.people import Acknowledged, Agreed, EndedBreak, acknowledge, end_break, open_latch
from adapters.panel.api import (
    Mark,
    Me,
    TakenOver,
    agent_screen,
    agent_stream,
    duty_screen,
    duty_stream,
    mark_call,
    me,
    take_over,
)
from adapters.panel.routes import EVENTS, URL_TOKEN, Route
from telephony.screens.model import AgentScreen, DutyScreen

_KEY = {
    404: "`no-such-key`, with the keys that there are.",
    503: "`not-decided`: the key was taken, and there is no answer yet.",
}
_GONE = "It is not there, or not any more."

V1: Final = (
    Route("GET", "/v1/me", me, "Say who the request comes from", response_model=Me),
    Route("GET", "/v1/screens/agent", agent_screen, "The own screen, as it is now", response_model=AgentScreen),
    Route(
        "GET",
        "/v1/screens/agent/stream",
        agent_stream,
        "The own screen whenever it changes: events `screen`, and `alive` every two seconds",
        response_model=AgentScreen,
        media=EVENTS,
    ),
    Route("GET", "/v1/screens/duty", duty_screen, "The duty desk's screen, as it is now", response_model=DutyScreen),
    Route(
        "GET",
        "/v1/screens/duty/stream",
        duty_stream,
        "The duty desk's screen whenever it changes: events `screen`, and `alive` every two seconds",
        response_model=DutyScreen,
        media=EVENTS,
    ),
    Route(
        "POST",
        "/v1/keys/{key}",
        press_by_post,
        "Press a key as the agent; an acute key is never refused or delayed by a limit",
        response_model=KeyAnswer,
        problems=_KEY,
    ),
    Route(
        "GET",
        "/v1/keys/{key}",
        press_by_action_url,
        "Press a key from a desk phone that can do nothing but fetch an address",
        response_model=KeyAnswer,
        proof=(URL_TOKEN,),
        problems=_KEY | {403: "`address`: not from this address; `prefetch`: nobody has pressed."},
    ),
    Route(
        "POST",
        "/v1/calls/current/kind",
        mark_call,
        "Mark the own call, or the one just over, with a kind; or put the mark right",
        request_model=Mark,
        response_model=KeyAnswer,
        problems={
            404: "`no-such-kind`, with the kinds that there are.",
            415: "`not-json`",
            422: "`not-valid`: what is wrong with the body.",
            503: _KEY[503],
        },
    ),
    Route(
        "POST",
        "/v1/pages/{page}/acknowledge",
        acknowledge,
        "Take a page: the others are told who has it",
        response_model=Acknowledged,
        status=202,
        problems={404: _GONE},
    ),
    Route(
        "POST",
        "/v1/breaks/{break_id}/end",
        end_break,
        "End an agent's break before its time",
        response_model=EndedBreak,
        status=202,
        problems={404: _GONE},
    ),
    Route(
        "POST",
        "/v1/calls/{call}/open-latch",
        open_latch,
        "Agree that an acute call is acute no more; two people are needed",
        response_model=Agreed,
        status=202,
        problems={404: _GONE, 409: "`not-acute`"},
    ),
    Route(
        "POST",
        "/v1/calls/{call}/take-over",
        take_over,
        "Come into a guarded call: the own phone is rung and joined to it",
        response_model=TakenOver,
        status=202,
        problems={404: _GONE, 409: "`no-take-over`, with the reason and the rule; `no-phone`: nowhere to ring."},
    ),
)
