"""The voice channel: what is said, what counts, what is reported, and what a PBX that fails makes of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.paging.pager import DeliveryUncertainError
from adapters.paging.voice_call import About, Heard, Standing
from policies.actions import Answer, ReplyTo
from policies.events import ChannelConnected, PageAnswered, PagePassed, Report
from policies.rules import Severity
from telephony.errors import (
    DeliveryDeferredError,
    DeliveryRefusedError,
    PbxRejectedError,
    PbxTimeoutError,
    PbxUnreachableError,
)
from tests.adapters.paging.voice_stage import ADDRESS, LEG, OTHER_LEG, VoiceStage, a_call, running
from tests.lab.waiting import until

ALARM = ("tone-pause", "page-acute", "page-keys")
NO_KEY = (Report.FAILED, "hung up without an answer")
DELIVERED = (Report.DELIVERED, "")


@pytest.fixture
async def stage() -> AsyncIterator[VoiceStage]:
    """A channel that runs; a key is waited for no time at all after the last word."""
    async with running(VoiceStage(key_s=0.01)) as made:
        yield made


@pytest.mark.parametrize(
    ("reason", "severity", "first"),
    [
        ("call", Severity.ACUTE, "page-acute"),
        ("no_call", Severity.ACUTE, "page-acute"),
        ("call", Severity.URGENT, "page-urgent"),
        ("call", Severity.NORMAL, "page-normal"),
        ("drill", Severity.ACUTE, "page-drill"),
        ("test", Severity.ACUTE, "page-test"),
        ("watch", Severity.ACUTE, "page-watch"),
    ],
)
async def test_what_is_said(stage: VoiceStage, reason: str, severity: Severity, first: str) -> None:
    """Rung with the number and time of policy; then what it is and what the keys mean, three times."""
    assert await stage.tell(reason=reason, severity=severity) == "rings"
    assert stage.caller.placed == [(LEG, 30.0, "70200300")]
    await stage.answered()
    assert stage.caller.said == [(LEG, ("tone-pause", first, "page-keys") * 3)]
    assert stage.reports == [DELIVERED]


@pytest.mark.parametrize(
    ("key", "event", "prompt"), [("1", PageAnswered, "page-taken"), ("3", PagePassed, "page-passed")]
)
async def test_a_key(stage: VoiceStage, key: str, event: type[PageAnswered | PagePassed], prompt: str) -> None:
    """The page is taken, or passed, before anything is said; then the confirmation is said whole."""
    await stage.tell()
    await stage.answered()
    stage.caller.happens(Heard.KEY, key)
    await until(lambda: stage.caller.said[-1] == (LEG, (prompt,)))
    made = stage.events[-1]
    assert isinstance(made, event)
    assert (made.page, made.by, made.means) == ("p-1-backup", "Anna", "voice")
    assert stage.caller.hung_up == []
    assert stage.caller.there[LEG].about is None, "another life of the service only hangs it up"
    stage.caller.happens(Heard.SAID)
    await until(lambda: stage.caller.hung_up == [LEG])
    assert stage.reports == [DELIVERED]


async def test_a_key_before_the_call_is_seen_to_be_up_counts(stage: VoiceStage) -> None:
    """Keys and answers may overtake each other: only a person presses 1."""
    await stage.tell()
    stage.caller.happens(Heard.KEY, "1")
    await until(lambda: any(isinstance(e, PageAnswered) for e in stage.events))


async def test_another_key_begins_anew(stage: VoiceStage) -> None:
    """7 means nothing."""
    await stage.tell()
    await stage.answered()
    stage.caller.happens(Heard.KEY, "7")
    await until(lambda: stage.caller.said == [(LEG, ALARM * 3)] * 2)
    assert not any(isinstance(e, PageAnswered | PagePassed) for e in stage.events)


async def test_the_end_of_the_words_before_is_not_that_of_the_confirmation(stage: VoiceStage) -> None:
    """1 at the very end of the announcement: the confirmation is said whole all the same."""
    await stage.tell()
    await stage.answered()
    stage.caller.happens(Heard.KEY, "1")
    stage.caller.happens(Heard.SAID)  # of the announcement
    await until(lambda: stage.caller.said[-1] == (LEG, ("page-taken",)))
    with pytest.raises(TimeoutError):
        await until(lambda: stage.caller.hung_up, 0.5)


async def test_nobody_presses_a_key(stage: VoiceStage) -> None:
    """After the last word, and a moment more, it is hung up: failed, so that the next channel need not wait."""
    await stage.tell()
    await stage.answered()
    stage.caller.happens(Heard.SAID)
    await until(lambda: stage.caller.hung_up == [LEG])
    assert stage.reports == [DELIVERED, NO_KEY]
    assert await stage.tell() == "rings", "the call is over: the same message may ring again"


@pytest.mark.parametrize("up", [False, True])
async def test_the_end_of_a_call(stage: VoiceStage, up: bool) -> None:  # noqa: FBT001 -- a table
    """Busy before the answer is busy; an end after it is one without an answer, also where it breaks off what plays."""
    await stage.tell()
    if up:
        await stage.answered()
        stage.caller.happens(Heard.NOT_SAID)
    stage.caller.happens(Heard.GONE, "busy")
    await until(lambda: stage.reports == ([DELIVERED, NO_KEY] if up else [(Report.FAILED, "busy")]))
    assert stage.caller.hung_up == []


async def test_a_pbx_that_cannot_play_is_reported(stage: VoiceStage) -> None:
    """Nobody is left with silence: hung up, and failed with the reason."""
    await stage.tell()
    await stage.answered()
    stage.caller.happens(Heard.NOT_SAID)
    await until(lambda: stage.caller.hung_up == [LEG])
    assert stage.reports[-1] == (Report.FAILED, "the PBX could not play the announcement")


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (PbxUnreachableError("POST /channels", "no connection"), DeliveryDeferredError),
        (PbxRejectedError("POST /channels", "no such endpoint"), DeliveryRefusedError),
    ],
)
async def test_a_call_that_is_not_placed(stage: VoiceStage, error: Exception, raised: type[Exception]) -> None:
    """The PBX is away: deferred. It says no: refused. Either way nothing is left of the call."""
    stage.caller.fails["place"] = error  # type: ignore[assignment]  # both are
    with pytest.raises(raised):
        await stage.tell()
    assert await stage.tell() == "rings"


async def test_a_call_of_which_nobody_knows_is_followed(stage: VoiceStage) -> None:
    """No reply: uncertain. The phone may ring: sent again, nobody is rung twice, and 1 counts."""
    stage.caller.fails["place"] = PbxTimeoutError("POST /channels", "no answer")
    with pytest.raises(DeliveryUncertainError):
        await stage.tell()
    assert await stage.tell(attempt=2) == "is being rung for it already"
    assert len(stage.caller.placed) == 1
    await stage.answered()
    stage.caller.happens(Heard.KEY, "1")
    await until(lambda: any(isinstance(e, PageAnswered) for e in stage.events))


async def test_whoever_asked_has_gone(stage: VoiceStage) -> None:
    """The pager's deadline passes while the PBX is slow: the call is followed all the same."""
    stage.caller.blocks.clear()
    telling = asyncio.create_task(stage.tell())
    await until(lambda: stage.channel._talks)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    stage.caller.blocks.set()
    await until(lambda: stage.caller.placed)
    await stage.answered()


