"""Promises about calls for pages: a person hears what it is, in their language, and only a key of theirs counts.

On a real Asterisk, with the prompts as they are shipped, and a phone that listens.
"""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from adapters.asterisk import procedures_page
from adapters.asterisk.pbx import AsteriskPbx
from adapters.asterisk.pbx_check import check_access
from adapters.paging.voice import VoiceChannel
from adapters.paging.voice_call import PAUSE, About, page_leg
from adapters.prompts.library import PromptLibrary
from policies.actions import StandDown
from policies.events import Event, MessageReported, PageAnswered, PagePassed, Report
from policies.rules import Severity
from telephony.settings.reach import PAGE_PROMPTS
from tests.asterisk.voice_process import message, voice_beside, voice_process
from tests.conftest import _lab
from tests.contract.asterisk_world import SIDE, access, site
from tests.lab import listening
from tests.lab.asterisk import Asterisk
from tests.lab.audio import RATE_HZ, Audio, read_wav, tone
from tests.lab.phone import Call
from tests.lab.raw import Ari, AriError
from tests.lab.waiting import until

pytestmark = pytest.mark.asterisk

PROMPTS = PromptLibrary(None)
NUMBER = "+4520304051"
SHOWN = "70200300"
DELIVERED, NO_KEY = (Report.DELIVERED, ""), (Report.FAILED, "hung up without an answer")


def prompt(name: str, language: str = "da") -> Audio:
    return read_wav(PROMPTS.find(name, language).path)


def times_heard(call: Call, name: str) -> int:
    """How often a prompt was heard whole."""
    heard, reference, count = listening.audio(call), prompt(name), 0
    while (found := listening.hearing(heard, reference)).whole:
        count += 1
        start = max(0, round(found.start_s * RATE_HZ))
        heard[start : start + len(reference)] = 0
    return count


class Night:
    """A voice channel beside a real PBX, and what it said.

    Attributes:
        lab: the PBX.
        pbx: the adapter.
        channel: what is tested.
        events: what it said.
    """

    def __init__(self, lab: Asterisk, pbx: AsteriskPbx, channel: VoiceChannel) -> None:
        self.lab, self.pbx, self.channel = lab, pbx, channel
        self.events: list[Event] = []

    @property
    def reports(self) -> list[tuple[Report, str]]:
        return [(e.report, e.detail) for e in self.events if isinstance(e, MessageReported)]

    @property
    def answers(self) -> list[tuple[type[Event], str, str, str]]:
        return [(type(e), e.page, e.by, e.means) for e in self.events if isinstance(e, (PageAnswered, PagePassed))]

    async def rings(self, answer: bool = True, **changed: object) -> Call:  # noqa: FBT001, FBT002 -- reads well here
        """Anna is rung, and picks up."""
        phone = await self.lab.phone("colleague", answer_after_s=0.0 if answer else None)
        await self.channel.tell(message(**changed))
        return await (phone.takes() if answer else phone.rings())

    async def stand_down(self, by: str) -> None:
        told = StandDown(id="a-9", page="p-1", incident="i-1", by=by, told=(("voice", "PJSIP/colleague", "da"),))
        await self.channel.tell_answered(told, "PJSIP/colleague", "da")


async def hears(call: Call, name: str, language: str = "da", within_s: float = 12.0, since: float = 0.0) -> None:
    await until(
        lambda: listening.heard_whole(call, prompt(name, language), since), within_s, f"{name} is heard in {language}"
    )


async def begins(call: Call) -> None:
    """Wait until something is heard."""
    await until(lambda: listening.heard_loud_at(call) is not None, 5, "the announcement begins")


async def plays(lab: Asterisk) -> set[int]:
    """Which of the things said in the call play now, by number; waits for the second one."""
    found: set[int] = set()

    async def look() -> bool:
        found.clear()
        for number in (1, 2):
            with contextlib.suppress(AriError):
                await ari.call("GET", f"playbacks/{page_leg('p-1.0')}.say-{number}")
                found.add(number)
        return 2 in found

    async with Ari(lab, app="looks-on") as ari:
        await until(look, 5, "the announcement begins anew")
    return found


