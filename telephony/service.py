"""The running service: the engine, and all that stands around it, as named tasks that end together."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Protocol

import structlog

from policies.rules import Rules
from telephony import watchdog
from telephony.engine import Engine
from telephony.errors import BagvagtError, ConfigError
from telephony.gaps import doubts
from telephony.reload import PolicyFile
from telephony.settings import PromptsMissing, Settings
from telephony.settings import rules as resolve
from telephony.watchdog import Health, LoopLag, Watchdog

_log = structlog.get_logger()

HEAD_EVERY_S = 60.0
GAPS_EVERY_S = 86_400.0
STATUS_EVERY_S = 10.0
ALARMS_OUT_S = 15.0


class Server(Protocol):
    """The HTTP side."""

    async def start(self) -> None:
        """Listen."""
        ...

    async def stop(self) -> None:
        """Stop listening."""
        ...


class Calendars(Protocol):
    """The calendars that rotas name: kept up to date, and put into the rules."""

    def follow(self, settings: Settings) -> None:
        """Take another version of the policy."""
        ...

    def into(self, rules: Rules) -> Rules:
        """Return the rules with the calendars' shifts in them."""
        ...

    def request(self) -> None:
        """Look at the calendars now."""
        ...

    async def run(self, changed: Callable[[], None]) -> None:
        """Look now and then, until cancelled; `changed` is called when shifts have changed."""
        ...


class Service:
    """Runs until a signal says stop.

    Args:
        engine: the engine.
        health: tells whether protection is on.
        lag: the loop's lag.
        server: the HTTP side.
        settings: the policy that it starts with.
        ask_store: for the watchdog.
        prompts_missing: for a reload.
        reloaded: told of a reloaded policy, for what stands outside the rules.
        refused: told of a changed policy that was not taken.
        calendars: of the rotas.
        gaps_seen: told how many gaps there are in who is on call, once a day and after each reload.
        publish_head: where the audit chain's head goes, so that a rewrite shows; None for the log alone.
        head: the audit chain's head.
        watches: what else is to run once the engine has read its journal back, by the name of its task.
        fenced: returns why, when another process has taken the store over.
    """

    def __init__(
        self,
        engine: Engine,
        health: Health,
        lag: LoopLag,
        server: Server,
        settings: Settings,
        *,
        ask_store: Callable[[], Awaitable[object]],
        prompts_missing: PromptsMissing,
        reloaded: Callable[[Settings], None],
        refused: Callable[[ConfigError], None] = lambda _error: None,
        calendars: Calendars,
        gaps_seen: Callable[[int], None],
        publish_head: Callable[[str], Awaitable[None]] | None,
        head: Callable[[], str],
        watches: Mapping[str, Callable[[], Coroutine[Any, Any, None]]],
        fenced: Callable[[], Awaitable[BagvagtError]],
    ) -> None:
        self._engine = engine
        self._health = health
        self._lag = lag
        self._server = server
        self._settings = settings
        self._ask_store = ask_store
        self._reloaded = reloaded
        self._refused = refused
        self._calendars = calendars
        self._gaps_seen = gaps_seen
        self._look_for_gaps = asyncio.Event()
        self._publish_head = publish_head
        self._head = head
        self._watches = watches
        self._fenced = fenced
        self._store_lost: BagvagtError | None = None
        self._policy_file = PolicyFile(settings, self._on_loaded, self._on_refused, prompts_missing=prompts_missing)

    async def run(self) -> None:
        """Start everything; return when a signal said stop and all has ended.

        Raises:
            BagvagtError: another process has taken the store over.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._asked)
        self._say_doubts(self._settings)
        dog = Watchdog(self._ask_store, self._lag, self._health.line)
        feed_every_s = (watchdog.watchdog_s() or STATUS_EVERY_S * 3) / 3
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self._engine.run(), name="engine"),
                tasks.create_task(self._lag.run(), name="loop-lag"),
                tasks.create_task(self._policy_file.run(), name="policy-file"),
                tasks.create_task(dog.run(feed_every_s), name="watchdog"),
                tasks.create_task(self._publish_heads(), name="audit-head"),
                tasks.create_task(self._calendars.run(self._calendars_changed), name="calendars"),
                tasks.create_task(self._say_gaps(), name="on-call-gaps"),
                tasks.create_task(self._stop_when_fenced(stop), name="lease"),
            ]
            await self._engine.ready.wait()
            running += [tasks.create_task(watch(), name=name) for name, watch in self._watches.items()]
            await self._server.start()
            _log.info("started", policy=self._settings.origin.version, head=self._head())
            watchdog.ready(self._health.line())
            await stop.wait()
            _log.info("stopping")
            watchdog.stopping()
            await self._server.stop()
            for task in running:
                task.cancel()
        _log.info("stopped", head=self._head())
        if self._store_lost is not None:
            raise self._store_lost

    async def _stop_when_fenced(self, stop: asyncio.Event) -> None:
        """Make room for whoever has the store now: what this one does could not be written down any more."""
        self._store_lost = await self._fenced()
        _log.critical("store_taken_over", error=str(self._store_lost))
        await self._engine.alarms_out(ALARMS_OUT_S)
        stop.set()

    def _on_loaded(self, settings: Settings, rules: Rules) -> None:
        watchdog.reloading()
        self._settings = settings
        self._calendars.follow(settings)
        self._engine.reload(self._calendars.into(rules))
        self._look_for_gaps.set()
        self._reloaded(settings)
        self._say_doubts(settings)
        _log.info("policy_loaded", file=str(settings.origin.file), version=rules.version)
        watchdog.ready(self._health.line())

    def _on_refused(self, error: ConfigError) -> None:
        for mistake in error.mistakes:
            if mistake.severity != "error":  # doubts are no reason to refuse, and are told again when it is loaded
                continue
            place = f"{error.file}:{mistake.line}" if mistake.line else error.file
            _log.error("policy_refused", place=place, key=mistake.key, what=mistake.message, remedy=mistake.remedy)
        self._refused(error)

    def _say_doubts(self, settings: Settings) -> None:
        for doubt in settings.origin.warnings:
            _log.warning("policy_doubtful", key=doubt.key, line=doubt.line, what=doubt.message, remedy=doubt.remedy)

    def _asked(self) -> None:
        self._policy_file.request()
        self._calendars.request()

    def _calendars_changed(self) -> None:
        self._engine.reload(self._calendars.into(resolve(self._settings)))
        self._look_for_gaps.set()

    async def _say_gaps(self) -> None:
        """Say long before the night in which nobody would be reached."""
        await self._engine.ready.wait()
        while True:
            self._look_for_gaps.clear()
            found = await asyncio.to_thread(doubts, self._settings, self._engine.policy.now, self._engine.stamp()["at"])
            self._gaps_seen(len(found))
            for gap in found:
                _log.warning("on_call_gap", key=gap.key, line=gap.line, what=gap.message, remedy=gap.remedy)
            with suppress(TimeoutError):
                async with asyncio.timeout(GAPS_EVERY_S):
                    await self._look_for_gaps.wait()

    async def _publish_heads(self) -> None:
        said = ""
        while True:
            head = self._head()
            if head != said:
                said = head
                _log.info("audit_head", head=head)
                if self._publish_head is not None:
                    await self._publish_head(head)
            await asyncio.sleep(HEAD_EVERY_S)
