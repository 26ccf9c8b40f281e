"""The AMI client: stays logged in to one Asterisk, for ever, and says when it is not.

Nothing tells what was missed while a connection was away, so each connection is an *epoch* of its own, and
begins with a resync:

1. log in, with the event mask: from here every event is kept back, in order;
2. `on_connected(epoch)` is awaited: list channels, bridges and queue members with `send_list`, and rebuild
   from them;
3. the events kept back are given to `on_event`, then each event as it comes.

An AMI session's events lag behind the state that its lists show, never the other way round: so an event of
step 3 may tell what the lists told already, but none is missing. Whoever applies them has to take an event
about a leg that is there already, or gone already, as no news.
"""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

import structlog

from adapters.asterisk.ami_codec import AmiDecoder, Message, encode_action
from adapters.asterisk.ami_connection import AmiConnection
from telephony.errors import PbxError, PbxRejectedError, PbxTimeoutError, PbxUnreachableError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AmiTiming:
    """How long the client waits, in seconds.

    Attributes:
        connect_s: for the TCP connection.
        action_s: for the reply to an action, unless the caller says otherwise.
        resync_s: for `on_connected`.
        ping_every_s: between a Ping's reply and the next Ping.
        ping_reply_s: for a Ping's reply; a PBX that does not answer is frozen.
        retry_first_s: before the first new try; doubled with each one that fails.
        retry_most_s: never longer than this between tries.
        refused_s: between tries while the PBX refuses the log-in; quicker would look like an attack.
    """

    connect_s: float = 5.0
    action_s: float = 5.0
    resync_s: float = 20.0
    ping_every_s: float = 5.0
    ping_reply_s: float = 5.0
    retry_first_s: float = 0.25
    retry_most_s: float = 15.0
    refused_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Epoch:
    """One connection's life.

    Attributes:
        number: 1, 2 … since the service began. What was learnt in another epoch may be wrong.
        version: the AMI version of the banner, `11.0.0` for Asterisk 22.10.
        actions: the actions that this manager user may send, as `ListCommands` names them, in small letters.
    """

    number: int
    version: str
    actions: frozenset[str]

    def may(self, action: str) -> bool:
        """Tell whether the PBX lets this user send `action`."""
        return action.lower() in self.actions


def retry_delay_s(failures: int, timing: AmiTiming, jitter: float) -> float:
    """Return the wait after so many failures in a row (1, 2 …): doubling, capped, and half of it by chance.

    Args:
        failures: tries that failed since the last resync that succeeded, at least 1.
        timing: the first and the longest wait.
        jitter: from 0 to 1; spreads the nodes that lost the same PBX.
    """
    longest = min(timing.retry_most_s, timing.retry_first_s * 2.0 ** min(failures - 1, 30))
    return longest * (0.5 + 0.5 * jitter)


