"""The pager: gives each message of a page to its channel, under a deadline, and says what is known of it.

Channels do not know each other. Each message is a coroutine of its own with its own deadline, each channel's connection
a task of its own: a gateway that hangs delays nobody else. Whatever goes wrong becomes a `Delivery`; nothing is raised.

Acute messages never wait for others. All else shares a few places on each channel, so that a flood of it takes neither
the lines nor the gateway's patience from an acute one.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import structlog

from policies.actions import Notify, ReplyTo, StandDown
from policies.events import ActionFinished, Delivery, Event, Notified
from policies.model import Outcome
from policies.rules import Severity
from telephony.errors import BagvagtError, DeliveryDeferredError, DeliveryRefusedError
from telephony.ports import Clock

_log = structlog.get_logger(__name__)


_AGAIN_FIRST_S = 5.0
_AGAIN_MOST_S = 60.0
_AGAIN_FOR_S = 3600.0  # who has been told of a page within the hour that somebody took it sets out for nothing


class DeliveryUncertainError(BagvagtError):
    """A message was handed over, or may have been, and nobody said that it was taken."""


class Channel(Protocol):
    """One way to reach people.

    `tell` and `tell_answered` return what the carrier said, free of numbers, names and secrets, since it is kept; that
    they return at all means that the carrier took the message. They may be cancelled: then its fate is unknown. They
    raise `DeliveryDeferredError`, `DeliveryRefusedError`, `DeliveryUncertainError` or `TimeoutError`.
    """

    async def run(self, emit: Callable[[Event], None]) -> None:
        """Keep a connection and take in answers, until cancelled. A channel without connection returns at once."""
        ...

    async def tell(self, action: Notify) -> str:
        """Send one message of a page."""
        ...

    async def tell_answered(self, action: StandDown, address: str, language: str) -> str:
        """Stop what still runs to this address, and tell it who has taken the page; where nobody has, only stop."""
        ...

    async def reply(self, action: ReplyTo) -> str:
        """Answer a reply that took no page. A channel on which nobody replies refuses."""
        ...


@dataclass(frozen=True, slots=True)
class _Result:
    delivery: Delivery
    detail: str
    retry_after_s: float | None = None


# Which of several results of a stand-down stands for all: the worst.
_WORST_FIRST = (
    (Delivery.UNKNOWN, Outcome.UNKNOWN),
    (Delivery.DEFERRED, Outcome.FAILED),
    (Delivery.REFUSED, Outcome.FAILED),
)


class ChannelPager:
    """Fits the port `telephony.ports.Pager` over any number of channels.

    Args:
        channels: by the name that policy uses for them: "mqtt", "sms" …
        clock: time and ids of the events.
        deadline_s: how long one message may take; then its fate is unknown.
        restart_s: how long to wait before a channel that failed in an unforeseen way is run again.
        at_once: how many messages that are not acute are under way at once on a channel.
        sleep: how to wait for that, and between the tries of a stand-down.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        clock: Clock,
        *,
        deadline_s: float = 10.0,
        restart_s: float = 5.0,
        at_once: int = 8,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._channels = dict(channels)
        self._clock = clock
        self._deadline_s = deadline_s
        self._restart_s = restart_s
        self._sleep = sleep
        self._places = {name: asyncio.Semaphore(at_once) for name in self._channels}

    async def run(self, emit: Callable[[Event], None]) -> None:
        """Keep every channel's connection, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, channel in self._channels.items():
                tasks.create_task(self._keep(name, channel, emit), name=f"channel {name}")
            tasks.create_task(asyncio.Event().wait(), name="until cancelled")

    async def notify(self, action: Notify) -> Notified:
        """Send one message; one that is not acute waits for its place."""
        async with self._place(action):
            result = await self._attempt(action.channel, lambda channel: channel.tell(action))
        _log.info(
            "page_message",
            page=action.page,
            message=action.message,
            attempt=action.attempt,
            channel=action.channel,
            delivery=result.delivery.value,
            detail=result.detail,
        )
        return Notified(
            id=self._clock.new_id(),
            at=self._clock.now(),
            action=action.id,
            page=action.page,
            delivery=result.delivery,
            detail=result.detail,
            retry_after_s=result.retry_after_s,
        )

    async def stand_down(self, action: StandDown) -> ActionFinished:
        """Tell all who were paged, at the same time; the worst that happened is the outcome."""
        results = await asyncio.gather(*(self._tell_answered(action, *told) for told in action.told))
        outcome = next((o for d, o in _WORST_FIRST if any(r.delivery is d for _, r in results)), Outcome.DONE)
        detail = "; ".join(f"{name}: {r.detail}" for name, r in results if r.delivery is not Delivery.SENT)
        _log.info("page_stood_down", page=action.page, outcome=outcome.value, told=len(results), detail=detail)
        return ActionFinished(
            id=self._clock.new_id(), at=self._clock.now(), action=action.id, outcome=outcome, detail=detail
        )

    async def reply(self, action: ReplyTo) -> ActionFinished:
        """Answer a reply, once: who asks again is answered again."""
        result = await self._attempt(action.channel, lambda channel: channel.reply(action))
        outcome = next((o for d, o in _WORST_FIRST if result.delivery is d), Outcome.DONE)
        return ActionFinished(
            id=self._clock.new_id(), at=self._clock.now(), action=action.id, outcome=outcome, detail=result.detail
        )

    def _place(self, action: Notify) -> AbstractAsyncContextManager[object]:
        place = self._places.get(action.channel)
        return nullcontext() if place is None or action.severity is Severity.ACUTE else place

    async def _tell_answered(self, action: StandDown, name: str, address: str, language: str) -> tuple[str, _Result]:
        """Tell one who was paged. What was not taken is tried again here, since no page is left that would do it."""
        waited_s, wait_s = 0.0, _AGAIN_FIRST_S
        again = {Delivery.DEFERRED, Delivery.UNKNOWN}
        while True:
            result = await self._attempt(name, lambda channel: channel.tell_answered(action, address, language))
            wait_s = max(wait_s, result.retry_after_s or 0.0)
            if result.delivery not in again or waited_s + wait_s > _AGAIN_FOR_S:
                return name, result
            if result.delivery is Delivery.UNKNOWN:
                again.discard(Delivery.UNKNOWN)  # once: it may have arrived each time
            await self._sleep(wait_s)
            waited_s, wait_s = waited_s + wait_s, min(2 * wait_s, _AGAIN_MOST_S)

    async def _attempt(self, name: str, send: Callable[[Channel], Awaitable[str]]) -> _Result:
        channel = self._channels.get(name)
        if channel is None:
            return _Result(Delivery.REFUSED, f"no channel {name!r} is set up")
        try:
            async with asyncio.timeout(self._deadline_s):
                return _Result(Delivery.SENT, await send(channel))
        except DeliveryDeferredError as error:
            return _Result(Delivery.DEFERRED, error.detail, error.retry_after_s)
        except DeliveryRefusedError as error:
            return _Result(Delivery.REFUSED, error.detail)
        except DeliveryUncertainError as error:
            return _Result(Delivery.UNKNOWN, str(error))
        except TimeoutError:
            return _Result(Delivery.UNKNOWN, f"no answer within {self._deadline_s:g} s")
        except Exception as error:  # noqa: BLE001 -- an alarm outlives our bugs: unknown is tried again, a raise is not
            _report("channel_failed", name, error)
            return _Result(Delivery.UNKNOWN, type(error).__name__)

    async def _keep(self, name: str, channel: Channel, emit: Callable[[Event], None]) -> None:
        while True:
            try:
                await channel.run(emit)
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is None or task.cancelling():
                    raise
                _log.error("channel_cancelled", channel=name)  # something inside it was, not we
                await self._sleep(self._restart_s)
            except Exception as error:  # noqa: BLE001 -- one channel's bug must not silence the others
                _report("channel_stopped", name, error)
                await self._sleep(self._restart_s)
            else:
                return


def _report(event: str, channel: str, error: Exception) -> None:
    """Log where an unforeseen error came from, without its text: that may hold a number or a secret."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    _log.error(event, channel=channel, error=type(error).__name__, where=f"{last.filename}:{last.lineno}")