async def says_last(lab: Asterisk) -> None:
    """Wait until the last words are said in the call, and it is noted at the leg that they are the last."""

    async def look() -> bool:
        variable = f"channels/{page_leg('p-1.0')}/variable?variable=BAGVAGT_PAGE"
        return bool((await ari.call("GET", variable))["value"] == "over")

    async with Ari(lab, app="looks-on") as ari:
        await until(look, 5, "the last words are said")


@pytest.fixture
async def lab() -> AsyncIterator[Asterisk]:
    """An Asterisk with the shipped prompts in the folder of its sounds."""
    root = _lab().path
    assert root is not None
    made = Asterisk(root, site())
    try:
        await made.start()
        for language in ("da", "sv", "fi"):
            (made.sounds / "bagvagt" / language).mkdir(parents=True)
            for name in PAGE_PROMPTS:
                shutil.copy(PROMPTS.find(name, language).path, made.sounds / "bagvagt" / language)
        (made.sounds / "bagvagt" / "tones").mkdir()
        shutil.copy(PROMPTS.find_tone(PAUSE).path, made.sounds / "bagvagt" / "tones")
        yield made
    finally:
        await made.close()


@contextlib.asynccontextmanager
async def night_at(lab: Asterisk, ring_s: float = 10.0) -> AsyncIterator[Night]:
    pbx, channel = voice_beside(access(lab), caller_id=SHOWN, ring_s=ring_s, repeat=2, key_s=1.0)
    night = Night(lab, pbx, channel)
    tasks = [asyncio.create_task(pbx.run(lambda _seen: None)), asyncio.create_task(channel.run(night.events.append))]
    try:
        yield night
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def night(lab: Asterisk) -> AsyncIterator[Night]:
    """A voice channel that runs beside it."""
    async with night_at(lab) as opened:
        yield opened


@pytest.mark.parametrize(
    ("language", "reason", "severity", "name"),
    [
        ("da", "call", Severity.ACUTE, "page-acute"),
        ("sv", "call", Severity.URGENT, "page-urgent"),
        ("fi", "drill", Severity.ACUTE, "page-drill"),
    ],
)
async def test_it_is_said_in_the_persons_language_and_1_takes_it(
    night: Night, language: str, reason: str, severity: Severity, name: str
) -> None:
    """The announcement and the keys are heard whole; 1 takes the page; that is heard whole, and it is hung up."""
    call = await night.rings(language=language, reason=reason, severity=severity)
    await hears(call, name, language)
    await hears(call, "page-keys", language)
    assert night.answers == []
    await call.press("1")
    await until(lambda: night.answers)
    assert night.answers == [(PageAnswered, "p-1", "anna", "voice")]
    await call.is_ended(8)
    await hears(call, "page-taken", language, 1)
    assert night.reports == [DELIVERED]
    other = "sv" if language == "da" else "da"
    assert listening.find(listening.audio(call), prompt("page-keys", other)).score < 0.3


async def test_a_voicemail_takes_no_page(night: Night) -> None:
    """It answers, plays its tone, records: all is said twice, it is hung up, and nothing counts as an answer."""
    await night.lab.phone("colleague", audio=tone(1000, level_dbfs=-20))
    await night.channel.tell(message())
    phone = night.lab._open_phones[-1]
    call = await phone.takes()
    await call.is_ended(25)
    assert times_heard(call, "page-acute") == 2
    assert times_heard(call, "page-keys") == 2
    await until(lambda: night.reports == [DELIVERED, NO_KEY])
    assert night.answers == []


@pytest.mark.parametrize("keys", ["3", "73"])
async def test_3_passes_it_on_and_keys_count_in_the_announcement(night: Night, keys: str) -> None:
    """Pressed in its first words, by a phone that sends nothing else; a wrong key before takes nothing away."""
    call = await night.rings()
    call.mute()
    await begins(call)
    await call.press(keys)
    await until(lambda: night.answers)
    assert night.answers == [(PagePassed, "p-1", "anna", "voice")]
    await call.is_ended(8)
    await hears(call, "page-passed", within_s=1)


