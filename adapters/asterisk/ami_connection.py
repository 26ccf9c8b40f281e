"""One AMI connection: bytes in and out, replies matched to their actions. It knows no log-in and no retry.

An `asyncio.Protocol`, not a stream with a reading task: what the socket holds is taken as soon as the loop
turns, and nothing here awaits anybody. Asterisk cuts a reader off that is slow for 100 ms (`writetimeout` in
manager.conf), in the middle of an event and without a word.
"""

import asyncio
import itertools
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from adapters.asterisk.ami_codec import AmiDecoder, Message, encode_action
from telephony.errors import (
    PbxError,
    PbxProtocolError,
    PbxRejectedError,
    PbxTimeoutError,
    PbxUnreachableError,
)

MAX_HELD: int = 100_000
"""Events kept back during a resync: 30 s at 100 queue calls/s with 29 events each, about 60 MB at worst."""


@dataclass
class _Pending:
    """An action that was sent and not yet answered.

    Attributes:
        action: its name, for errors.
        answer: resolves with the reply, once its list is complete if it has one.
        is_list: whether list events are expected.
        reply: the response, while its list still comes.
        entries: the list events so far.
    """

    action: str
    answer: asyncio.Future[Message]
    is_list: bool
    reply: Message | None = None
    entries: list[Message] = field(default_factory=list)


class AmiConnection(asyncio.Protocol):
    """One connection, from its first byte to its loss.

    Events are held back until `release()`, so that whoever reads the PBX's state first loses none of them.

    Args:
        decoder: a fresh one.
        on_event: called with each wanted event, in order, from the socket's callback: it must be quick.

    Attributes:
        lost: resolves with the reason when the connection is gone; nothing else ever ends it.
        late_replies: replies and list entries to actions that nobody waits for any more.
    """

    def __init__(self, decoder: AmiDecoder, on_event: Callable[[Message], None]) -> None:
        self.decoder = decoder
        self.lost: asyncio.Future[PbxError] = asyncio.get_running_loop().create_future()
        self.late_replies = 0
        self._on_event = on_event
        self._id_prefix = secrets.token_hex(4) + "-"  # no reply ever fits an action of another connection
        self._id_numbers = itertools.count(1)
        self._transport: asyncio.Transport | None = None
        self._pending: dict[str, _Pending] = {}
        self._held: list[Message] | None = []
        self._reason: PbxError | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; small actions leave at once (TCP_NODELAY)."""
        self._transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Decode and hand out; an event consumer that raises ends the connection, and a resync follows."""
        if self._reason is not None:
            return
        try:
            messages = self.decoder.feed(data)
        except PbxProtocolError as error:
            self.drop(error)
            return
        for message in messages:
            if (self._pending or not message.is_event) and self._is_answer(message):
                continue
            if self._held is None:
                self._on_event(message)
            else:
                self._hold(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits: what was sent and not answered has an unknown outcome."""
        self._transport = None
        detail = str(exc) or type(exc).__name__ if exc else "closed by the PBX"
        reason = self._reason or PbxUnreachableError("connection", detail)
        for pending in self._pending.values():
            if not pending.answer.done():
                error = PbxTimeoutError(pending.action, f"connection lost before the reply: {reason.detail}")
                pending.answer.set_exception(error)
        if not self.lost.done():
            self.lost.set_result(reason)

    # What the client calls.

    def drop(self, reason: PbxError) -> None:
        """End the connection, for this reason (the first one counts)."""
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    def release(self) -> None:
        """Deliver the events held back, in order, and every later one as it comes."""
        held, self._held = self._held or [], None
        for message in held:
            self._on_event(message)

    async def ask(
        self,
        action: str,
        fields: Mapping[str, str | int],
        *,
        timeout_s: float,
        variables: Mapping[str, str] | None = None,
        is_list: bool = False,
    ) -> tuple[Message, list[Message]]:
        """Send one action, once, and return its reply and the events of its list (empty unless `is_list`).

        Raises:
            UnsafeFieldError: a field would not arrive as meant; nothing was sent.
            PbxUnreachableError: the connection is gone; nothing was sent.
            PbxTimeoutError: sent, and no whole answer within `timeout_s`, or the connection broke.
            PbxRejectedError: the PBX said no.
        """
        action_id = f"{self._id_prefix}{next(self._id_numbers)}"
        data = encode_action(action, {**fields, "ActionID": action_id}, variables)
        if self._transport is None or self._transport.is_closing():
            raise PbxUnreachableError(action, "not connected")
        pending = _Pending(action, asyncio.get_running_loop().create_future(), is_list)
        self._pending[action_id] = pending
        self.decoder.tagged |= is_list
        self._transport.write(data)
        try:
            async with asyncio.timeout(timeout_s):
                reply = await pending.answer
        except TimeoutError:
            raise PbxTimeoutError(action, f"no reply within {timeout_s:g} s") from None
        finally:
            del self._pending[action_id]
            self.decoder.tagged = any(other.is_list for other in self._pending.values())
        if not reply.is_success():
            raise PbxRejectedError(action, reply.get("Message", reply.name), reply.fields())
        return reply, pending.entries

    # Replies.

    def _is_answer(self, message: Message) -> bool:
        """Give a reply, or an entry of a list, to the action it belongs to: by ActionID, never by order."""
        action_id = message.get("ActionID")
        pending = self._pending.get(action_id)
        if pending is None or pending.answer.done():
            is_late = not message.is_event or action_id.startswith(self._id_prefix)
            self.late_replies += is_late
            return is_late
        if not message.is_event:
            pending.reply = message
            if not (pending.is_list and message.is_success() and message.get("EventList") == "start"):
                pending.answer.set_result(message)
        elif not pending.is_list:
            return False
        elif message.get("EventList") == "Complete" and pending.reply is not None:
            pending.answer.set_result(pending.reply)
        elif message.get("EventList") == "Cancelled":
            pending.answer.set_exception(PbxRejectedError(pending.action, "list cancelled", message.fields()))
        else:
            pending.entries.append(message)
        return True

    def _hold(self, message: Message) -> None:
        if self._held is not None and len(self._held) < MAX_HELD:
            self._held.append(message)
        else:
            self.drop(PbxProtocolError("resync", f"more than {MAX_HELD} events came before it was done"))