class AmiClient:
    """A connection to one Asterisk that comes back by itself.

    Args:
        host: name or address of the PBX.
        port: its AMI port, usually 5038.
        username: the manager user.
        secret: its secret; never shown or logged.
        wanted: names of the events that `on_event` gets; None for all that the mask lets through.
        on_event: called with each event, in the order of the PBX, from the reader: it must be quick. What is
            slow belongs in a task of its own. If it raises, the epoch ends and a resync follows.
        on_connected: awaited at the beginning of each epoch, see the module; an error of the PBX in it ends
            the epoch and another try follows.
        on_lost: called with the epoch and the reason when an epoch ends (not when `run` is cancelled).
        on_refused: called each time that the PBX refuses the log-in.
        on_pong: called with a Ping's reply and the seconds that it took.
        events: the event mask of the log-in. Fewer classes beat faster parsing: this one is a third of `on`.
        timing: all waits.
        sleep: how to wait between tries.
        jitter: from 0 to 1, by chance.

    Raises:
        UnsafeFieldError: username, secret or mask cannot be sent.
    """

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        secret: str,
        *,
        on_event: Callable[[Message], None],
        on_connected: Callable[[Epoch], Awaitable[None]] | None = None,
        on_lost: Callable[[Epoch, PbxError], None] | None = None,
        on_refused: Callable[[PbxRejectedError], None] | None = None,
        on_pong: Callable[[Message, float], None] | None = None,
        wanted: Iterable[str] | None = None,
        events: str = "call,agent,user,dtmf",
        timing: AmiTiming | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.host = host
        self.port = port
        self.epoch: Epoch | None = None
        self.is_ready = False
        self.last_error: PbxError | None = None
        self._log_in_fields = {"Username": username, "Secret": secret, "Events": events}
        encode_action("Login", self._log_in_fields)  # a secret that cannot be sent is found now, not at night
        self._on_event = on_event
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._on_refused = on_refused
        self._on_pong = on_pong
        self._wanted = None if wanted is None else frozenset(wanted)
        self._timing = timing or AmiTiming()
        self._sleep = sleep
        self._jitter = jitter
        self._epochs = itertools.count(1)
        self._connection: AmiConnection | None = None

    def __repr__(self) -> str:
        """Name the PBX; never the secret."""
        return f"<AmiClient {self.host}:{self.port} {self.epoch}>"

    async def run(self) -> NoReturn:
        """Connect, serve, connect again: until cancelled."""
        failures = 0
        while True:
            was_ready, error = await self._one_connection()
            self.last_error = error
            failures = 1 if was_ready else failures + 1
            delay_s = retry_delay_s(failures, self._timing, self._jitter())
            if isinstance(error, PbxRejectedError) and error.action == "Login":
                delay_s = self._timing.refused_s
                log.error("ami_login_refused", host=self.host, port=self.port, detail=error.detail)
                if self._on_refused is not None:
                    self._on_refused(error)
            else:
                log.warning("ami_away", host=self.host, port=self.port, error=str(error), failures=failures)
            await self._sleep(delay_s)

    async def send(
        self,
        action: str,
        /,
        *,
        timeout_s: float | None = None,
        variables: Mapping[str, str] | None = None,
        **fields: str | int,
    ) -> Message:
        """Send one action, once, and return its reply; never again when the outcome is unknown.

        Raises:
            UnsafeFieldError: a field would not arrive as meant; nothing was sent.
            PbxUnreachableError: not connected; nothing was sent.
            PbxTimeoutError: sent, and no reply: the outcome is unknown.
            PbxRejectedError: the PBX said no; its `Message` is the detail.
        """
        connection = self._connected(action)
        timeout_s = self._timing.action_s if timeout_s is None else timeout_s
        reply, _ = await connection.ask(action, fields, timeout_s=timeout_s, variables=variables)
        return reply

    async def send_list(
        self, action: str, /, *, timeout_s: float | None = None, **fields: str | int
    ) -> tuple[Message, list[Message]]:
        """Send a list action; return its reply and the list's entries, without the closing event.

        Raises:
            As `send`; an incomplete list is a PbxTimeoutError.
        """
        connection = self._connected(action)
        timeout_s = self._timing.action_s if timeout_s is None else timeout_s
        return await connection.ask(action, fields, timeout_s=timeout_s, is_list=True)

    async def ping(self) -> None:
        """Ping once, apart from those that keep the connection.

        Raises:
            PbxError: there was no pong.
        """
        await self._ping(self._connected("Ping"))

    def _connected(self, action: str) -> AmiConnection:
        if self._connection is None:
            raise PbxUnreachableError(action, "not connected")
        return self._connection

    async def _one_connection(self) -> tuple[bool, PbxError]:
        """Serve one connection until it is lost; return whether it got through its resync, and its end."""
        loop = asyncio.get_running_loop()
        connection = AmiConnection(AmiDecoder(self._wanted), self._on_event)
        try:
            async with asyncio.timeout(self._timing.connect_s):
                await loop.create_connection(lambda: connection, self.host, self.port)
        except OSError as error:  # TimeoutError is one
            return False, PbxUnreachableError("connect", str(error) or type(error).__name__)
        try:
            epoch = await self._log_in(connection)
            self._connection, self.epoch = connection, epoch
            log.info("ami_connected", host=self.host, port=self.port, epoch=epoch.number, ami=epoch.version)
            reason = await self._live(connection, epoch)
        except PbxError as error:
            return False, error
        finally:
            was_ready, self.is_ready = self.is_ready, False
            self._connection = self.epoch = None
            connection.drop(PbxUnreachableError("connection", "given up"))
        if self._on_lost is not None:
            self._on_lost(epoch, reason)
        return was_ready, reason

    async def _log_in(self, connection: AmiConnection) -> Epoch:
        await connection.ask("Login", self._log_in_fields, timeout_s=self._timing.action_s)
        reply, _ = await connection.ask("ListCommands", {}, timeout_s=self._timing.action_s)
        actions = frozenset(name.lower() for name, about in reply.fields().items() if "(Priv: " in about)
        return Epoch(next(self._epochs), connection.decoder.version, actions)

    async def _live(self, connection: AmiConnection, epoch: Epoch) -> PbxError:
        async with asyncio.TaskGroup() as tasks:
            keep_alive = tasks.create_task(self._keep_alive(connection), name="ami-keep-alive")
            resync = tasks.create_task(self._resync(connection, epoch), name="ami-resync")
            reason = await connection.lost
            keep_alive.cancel()
            resync.cancel()
        return reason

    async def _resync(self, connection: AmiConnection, epoch: Epoch) -> None:
        try:
            async with asyncio.timeout(self._timing.resync_s):
                if self._on_connected is not None:
                    await self._on_connected(epoch)
        except TimeoutError:
            connection.drop(PbxTimeoutError("resync", f"not done within {self._timing.resync_s:g} s"))
        except PbxError as error:
            connection.drop(error)
        else:
            connection.release()
            self.is_ready = True

    async def _keep_alive(self, connection: AmiConnection) -> None:
        while True:
            await asyncio.sleep(self._timing.ping_every_s)
            try:
                await self._ping(connection)
            except PbxError as error:
                connection.drop(error)
                return

    async def _ping(self, connection: AmiConnection) -> None:
        began = asyncio.get_running_loop().time()
        reply, _ = await connection.ask("Ping", {}, timeout_s=self._timing.ping_reply_s)
        if self._on_pong is not None:
            self._on_pong(reply, asyncio.get_running_loop().time() - began)