async def test_without_a_pbx_it_is_deferred(stage: VoiceStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PBX that stays away: the message is tried again, and is not lost."""
    monkeypatch.setattr("adapters.paging.voice._PBX_S", 0.01)
    await until(lambda: stage.channel.is_connected)
    stage.caller.go_down()
    await until(lambda: not stage.channel.is_connected)
    with pytest.raises(DeliveryDeferredError, match="cannot be reached"):
        await stage.tell()
    stage.caller.come_up()
    await until(lambda: stage.channel.is_connected)
    connected = [e.channel for e in stage.events if isinstance(e, ChannelConnected)]
    assert connected == ["voice", "voice"], "what was deferred is sent at once, and not at its next try"
    assert await stage.tell() == "rings"


async def test_only_acute_calls_get_more_than_their_share() -> None:
    """Two calls are under way: a normal one waits, an acute one rings; and so for somebody who is on the phone."""
    async with running(VoiceStage(most_calls=2)) as stage:
        normal = {"severity": Severity.NORMAL}
        await stage.tell(message="p-1-backup.0", **normal)
        with pytest.raises(DeliveryDeferredError, match="something else"):
            await stage.tell(message="p-3-backup.0", **normal)
        await stage.tell(message="p-2-backup.0", address="PJSIP/bo", **normal)
        with pytest.raises(DeliveryDeferredError, match="as many calls") as deferred:
            await stage.tell(message="p-3-backup.0", address="PJSIP/carl", **normal)
        assert deferred.value.retry_after_s == 10.0
        assert await stage.tell(message="p-4-backup.0") == "rings"


@pytest.mark.parametrize(("by", "said"), [("Bo", [("page-has-somebody",)]), ("Anna", [("page-taken",)]), ("", [])])
async def test_stand_down(stage: VoiceStage, by: str, said: list[tuple[str, ...]]) -> None:
    """Who listens hears who has it: somebody, or they themselves; a test that lapsed just ends. Others go on."""
    await stage.tell()
    await stage.tell(message="p-2-backup.0", page="p-2-backup", address="PJSIP/bo")
    await stage.answered()
    assert await stage.stand_down(by) == "the call is ended"
    if said:
        await until(lambda: len(stage.caller.said) > 1)
        stage.caller.happens(Heard.SAID)
    await until(lambda: stage.caller.hung_up == [LEG])
    assert [prompts for _leg, prompts in stage.caller.said[1:]] == said
    assert list(stage.caller.there) == [OTHER_LEG]


async def test_stand_down_while_the_call_is_being_placed(stage: VoiceStage) -> None:
    """Taken in the very moment: the phone rings no longer than the PBX takes to answer."""
    stage.caller.blocks.clear()
    telling = asyncio.create_task(stage.tell())
    await until(lambda: stage.channel._talks)
    await stage.stand_down("Bo")
    stage.caller.blocks.set()
    assert await telling == "rings"
    await until(lambda: stage.caller.hung_up == [LEG])


async def test_nobody_is_rung_to_be_told(stage: VoiceStage) -> None:
    """No call of this page to this address: nothing is done."""
    await stage.tell()
    assert await stage.stand_down("Bo", "PJSIP/somebody-else") == "no call to end"
    assert stage.caller.hung_up == []
    assert len(stage.caller.placed) == 1


async def test_two_who_take_it_at_once(stage: VoiceStage) -> None:
    """Anna pressed 1, and Bo was first: what she hears last is the truth."""
    await stage.tell()
    await stage.answered()
    stage.caller.happens(Heard.KEY, "1")
    await stage.stand_down("Bo")
    await until(lambda: stage.caller.said[-1] == (LEG, ("page-has-somebody",)))


async def test_the_connection_is_lost_while_somebody_listens(stage: VoiceStage) -> None:
    """Found again, and up: the announcement begins anew, and 1 counts."""
    await stage.tell()
    await stage.answered()
    stage.caller.go_down()
    await until(lambda: not stage.channel._talks[LEG].is_followed)
    stage.caller.there[LEG] = Standing(LEG, None, is_up=True)
    stage.caller.come_up()
    await until(lambda: len(stage.caller.said) == 2)
    stage.caller.happens(Heard.KEY, "1")
    await until(lambda: any(isinstance(e, PageAnswered) for e in stage.events))


@pytest.mark.parametrize("by", ["Bo", None])
async def test_a_call_that_ended_unseen(stage: VoiceStage, by: str | None) -> None:
    """It ended while the PBX could not be seen: failed. And one whose page was taken meanwhile is hung up."""
    await stage.tell()
    stage.caller.go_down()
    await until(lambda: not stage.channel._talks[LEG].is_followed)
    if by is None:
        del stage.caller.there[LEG]
    else:
        await stage.stand_down(by)
    stage.caller.come_up()
    await until(lambda: not stage.channel._talks)
    assert stage.caller.hung_up == ([LEG] if by else [])
    gone = (Report.FAILED, "the call ended while the PBX could not be seen")
    assert stage.reports == ([] if by else [gone])


async def test_another_life_of_the_service() -> None:
    """Calls of the life before: who listens hears it anew; what cannot be read is hung up."""
    stage = VoiceStage()
    about = About("p-1-backup.0", "p-1-backup", "Anna", ADDRESS, "sv", "page-drill")
    stage.caller.there = {LEG: Standing(LEG, about, is_up=True), OTHER_LEG: Standing(OTHER_LEG, None, is_up=True)}
    async with running(stage):
        await until(lambda: stage.caller.said == [(LEG, ("tone-pause", "page-drill", "page-keys") * 3)])
        assert stage.caller.hung_up == [OTHER_LEG]
        assert await stage.tell() == "is being rung for it already"
        stage.caller.happens(Heard.KEY, "3")
        await until(lambda: any(isinstance(e, PagePassed) for e in stage.events))


async def test_a_page_that_was_taken_before_its_call_is_seen() -> None:
    """After a restart the stand-down comes before the PBX can be seen: the phone stops ringing as soon as it can."""
    stage = VoiceStage()
    stage.caller.go_down()
    about = About("p-1-backup.0", "p-1-backup", "Anna", ADDRESS, "da", "page-acute")
    stage.caller.there = {LEG: Standing(LEG, about, is_up=False)}
    async with running(stage):
        assert await stage.stand_down("Bo") == "no call to end"
        stage.caller.come_up()
        await until(lambda: stage.caller.hung_up == [LEG])


async def test_a_pbx_that_cannot_be_read_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of calls could not be had: asked for again, and then messages go out."""
    monkeypatch.setattr("adapters.paging.voice._AGAIN_S", 0.01)
    stage = VoiceStage()
    stage.caller.fails["standing"] = PbxTimeoutError("GET /channels", "no answer")
    async with running(stage):
        assert await stage.tell() == "rings"


async def test_a_command_that_fails_is_tried_again(stage: VoiceStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The PBX did not answer one command, and is there: what was to be said is said, and it is hung up at last."""
    monkeypatch.setattr("adapters.paging.voice._AGAIN_S", 0.01)
    stage.caller.fails["say"] = PbxTimeoutError("POST /play", "no answer")
    stage.caller.fails["hang_up"] = PbxTimeoutError("DELETE /channels", "no answer")
    await stage.tell()
    await stage.answered()
    stage.caller.happens(Heard.KEY, "1")
    await until(lambda: stage.caller.said[-1] == (LEG, ("page-taken",)))
    stage.caller.happens(Heard.SAID)
    await until(lambda: stage.caller.hung_up == [LEG])
    assert len([e for e in stage.events if isinstance(e, PageAnswered)]) == 1


@pytest.mark.parametrize(
    ("language", "spoken"), [("sv", "sv"), ("da-DK", "da"), ("no", "nb"), ("nn", "nb"), ("de", "en"), ("??", "en")]
)
async def test_the_language(stage: VoiceStage, language: str, spoken: str) -> None:
    """The person's own; one near it; English where there is none."""
    await stage.tell(language=language)
    about = stage.caller.there[LEG].about
    assert about is not None
    assert about.language == spoken


async def test_a_damaged_recording_does_not_silence_an_alarm(tmp_path: Path) -> None:
    """The site's own Danish recording is damaged: English is better than nothing. All of it is damaged: refused."""
    for language in ("da", "en"):
        (tmp_path / language).mkdir()
    (tmp_path / "da" / "page-keys.wav").write_bytes(b"")
    async with running(VoiceStage(tmp_path)) as stage:
        await stage.tell()
        about = stage.caller.there[LEG].about
        assert about is not None
        assert about.language == "en"
        (tmp_path / "en" / "page-keys.wav").write_bytes(b"")
        with pytest.raises(DeliveryRefusedError, match="page-acute"):
            await stage.tell(message="p-2-backup.0")


async def test_no_number_is_logged(stage: VoiceStage) -> None:
    """Neither the log nor what the pager keeps has the number."""
    with capture_logs() as logs:
        said = await stage.tell()
        await stage.answered()
        stage.caller.happens(Heard.GONE, "hung up")
        await until(lambda: len(stage.reports) > 1)
    assert logs
    assert "20304051" not in f"{said} {logs} {stage.events}"
    assert "20304051" not in repr(stage.caller.there)


async def test_a_reply_is_refused(stage: VoiceStage) -> None:
    """Nobody replies by voice but in the call."""
    with pytest.raises(DeliveryRefusedError):
        await stage.channel.reply(
            ReplyTo(id="r", channel="voice", address=ADDRESS, language="da", answer=Answer.UNCLEAR)
        )


async def test_a_message_in_hand_is_the_same_call(stage: VoiceStage) -> None:
    """A retry with another action's id and the same message's: nobody is rung twice."""
    assert await stage.channel.tell(a_call(id="a-1")) == "rings"
    assert await stage.channel.tell(a_call(id="a-2", attempt=2)) == "is being rung for it already"
    assert len(stage.caller.placed) == 1
