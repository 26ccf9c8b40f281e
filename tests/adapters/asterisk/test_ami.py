"""The AMI client against a PBX that misbehaves: a server in this process that speaks as the test says."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.asterisk import ami_connection
from adapters.asterisk.ami import AmiClient, AmiTiming, Epoch, retry_delay_s
from adapters.asterisk.ami_codec import UnsafeFieldError
from telephony.errors import (
    PbxProtocolError,
    PbxRejectedError,
    PbxTimeoutError,
    PbxUnreachableError,
)
from tests.adapters.asterisk.fake_ami import QUICK, SECRET, Action, FakePbx, Rig, Session, running
from tests.lab.waiting import until

LIMIT_S = 10.0


@pytest.fixture
async def pbx() -> AsyncIterator[FakePbx]:
    server = FakePbx()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def rig(pbx: FakePbx) -> AsyncIterator[Rig]:
    async with running(pbx) as made:
        await until(lambda: made.client.is_ready)
        yield made


async def test_logs_in_with_the_mask_and_learns_version_and_rights(pbx: FakePbx, rig: Rig) -> None:
    """The mask goes with the log-in, not after it; version and permitted actions are known; writes leave at once."""
    login = pbx.sessions[0].actions[0]
    assert (login["Username"], login["Secret"], login["Events"]) == ("guard", SECRET, "call,agent,user,dtmf")
    (epoch,) = rig.epochs
    assert (epoch.number, epoch.version, set(epoch.actions)) == (1, "11.0.0", {"queuepause", "ping"})
    assert epoch.may("QueuePause")
    assert not epoch.may("Redirect")
    connection = rig.client._connection
    assert connection is not None
    assert connection._transport is not None
    assert connection._transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_the_secret_is_in_no_log_and_no_repr(pbx: FakePbx) -> None:
    """Also when the log-in is refused, and when the secret itself cannot be sent."""
    pbx.special["Login"] = lambda s, a: s.reply(a, "Message: Authentication failed", kind="Error")
    with capture_logs() as logs:
        async with running(pbx) as rig:
            await until(lambda: rig.refused)
            assert SECRET not in repr(rig.client) + repr(rig.refused) + repr(rig.client.last_error)
    assert logs
    assert SECRET not in repr(logs)
    with pytest.raises(UnsafeFieldError) as refused:
        AmiClient("h", 1, "guard", SECRET + "\n", on_event=print)
    assert SECRET not in repr(refused.value) + str(refused.value)


async def test_a_refused_log_in_is_reported_and_retried_slowly(pbx: FakePbx) -> None:
    """Each refusal reaches the hook with the PBX's words; no epoch begins; a mended password needs no restart."""
    good = pbx.special["Login"]
    pbx.special["Login"] = lambda s, a: s.reply(a, "Message: Authentication failed", kind="Error")
    async with running(pbx) as rig:
        await until(lambda: len(rig.refused) >= 2)
        assert (rig.refused[0].action, rig.refused[0].detail) == ("Login", "Authentication failed")
        assert set(rig.waits) == {QUICK.refused_s}
        assert not rig.epochs
        assert not rig.lost
        pbx.special["Login"] = good
        await until(lambda: rig.client.is_ready)
        assert [epoch.number for epoch in rig.epochs] == [1]


async def test_replies_out_of_order_reach_the_right_action(pbx: FakePbx, rig: Rig) -> None:
    """Replies are matched by ActionID, never by order; events between them go their way."""
    asked: list[Action] = []
    pbx.answer = lambda _, action: asked.append(action)
    tasks = [asyncio.create_task(rig.client.send("GetVar", Variable=f"V{n}")) for n in range(5)]
    await until(lambda: len(asked) == 5)
    for action in reversed(asked):
        pbx.sessions[0].say("Event: Hangup", "Uniqueid: 1")
        pbx.sessions[0].reply(action, f"Value: of {action['Variable']}")
    replies = await asyncio.gather(*tasks)
    assert [reply["Value"] for reply in replies] == [f"of V{n}" for n in range(5)]
    assert len(rig.events) == 5


async def test_a_late_reply_is_nobody_elses(pbx: FakePbx, rig: Rig) -> None:
    """No reply in time is an unknown outcome; nothing is sent again; the late reply does not answer what came after."""
    asked: list[Action] = []
    pbx.answer = lambda _, action: asked.append(action)
    with pytest.raises(PbxTimeoutError) as unknown:
        await rig.client.send("Redirect", timeout_s=0.05, Channel="1.1")
    assert unknown.value.action == "Redirect"
    second = asyncio.create_task(rig.client.send("Hangup", Channel="2.2"))
    await until(lambda: len(asked) == 2)
    pbx.sessions[0].reply(asked[0], "Message: late")
    pbx.sessions[0].reply(asked[1], "Message: mine")
    assert (await second)["Message"] == "mine"
    assert [action["Action"] for action in asked] == ["Redirect", "Hangup"]
    assert rig.client._connection is not None
    assert rig.client._connection.late_replies == 1


