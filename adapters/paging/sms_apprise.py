"""An SMS through Apprise: any of its services, by URL."""

from dataclasses import dataclass, field

import structlog

from adapters.paging.apprise import Apprise
from adapters.paging.sms_template import CHANNEL, Sms, fill_url
from policies.rules import Severity

_log = structlog.get_logger(__name__)

_EXAMPLE = Sms("+4520304050", "", "", "")


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
        if fill_url(self._url, _EXAMPLE) == self._url:
            raise ValueError("the Apprise URL must hold {to} or {to_digits}")
        self._apprise = Apprise(CHANNEL)

    async def prepare(self) -> None:
        """Load Apprise now and not with the first alarm, and see whether it knows the URL."""
        if not await self._apprise.knows(fill_url(self._url, _EXAMPLE)):
            _log.error("apprise_url_unknown", remedy="see the Apprise service's own page for the form of its URL")

    async def send(self, sms: Sms) -> str:
        """Send one SMS; returns when the service took it."""
        return await self._apprise.send(fill_url(self._url, sms), sms.text, is_acute=sms.severity is Severity.ACUTE)