async def test_a_key_pressed_at_once_counts(night: Night) -> None:
    """1 in the moment of picking up, before anything is heard."""
    call = await night.rings()
    await call.press("1")
    await until(lambda: night.answers)


@pytest.mark.parametrize(
    ("status", "detail"), [(486, "busy"), (603, "rejected"), (480, "no answer"), (503, "congestion"), (404, "no such")]
)
async def test_a_call_that_is_not_taken_is_reported(night: Night, status: int, detail: str) -> None:
    """Busy, rejected, not there, congested, no such number: failed at once, in words."""
    call = await night.rings(answer=False)
    call.reject(status, "No")
    await until(lambda: night.reports)
    assert [(report, detail in words) for report, words in night.reports] == [(Report.FAILED, True)], night.reports


async def test_stand_down_stops_the_ringing(night: Night) -> None:
    """Somebody has it: the phone is silent within a second, and is not rung to be told."""
    call = await night.rings(answer=False)
    await night.stand_down("bo")
    await call.is_ended(1)
    assert night.answers == []
    assert len(call.phone.calls) == 1


async def test_stand_down_is_heard_by_who_listens(night: Night) -> None:
    """In the middle of the announcement: it stops, somebody has it, and it is hung up."""
    call = await night.rings()
    await begins(call)
    await night.stand_down("bo")
    await call.is_ended(8)
    await hears(call, "page-has-somebody", within_s=1)
    assert times_heard(call, "page-keys") == 0
    assert night.answers == []


async def test_a_leg_that_is_there_is_not_made_again(night: Night) -> None:
    """The same message by somebody who knows nothing of the call: Asterisk itself refuses a second leg of that name."""
    call = await night.rings(answer=False)
    leg, about = page_leg("p-1.0"), About("p-1.0", "p-1", "anna", "PJSIP/colleague", "da", "page-acute")
    assert not await night.pbx.page_calls.place(leg, about, ring_s=5, caller_id="")
    assert list(await night.pbx.page_calls.standing()) == [leg]
    assert len(call.phone.calls) == 1


async def test_a_mobile_by_the_trunk(night: Night) -> None:
    """The number is dialled, the site's own is shown; who hangs up has not answered; no number is in the log."""
    trunk = await night.lab.trunk()
    with capture_logs() as logs:
        await night.channel.tell(message(address=f"PJSIP/{NUMBER}@caller"))
        call = await trunk.takes()
        assert call.invite is not None
        assert NUMBER in call.headers["to"]
        assert f"sip:{SHOWN}@" in call.headers["from"]
        assert '"Bagvagt"' in call.headers["from"]
        await begins(call)
        await call.hang_up()
        await until(lambda: night.reports == [DELIVERED, NO_KEY])
    assert NUMBER[1:] not in str(logs)
    assert NUMBER[1:] not in str(night.events)


async def test_an_address_that_goes_by_the_dialplan(night: Night) -> None:
    """Local/NUMBER@CONTEXT: the dialplan rings the phone, all is heard, and 1 counts."""
    call = await night.rings(address="Local/203@from-agent")
    await hears(call, "page-keys")
    await call.press("1")
    await until(lambda: night.answers)
    await call.is_ended(8)
    await hears(call, "page-taken", within_s=1)


async def test_pbx_check_names_who_could_not_be_rung(lab: Asterisk) -> None:
    """Who would be rung at an endpoint that is not there is named, and whether a Local address rings is said unseen."""
    people = {
        "anna": f"PJSIP/{NUMBER}@caller",
        "bo": f"PJSIP/{NUMBER}@trunk",
        "carl": "PJSIP/colleague",
        "dea": "Local/203@from-agent",
    }
    findings = [f for f in await check_access(access(lab), SIDE, people) if "rung" in f.what]
    assert [(f.severity, f.what) for f in findings] == [
        ("unseen", "whether dea can be rung by Local"),
        ("error", "Asterisk has no endpoint trunk, by which bo would be rung"),
    ]