async def test_a_refusal_carries_the_words_and_fields_of_the_pbx(pbx: FakePbx, rig: Rig) -> None:
    """`Response: Error`, and any answer that Asterisk does not call a success."""
    for kind in ("Error", "Something"):
        pbx.answer = lambda s, a, kind=kind: s.reply(a, "Message: No such channel", "Extra: 1", kind=kind)  # type: ignore[misc]
        with pytest.raises(PbxRejectedError) as said:
            await rig.client.send("Hangup", Channel="1.1")
        assert (said.value.detail, said.value.fields["Extra"]) == ("No such channel", "1")


async def test_an_unsafe_action_is_not_sent_and_harms_nobody(pbx: FakePbx, rig: Rig) -> None:
    """A line feed in a value never reaches the wire, and the connection goes on."""
    with pytest.raises(UnsafeFieldError):
        await rig.client.send("UserEvent", UserEvent="x\nAction: Command")
    await rig.client.send("CoreStatus")
    assert pbx.sessions[0].names() == ["Login", "ListCommands", "CoreStatus"]


async def test_without_a_connection_nothing_is_sent(pbx: FakePbx) -> None:
    """Before the log-in and after the loss the error says that nothing was sent."""
    await pbx.stop()
    async with running(pbx) as rig:
        await until(lambda: rig.waits)
        with pytest.raises(PbxUnreachableError):
            await rig.client.send("Hangup", Channel="1.1")
        assert isinstance(rig.client.last_error, PbxUnreachableError)
    await pbx.start()


async def test_a_connection_that_breaks_leaves_the_outcome_unknown(pbx: FakePbx, rig: Rig) -> None:
    """An action that was written and not answered before the loss is a PbxTimeoutError at once, and never resent."""
    pbx.answer = lambda session, _: session.writer.transport.abort()
    with pytest.raises(PbxTimeoutError, match="connection lost"):
        await rig.client.send("Redirect", Channel="1.1")
    await until(lambda: len(rig.epochs) == 2 and rig.client.is_ready)
    assert "Redirect" not in pbx.sessions[1].names()


async def test_a_drop_in_the_middle_of_an_event_begins_a_new_epoch(pbx: FakePbx, rig: Rig) -> None:
    """The torn event is not delivered, its half does not spoil the next connection, and the loss is reported once."""
    pbx.sessions[0].say("Event: Hangup", "Uniqueid: whole")
    pbx.sessions[0].say("Event: Hangup", "Uniqueid: to", end="")
    pbx.sessions[0].writer.close()
    await until(lambda: len(rig.epochs) == 2 and rig.client.is_ready)
    pbx.sessions[1].say("Event: Hangup", "Uniqueid: next")
    await until(lambda: len(rig.events) == 2)
    assert [event["Uniqueid"] for event in rig.events] == ["whole", "next"]
    assert [(number, type(error)) for number, error in rig.lost] == [(1, PbxUnreachableError)]


async def test_waits_longer_while_the_pbx_is_away_and_starts_afresh(pbx: FakePbx, rig: Rig) -> None:
    """Doubling waits while nobody answers; after a good epoch the first wait again."""
    port = pbx.port
    await pbx.stop()
    await until(lambda: len(rig.waits) >= 4)
    assert rig.waits[:4] == [0.25, 0.5, 1.0, 2.0]
    assert [number for number, _ in rig.lost] == [1]
    pbx.port = port
    await pbx.start()
    await until(lambda: len(rig.epochs) == 2 and rig.client.is_ready)
    tries = len(rig.waits)
    pbx.sessions[-1].writer.transport.abort()
    await until(lambda: len(rig.epochs) == 3)
    assert rig.waits[tries] == 0.25


def test_backoff_is_capped_and_jittered() -> None:
    """Half of each wait is by chance; no number of failures makes it longer than the cap."""
    timing = AmiTiming(retry_first_s=0.25, retry_most_s=15.0)
    assert [retry_delay_s(n, timing, 1.0) for n in (1, 2, 3)] == [0.25, 0.5, 1.0]
    assert [retry_delay_s(n, timing, 0.0) for n in (1, 2, 3)] == [0.125, 0.25, 0.5]
    assert retry_delay_s(10_000, timing, 1.0) == 15.0


async def test_a_frozen_pbx_is_noticed(pbx: FakePbx) -> None:
    """Open socket, no answer to a Ping: the epoch ends, and a new connection is made."""
    pings = 0

    def one_pong(session: Session, action: Action) -> None:
        nonlocal pings
        pings += 1
        if pings == 1:
            session.reply(action, "Ping: Pong")

    pbx.special["Ping"] = one_pong
    async with running(pbx, AmiTiming(ping_every_s=0.02, ping_reply_s=0.1)) as rig:
        await until(lambda: len(rig.epochs) == 2)
        number, error = rig.lost[0]
        assert (number, type(error), error.action) == (1, PbxTimeoutError, "Ping")
        assert pings >= 2


