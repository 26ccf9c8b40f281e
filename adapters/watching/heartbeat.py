"""A sign of life to somebody outside, who raises the alarm when it stops: a dead man's switch.

It is given only while the service works: the engine decides, the store answers, and `Health` says that protection is
on. When it is off that is said, with the reasons. A service that hangs, or still starts, says nothing: the silence is
the alarm. Whatever happens to a sign of life, it stands in nobody's way.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import structlog
from yarl import URL

from adapters.watching.fetching import Answer, NoAnswerError, fetch
from telephony.errors import BagvagtError

_log = structlog.get_logger()

COUNTED: Final = ("alive", "off", "failed", "withheld")
"""What comes of a sign of life: "alive" and "off" were taken, "failed" was not, "withheld" was not sent."""

_STARTING: Final = "starting"
_NOTHING: Final = "none"
_WHY: Final = "{why}"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where signs of life go. They are secrets: who has them can keep the alarm from being raised.

    Attributes:
        alive: fetched while protection is on.
        off: fetched when it is off, `{why}` in it replaced by the reasons; "" to say nothing then.
        takes_words: the reasons are posted to `off`, as plain text.
    """

    alive: str = field(repr=False)
    off: str = field(repr=False)
    takes_words: bool

    @classmethod
    def read(cls, text: str) -> "Addresses":
        """Read the file of `[heartbeat] url_file`: the address, and on a second line the one for "off", or `none`.

        With one line "off" is what healthchecks.io made common: `/fail` behind the path, and the reasons posted to it.

        Raises:
            ValueError: it holds neither one address nor two; without saying what it holds.
        """
        lines = [line for raw in text.splitlines() if (line := raw.strip()) and not line.startswith("#")]
        match lines:
            case [alive]:
                return cls(alive, _with_fail(alive), takes_words=True)
            case [alive, off]:
                return cls(alive, "" if off == _NOTHING else off, takes_words=False)
        raise ValueError("it must hold one address, or two: for alive and for off")


def _with_fail(address: str) -> str:
    url = URL(address)
    return str(url.with_path(url.raw_path.rstrip("/") + "/fail", encoded=True, keep_query=True))


@dataclass(frozen=True, slots=True)
class HeartbeatConfig:
    """When signs of life are given, and where.

    Attributes:
        addresses: where; None for MQTT alone.
        every_s: from one to the next.
        tries: of one sign, all within half the interval. Some services take five in a minute and no more.
        answer_s: how long engine and store may take to answer; then nothing is sent. At most a quarter of the interval.
        again_s: what is off is looked at again after this: a PBX that reloads is no reason to wake somebody. Likewise.
    """

    addresses: Addresses | None = None
    every_s: float = 60.0
    tries: int = 3
    answer_s: float = 5.0
    again_s: float = 10.0


class Heartbeat:
    """Gives signs of life.

    Args:
        config: when and where.
        health: `telephony.watchdog.Health.read`: what the screens and `/healthz` show, no other judgement.
        answers: returns when engine and store have answered, raises when the store's answer is an error;
            `adapters.watching.pulse.Pulse.beat`.
        mqtt: tells the broker (is protection on, seconds to the next), None for no broker.
        counted: called with what has come of each, see `COUNTED`.
        sleep: how to wait.
        now_s: a monotonic clock, seconds.
    """

    def __init__(
        self,
        config: HeartbeatConfig,
        health: Callable[[], Mapping[str, Any]],
        answers: Callable[[], Awaitable[None]],
        *,
        mqtt: Callable[[bool, float], Awaitable[object]] | None = None,
        counted: Callable[[str], None] = lambda _what: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._health = health
        self._answers = answers
        self._mqtt = mqtt
        self._counted = counted
        self._sleep = sleep
        self._now_s = now_s
        self._asking: asyncio.Future[None] | None = None
        self._latest = ""

    async def run(self) -> None:
        """Give them, until cancelled."""
        try:
            while True:
                began_s = self._now_s()
                try:
                    await self._beat()
                except Exception as error:  # noqa: BLE001 -- who watches must not stop the work; outside, it is silent
                    self._note("withheld", error=type(error).__name__)
                await self._sleep(max(0.0, self._config.every_s - (self._now_s() - began_s)))
        finally:
            if self._asking is not None:
                self._asking.cancel()

    async def _beat(self) -> None:
        why = await self._why()
        if why:
            await self._sleep(min(self._config.again_s, self._config.every_s / 4))
            why = await self._why()
        if why is None:
            self._note("withheld", why="engine or store does not answer, or still starts")
            return
        # Side by side: a broker that hangs does not keep the ping from going out, nor the other way.
        ended = await asyncio.gather(self._ping(why), self._publish(why), return_exceptions=True)
        for error in (e for e in ended if e is not None):
            _log.error("heartbeat_broken", error=type(error).__name__)

    async def _why(self) -> tuple[str, ...] | None:
        """Return what takes protection away; None when nobody answers. One question at a time."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._answers())
            self._asking.add_done_callback(lambda done: done.cancelled() or done.exception())  # may be read by nobody
        await asyncio.wait({self._asking}, timeout=min(self._config.answer_s, self._config.every_s / 4))
        if not self._asking.done():
            return None
        try:
            self._asking.result()
        except BagvagtError:
            return ("journal",)
        health = self._health()
        why = tuple(health["why"]) or (() if health["ok"] else ("unknown",))
        return None if _STARTING in why else why

    async def _ping(self, why: tuple[str, ...]) -> None:
        addresses = self._config.addresses
        if addresses is None:
            return
        words, say = ", ".join(why), None
        if not why:
            url = addresses.alive
        elif addresses.off:
            url = addresses.off.replace(_WHY, quote(words))
            say = f"Protection is off: {words}." if addresses.takes_words else None
        else:
            self._note("withheld", why=words)
            return
        reason = await self._send(url, say)
        if reason:
            self._note("failed", reason=reason)
        elif why:
            self._note("off", why=words)
        else:
            self._note("alive")

    async def _send(self, url: str, say: str | None) -> str:
        """Return why it was not taken, "" when it was."""
        every_s, tries, reason = self._config.every_s, self._config.tries, ""
        for number in range(tries):
            if number:
                await self._sleep(min(5.0, every_s / (6 * tries)))
            try:
                answer = await fetch(url, min(10.0, every_s / (3 * tries)), say=say)
            except NoAnswerError as error:
                reason = error.why
                continue
            reason = _refusal(answer)
            if answer.status < 500:  # noqa: PLR2004 -- RFC 9110 §15.6: only these may be otherwise the next time
                break
        return reason

    async def _publish(self, why: tuple[str, ...]) -> None:
        if self._mqtt is None:
            return
        try:
            async with asyncio.timeout(self._config.every_s / 2):
                await self._mqtt(not why, self._config.every_s)
        except (BagvagtError, TimeoutError) as error:
            _log.debug("heartbeat_mqtt_failed", error=type(error).__name__)

    def _note(self, what: str, **detail: str) -> None:
        """Count it; say it when it is another than the last."""
        self._counted(what)
        if what != self._latest:
            self._latest = what
            (_log.info if what == "alive" else _log.warning)(f"heartbeat_{what}", **detail)


def _refusal(answer: Answer) -> str:
    """Return why this is no "taken". healthchecks.io answers 200 to what it ignores, and says so in the body."""
    if not 200 <= answer.status < 300:  # noqa: PLR2004 -- RFC 9110 §15.3
        return f"HTTP {answer.status}"
    if answer.body.lstrip().startswith(b"OK ("):
        return "the service ignores it: it does not know the address, or there were too many"
    return ""
