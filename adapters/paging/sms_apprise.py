"""An SMS through Apprise: any of its services, by URL.

Apprise is synchronous, so each message has a thread of its own. Not the event loop's pool: the MQTT client connects
there, and a service that hangs would fill it. Apprise gives no id, no receipt, and one "no" for every way to fail: a
message that it says failed may have gone out.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from adapters.paging.pager import DeliveryUncertainError
from adapters.paging.sms_template import CHANNEL, Sms, fill_url
from telephony.errors import DeliveryDeferredError, DeliveryRefusedError

_log = structlog.get_logger(__name__)

MOST_THREADS = 16


@dataclass(frozen=True, slots=True)
class AppriseGateway:
    """A service.

    Attributes:
        url: Apprise's URL with {to} (or {to_digits}) for the number; holds secrets, so never shown or logged.
    """

    url: str = field(repr=False)


class AppriseSender:
    """Sends through an `AppriseGateway`.

    Raises:
        ValueError: the URL has an unknown placeholder, or none for the number.
    """

    def __init__(self, gateway: AppriseGateway) -> None:
        self._url = gateway.url
        if fill_url(self._url, Sms("+4520304050", "", "", "")) == self._url:
            raise ValueError("the Apprise URL must hold {to} or {to_digits}")
        self._threads = threading.BoundedSemaphore(MOST_THREADS)

    async def prepare(self) -> None:
        """Load Apprise (2 s of work) now and not with the first alarm, and see whether it knows the URL."""
        url = fill_url(self._url, Sms("+4520304050", "", "", ""))
        if await _in_thread(lambda: _service(url)) is None:
            _log.error("apprise_url_unknown", remedy="see the Apprise service's own page for the form of its URL")

    async def send(self, sms: Sms) -> str:
        """Send one SMS; returns when the service took it."""
        if not self._threads.acquire(blocking=False):
            raise DeliveryDeferredError(CHANNEL, f"{MOST_THREADS} messages hang in Apprise already")
        url = fill_url(self._url, sms)
        taken = await _in_thread(lambda: _notify(url, sms.text), self._threads.release)
        if taken is None:
            raise DeliveryRefusedError(CHANNEL, "Apprise does not know what to do with the URL")
        if not taken:
            raise DeliveryUncertainError("Apprise says only that it failed")
        return "Apprise: taken"


def _service(url: str) -> Any:
    """Return an Apprise that knows this one URL; None when it cannot use it."""
    import apprise  # noqa: PLC0415 -- takes long to import, and most sites have an HTTP gateway

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