async def test_a_lost_websocket(night: Night) -> None:
    """ARI is lost while the person listens: the call stays, the announcement begins anew, and 1 counts."""
    call = await night.rings()
    await hears(call, "page-acute")
    since = time.monotonic()
    night.pbx.ari.drop()
    await until(lambda: len(night.reports) == 2, 10, "the call is taken up again")
    await hears(call, "page-acute", since=since)
    await call.press("1")
    await until(lambda: night.answers)
    await call.is_ended(8)


async def test_a_prompt_that_the_pbx_lacks(night: Night) -> None:
    """Asterisk can play nothing: nobody is left with silence, and it is said why."""
    shutil.rmtree(night.lab.sounds / "bagvagt" / "da")
    call = await night.rings()
    await call.is_ended(8)
    assert night.reports == [DELIVERED, (Report.FAILED, "the PBX could not play the announcement")]


async def test_killed_while_somebody_listens(lab: Asterisk) -> None:
    """Killed with -9 in the middle: the next life begins the announcement anew, once, and 1 takes the page."""
    phone = await lab.phone("colleague")
    async with voice_process(access(lab), rings=True) as first:
        call = await phone.takes()
        await hears(call, "page-acute")
        await first.kill()
    assert not call.ended.is_set()
    since = time.monotonic()
    async with voice_process(access(lab)) as second:
        await until(lambda: second.said("MessageReported"), 15, "the call is taken up")
        assert await plays(lab) == {2}, "what the life before had it say is silenced"
        await hears(call, "page-acute", since=since)
        await call.press("1")
        await until(lambda: second.said("PageAnswered"))
        answer = second.said("PageAnswered")[0]
        assert (answer["page"], answer["by"], answer["means"]) == ("p-1", "anna", "voice")
        await call.is_ended(8)
    await hears(call, "page-taken", within_s=1, since=since)
    assert len(phone.calls) == 1


async def test_killed_while_it_says_thank_you(lab: Asterisk) -> None:
    """1 was pressed and taken in, then killed with -9: the next life does not alarm anew, it only hangs up."""
    phone = await lab.phone("colleague")
    async with voice_process(access(lab), rings=True) as first:
        call = await phone.takes()
        await begins(call)
        await call.press("1")
        await until(lambda: first.said("PageAnswered"))
        await says_last(lab)
        await first.kill()
        assert not call.ended.is_set()
    async with voice_process(access(lab)) as second:
        await call.is_ended(8)
        assert not second.said("MessageReported")


async def test_killed_while_it_rings(lab: Asterisk) -> None:
    """The phone rings on, and the next life takes the call up; who picks up while nobody serves is hung up at once."""
    phone = await lab.phone("colleague", answer_after_s=None)
    async with voice_process(access(lab), rings=True) as first:
        call = await phone.rings()
        await first.kill()
    async with voice_process(access(lab)) as second:
        assert not call.ended.is_set()
        call.answer()
        await hears(call, "page-acute")
        await second.kill()
    async with voice_process(access(lab)) as third:
        await until(lambda: third.said("MessageReported"), 15, "the call is taken up")
        await call.hang_up()
        await until(lambda: len(third.said("MessageReported")) > 1)
    async with voice_process(access(lab), rings=True) as fourth:
        call = await phone.rings()
        await fourth.kill()
    call.answer()
    await call.is_ended(3)


async def test_nobody_is_left_with_silence(lab: Asterisk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bagvagt dies and stays dead: the announcement is said to its end, and the PBX hangs up by itself."""
    monkeypatch.setattr(procedures_page, "ALIVE_S", 2)
    async with night_at(lab, ring_s=3.0) as night:
        call = await night.rings()
        await begins(call)
    await call.is_ended(25)
    assert times_heard(call, "page-keys") == 2
