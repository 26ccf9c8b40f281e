"""Apprise, for every service that has no channel of its own here: each person has an Apprise URL in a file.

Apprise is synchronous, so each message has a thread of its own. Not the event loop's pool: the MQTT client connects
there, and a service that hangs would fill it. Apprise gives no id, no receipt, and one "no" for every way to fail: a
message that it says failed may have gone out.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

from adapters.paging.messages import TakenBy, alarm_text, purpose_of, stood_down_text
from adapters.paging.pager import DeliveryUncertainError
from policies.actions import Notify, ReplyTo, StandDown
from policies.events import Event
from policies.rules import Severity
from telephony.errors import DeliveryDeferredError, DeliveryRefusedError

_log = structlog.get_logger(__name__)

CHANNEL: Final = "apprise"
MOST_THREADS: Final = 16


class Apprise:
    """Sends through Apprise.

    Args:
        channel: that it works for, as errors name it.
    """

    def __init__(self, channel: str) -> None:
        self._channel = channel
        # Acute messages have places of their own: no flood of others, hanging in a dead service, takes them.
        self._threads = {acute: threading.BoundedSemaphore(MOST_THREADS) for acute in (False, True)}

    async def knows(self, url: str) -> bool:
        """Tell whether Apprise can use this URL. The first time it loads Apprise, which is 2 s of work."""
        return await _in_thread(lambda: _service(url)) is not None

    async def send(self, url: str, text: str, *, is_acute: bool = False) -> str:
        """Send a text; returns when the service took it."""
        threads = self._threads[is_acute]
        if not threads.acquire(blocking=False):
            raise DeliveryDeferredError(self._channel, f"{MOST_THREADS} messages hang in Apprise already")
        taken = await _in_thread(lambda: _notify(url, text), threads.release)
        if taken is None:
            raise DeliveryRefusedError(self._channel, "Apprise does not know what to do with the URL")
        if not taken:
            raise DeliveryUncertainError("Apprise says only that it failed")
        return "Apprise: taken"


class AppriseChannel:
    """Fits `adapters.paging.pager.Channel`.

    Args:
        urls: address, which is the name of a file -> the Apprise URL in it; holds secrets, so never shown or logged.
        link: message id -> where its page can be taken, "" for nowhere; `adapters.paging.links.Links`.
    """

    def __init__(self, urls: Mapping[str, str], link: Callable[[str], str]) -> None:
        self._urls = urls
        self._link = link
        self._apprise = Apprise(CHANNEL)

    def replace(self, urls: Mapping[str, str]) -> None:
        """Use the addresses of a reloaded policy."""
        self._urls = urls

    async def run(self, emit: Callable[[Event], None]) -> None:  # noqa: ARG002 -- the protocol's
        """Load Apprise now and not with the first alarm, look whether it knows each URL, and return."""
        for address, url in self._urls.items():
            if not await self._apprise.knows(url):
                remedy = "see the Apprise service's own page for the form of its URL"
                _log.error("apprise_url_unknown", file=address, remedy=remedy)

    async def tell(self, action: Notify) -> str:
        """Send an alarm, with the link to where it is taken."""
        text = alarm_text(
            action.language,
            action.incident,
            action.severity,
            purpose_of(action.reason),
            TakenBy.DESK,
            self._link(action.message),
        )
        return await self._send(action.address, text, is_acute=action.severity is Severity.ACUTE)

    async def tell_answered(self, action: StandDown, address: str, language: str) -> str:
        """Send the news that somebody has taken the page; a test that lapsed is let lie."""
        if not action.by:
            return "nothing to take back"
        return await self._send(address, stood_down_text(action, language))

    async def reply(self, action: ReplyTo) -> str:
        """Refuse: nothing comes back by Apprise."""
        del action
        raise DeliveryRefusedError(CHANNEL, "nobody replies by Apprise")

    async def _send(self, address: str, text: str, *, is_acute: bool = False) -> str:
        url = self._urls.get(address)
        if url is None:
            raise DeliveryRefusedError(CHANNEL, "there is no Apprise URL for this address")
        return await self._apprise.send(url, text, is_acute=is_acute)


def _service(url: str) -> Any:
    """Return an Apprise that knows this one URL; None when it cannot use it."""
    import apprise  # noqa: PLC0415 -- takes long to import, and many sites do without

    # Apprise logs what it sends, and in places its keys.
    logging.getLogger("apprise").disabled = True
    service = apprise.Apprise()
    if not service.add(url):
        return None
    for plugin in service:
        plugin.request_rate_per_sec = 0  # else up to 5.5 s between the requests of one message
    return service


def _notify(url: str, text: str) -> bool | None:
    """Return whether the service took it; None for a URL that Apprise cannot use."""
    service = _service(url)
    return None if service is None else bool(service.notify(body=text))


def _in_thread(work: Callable[[], Any], done: Callable[[], None] = lambda: None) -> asyncio.Future[Any]:
    """Run `work` in a daemon thread: one that hangs keeps neither the loop nor the end of the process waiting."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: Exception | None) -> None:
        if result.done():  # cancelled: nobody waits any more
            return
        if error is None:
            result.set_result(value)
        else:
            result.set_exception(error)

    def run() -> None:
        value, failed = None, None
        try:
            value = work()
        except Exception as error:  # noqa: BLE001 -- carried over to the one who waits
            failed = error
        finally:
            done()
        with contextlib.suppress(RuntimeError):  # the loop is closed: the service has stopped meanwhile
            loop.call_soon_threadsafe(settle, value, failed)

    threading.Thread(target=run, name="apprise", daemon=True).start()
    return result