def entry(action: Action, name: str) -> tuple[str, ...]:
    return ("Event: QueueMember", f"Name: {name}", f"ActionID: {action['ActionID']}")


def done(action: Action, word: str = "Complete") -> tuple[str, ...]:
    return ("Event: QueueStatusComplete", f"ActionID: {action['ActionID']}", f"EventList: {word}", "ListItems: 2")


async def test_a_list_is_gathered_by_its_id_among_other_things(pbx: FakePbx) -> None:
    """Entries of two lists at once and of names that nobody wanted; live events between them are delivered."""
    asked: list[Action] = []
    pbx.answer = lambda _, action: asked.append(action)
    async with running(pbx, wanted={"Hangup"}) as rig:
        await until(lambda: rig.client.is_ready)
        lists = [asyncio.create_task(rig.client.send_list("QueueStatus", Queue=q)) for q in "ab"]
        await until(lambda: len(asked) == 2)
        a, b = asked
        session = pbx.sessions[0]
        for action in (b, a):
            session.reply(action, "EventList: start", "Message: Queue status will follow")
        session.say("Event: QueueMember", "Name: live, not of a list")
        for name in ("1", "2"):
            session.say(*entry(a, f"a{name}"))
            session.say("Event: Hangup", "Uniqueid: live")
            session.say(*entry(b, f"b{name}"))
        session.say(*done(a))
        session.say(*done(b))
        gathered = [
            (reply["EventList"], [e["Name"] for e in entries]) for reply, entries in await asyncio.gather(*lists)
        ]
        assert gathered == [("start", ["a1", "a2"]), ("start", ["b1", "b2"])]
        assert [event.name for event in rig.events] == ["Hangup", "Hangup"]


async def test_a_list_without_end_is_a_timeout_and_its_rest_goes_nowhere(pbx: FakePbx) -> None:
    """Half a list is no list; what comes of it later does not enter the next one, nor the live events."""
    asked: list[Action] = []
    pbx.answer = lambda _, action: asked.append(action)
    async with running(pbx, wanted={"Hangup"}) as rig:
        await until(lambda: rig.client.is_ready)
        first = asyncio.create_task(rig.client.send_list("QueueStatus", timeout_s=0.05))
        await until(lambda: asked)
        pbx.sessions[0].reply(asked[0], "EventList: start")
        pbx.sessions[0].say(*entry(asked[0], "half"))
        with pytest.raises(PbxTimeoutError):
            await first
        second = asyncio.create_task(rig.client.send_list("QueueStatus"))
        await until(lambda: len(asked) == 2)
        pbx.sessions[0].reply(asked[1], "EventList: start")
        pbx.sessions[0].say(*entry(asked[0], "late"))
        pbx.sessions[0].say(*done(asked[0]))
        pbx.sessions[0].say(*entry(asked[1], "mine"))
        pbx.sessions[0].say(*done(asked[1]))
        _, entries = await second
        assert [e["Name"] for e in entries] == ["mine"]
        assert rig.events == []


async def test_a_refused_or_cancelled_list_is_a_refusal(pbx: FakePbx, rig: Rig) -> None:
    """An error instead of a list, and a list that the PBX gives up; an action without a list has an empty one."""
    pbx.answer = lambda s, a: s.reply(a, "Message: Permission denied", kind="Error")
    with pytest.raises(PbxRejectedError, match="Permission denied"):
        await rig.client.send_list("QueueStatus")

    def cancel(session: Session, action: Action) -> None:
        session.reply(action, "EventList: start")
        session.say(*done(action, "Cancelled"))

    pbx.answer = cancel
    with pytest.raises(PbxRejectedError, match="cancelled"):
        await rig.client.send_list("QueueStatus")
    pbx.answer = lambda s, a: s.reply(a)
    assert (await rig.client.send_list("CoreStatus"))[1] == []


