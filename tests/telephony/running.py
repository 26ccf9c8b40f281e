"""An engine over fakes, with Anna in a call, and the steps that bring it to where a test begins."""

import asyncio
from typing import Any

from policies import actions as act
from policies import events as ev
from policies.guards import CallState
from policies.model import KeyUse, Source
from policies.reasons import Reason
from telephony.ports import CodePressed
from tests.policies.story import ANNA, NOON, WARN, call
from tests.telephony.fakes import Service

LIVE = call()
CODE = CodePressed("warn", ANNA, LIVE.agent_leg, Source.CODE, NOON)


def service(**more: Any) -> Service:
    made = Service(**more)
    made.pbx.calls = (LIVE,)
    return made


async def warned(s: Service) -> None:
    """Anna's caller has heard the warning, and the wait is over."""
    assert (await s.engine.press(ANNA, WARN, Source.HTTP)).reason is Reason.WARNING_STARTED
    await s.until(lambda: s.engine.state.guards[LIVE.id].state is CallState.WARNED)
    await s.settled()
    s.clock.forward(6)


async def pressed(s: Service, key: KeyUse) -> "asyncio.Task[act.Tell]":
    """The key is taken; the task is its answer."""
    taken = len(s.engine._answers)
    answer = asyncio.create_task(s.engine.press(ANNA, key, Source.HTTP))
    await s.until(lambda: len(s.engine._answers) > taken)
    return answer


async def paged(s: Service) -> None:
    s.engine.take(ev.PageOpened(**s.engine.stamp(), plan="backup", incident="i", reason="drill"))
    await s.until(lambda: s.saw(ev.Notified))
    await s.settled()