async def test_events_during_a_resync_come_after_it_in_order(pbx: FakePbx) -> None:
    """From the log-in on no event is lost: kept back until the lists are applied, then in the PBX's order."""
    log: list[str] = []
    good = pbx.special["Login"]

    def login_and_event(session: Session, action: Action) -> None:
        good(session, action)
        session.say("Event: Newchannel", "Uniqueid: 1")

    def list_and_events(session: Session, action: Action) -> None:
        session.say("Event: Newchannel", "Uniqueid: 2")
        session.reply(action, "EventList: start")
        session.say(*done(action))
        session.say("Event: Hangup", "Uniqueid: 1")

    pbx.special["Login"] = login_and_event
    pbx.answer = list_and_events
    go_on = asyncio.Event()
    async with running(pbx) as rig:

        async def resync(epoch: Epoch) -> None:
            await rig.client.send_list("QueueStatus")
            assert not rig.client.is_ready
            await go_on.wait()
            log.append(f"resynced with {len(rig.events)} events")

        rig.resync = resync
        await until(lambda: rig.client._connection and len(rig.client._connection._held or ()) == 3)
        go_on.set()
        await until(lambda: rig.client.is_ready)
        pbx.sessions[0].say("Event: Hangup", "Uniqueid: 2")
        await until(lambda: len(rig.events) == 4)
        assert log == ["resynced with 0 events"]
        told = [f"{event.name} {event['Uniqueid']}" for event in rig.events]
        assert told == ["Newchannel 1", "Newchannel 2", "Hangup 1", "Hangup 2"]


async def test_a_resync_that_fails_or_hangs_is_tried_anew(pbx: FakePbx) -> None:
    """Nothing of a half-read epoch is delivered; the next try is a new connection, later each time."""
    async with running(pbx, AmiTiming(resync_s=0.05, ping_every_s=60)) as rig:

        async def resync(epoch: Epoch) -> None:
            pbx.sessions[-1].say("Event: Hangup", f"Uniqueid: {epoch.number}")
            await rig.client.send("CoreStatus")
            if epoch.number == 1:
                raise PbxRejectedError("QueueStatus", "Invalid/unknown command")
            if epoch.number == 2:
                await asyncio.Event().wait()

        rig.resync = resync
        await until(lambda: rig.client.is_ready)
        assert [(number, type(e)) for number, e in rig.lost] == [(1, PbxRejectedError), (2, PbxTimeoutError)]
        assert rig.waits == [0.25, 0.5]
        assert [event["Uniqueid"] for event in rig.events] == ["3"]


async def test_too_many_events_during_a_resync_end_the_epoch(pbx: FakePbx, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays bounded: rather a new resync than a hole or a growing pile."""
    monkeypatch.setattr(ami_connection, "MAX_HELD", 50)
    async with running(pbx) as rig:

        async def resync(epoch: Epoch) -> None:
            if epoch.number == 1:
                for _ in range(51):
                    pbx.sessions[0].say("Event: Hangup", "Uniqueid: 1")
                await asyncio.Event().wait()

        rig.resync = resync
        await until(lambda: rig.client.is_ready)
        assert [(number, type(error)) for number, error in rig.lost] == [(1, PbxProtocolError)]
        assert rig.events == []


async def test_a_frame_without_end_ends_the_epoch(pbx: FakePbx, rig: Rig) -> None:
    """What is no AMI any more is left, and a new connection is made."""
    pbx.sessions[0].say("Event: Hangup", "Uniqueid: " + "x" * 300_000)
    await until(lambda: len(rig.epochs) == 2)
    assert isinstance(rig.lost[0][1], PbxProtocolError)


async def test_a_stalled_consumer_does_not_stall_the_socket(pbx: FakePbx, rig: Rig) -> None:
    """With every consumer behind the queue asleep the PBX can write 20 MB, and replies still come."""
    session = pbx.sessions[0]
    event = ("Event: Hangup", "Uniqueid: 1", "Filler: " + "x" * 1000)
    for n in range(20_000):
        session.say(*event)
        if n % 500 == 0:
            async with asyncio.timeout(LIMIT_S):
                await session.writer.drain()
    await rig.client.send("CoreStatus")
    assert len(rig.events) == 20_000
    assert len(rig.epochs) == 1


async def test_a_consumer_that_raises_ends_the_epoch_and_not_the_client(pbx: FakePbx, rig: Rig) -> None:
    """A bug at one event costs a resync, which reads everything anew; the loop is told, and the client goes on."""
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    pbx.sessions[0].say("Event: Hangup", "Uniqueid: bad")
    await until(lambda: len(rig.epochs) == 2 and rig.client.is_ready)
    pbx.sessions[1].say("Event: Hangup", "Uniqueid: good")
    await until(lambda: [event["Uniqueid"] for event in rig.events] == ["good"])
    assert isinstance(reported[0]["exception"], LookupError)


async def test_an_action_given_up_by_its_caller_leaves_nothing_behind(pbx: FakePbx, rig: Rig) -> None:
    """A cancelled `send` forgets its id, and its reply is a late one."""
    asked: list[Action] = []
    pbx.answer = lambda _, action: asked.append(action)
    task = asyncio.create_task(rig.client.send_list("QueueStatus"))
    await until(lambda: asked)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    connection = rig.client._connection
    assert connection is not None
    assert not connection._pending
    assert not connection.decoder.tagged
    pbx.sessions[0].reply(asked[0])
    await until(lambda: connection.late_replies == 1)
