"""What every PBX adapter owes a call about a page: it rings, speaks, takes keys, and ends; nothing else counts."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from adapters.paging.voice import VoiceChannel, VoiceConfig
from adapters.prompts.library import PromptLibrary
from policies.actions import Notify, StandDown
from policies.events import Event, MessageReported, PageAnswered, PagePassed, Report
from policies.rules import Severity
from telephony.errors import DeliveryRefusedError
from tests.contract.asterisk_world import RealClock
from tests.contract.world import Answers, Person, World
from tests.lab.waiting import until

ADDRESS = "PJSIP/colleague"
WITHIN_S = 20.0
DELIVERED, NO_KEY = (Report.DELIVERED, ""), (Report.FAILED, "hung up without an answer")


class Ward:
    """A voice channel over the world's PBX, and what it said."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.events: list[Event] = []
        self.channel = VoiceChannel(
            VoiceConfig(ring_s=2.0, repeat=2, key_s=0.2),
            world.page_calls,
            PromptLibrary(world.prompts_folder),
            RealClock(),
        )

    @property
    def reports(self) -> list[tuple[Report, str]]:
        return [(e.report, e.detail) for e in self.events if isinstance(e, MessageReported)]

    @property
    def answers(self) -> list[tuple[type[Event], str, str, str]]:
        return [(type(e), e.page, e.by, e.means) for e in self.events if isinstance(e, (PageAnswered, PagePassed))]

    async def tell(self, address: str = ADDRESS, number: int = 0) -> str:
        return await self.channel.tell(
            Notify(
                id=f"a{number}",
                page="p-1",
                incident="i-1",
                reason="call",
                severity=Severity.ACUTE,
                person="anna",
                channel="voice",
                address=address,
                language="da",
                step=0,
                attempt=1,
                message=f"p-1.{number}",
            )
        )

    async def stand_down(self, by: str) -> str:
        told = StandDown(id="a9", page="p-1", incident="i-1", by=by, told=(("voice", ADDRESS, "da"),))
        return await self.channel.tell_answered(told, ADDRESS, "da")

    async def called(self, answers: Answers = "at_once") -> Person:
        """Anna is rung, and hears the announcement."""
        anna = await self.world.seat("colleague", answers)
        assert await self.tell() == "rings"
        await self.until(lambda: anna.has_heard_any("page-acute"))
        return anna

    async def until(self, condition: Callable[[], object]) -> None:
        await self.world.until(condition, WITHIN_S)

    async def no_call_stands(self) -> None:
        async def look() -> bool:
            return not await self.world.page_calls.standing()

        await until(look, WITHIN_S)


@pytest.fixture
async def ward(world: World) -> AsyncIterator[Ward]:
    """A voice channel that runs."""
    made = Ward(world)
    running = asyncio.create_task(made.channel.run(made.events.append))
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    ("key", "event", "prompt"), [("1", PageAnswered, "page-taken"), ("3", PagePassed, "page-passed")]
)
async def test_a_key_counts_while_the_announcement_plays(ward: Ward, key: str, event: type[Event], prompt: str) -> None:
    """1 takes the page, 3 passes it on, whenever it is pressed; the person hears that, and is hung up."""
    anna = await ward.called()
    await anna.press(key)
    await ward.until(lambda: ward.answers)
    assert ward.answers == [(event, "p-1", "anna", "voice")]
    await ward.until(lambda: anna.has_heard(prompt))
    await ward.until(lambda: not anna.is_in_call)
    assert ward.reports == [DELIVERED]


async def test_a_voicemail_takes_no_page(ward: Ward) -> None:
    """Who presses nothing hears it all, and is hung up: delivered, and failed; never answered."""
    anna = await ward.called()
    await ward.until(lambda: anna.has_heard("page-acute") and anna.has_heard("page-keys"))
    await ward.until(lambda: not anna.is_in_call)
    await ward.until(lambda: ward.reports == [DELIVERED, NO_KEY])
    assert ward.answers == []


async def test_who_hangs_up_without_a_key_has_not_answered(ward: Ward) -> None:
    """Picking up is no answer."""
    anna = await ward.called()
    await anna.hang_up()
    await ward.until(lambda: ward.reports == [DELIVERED, NO_KEY])
    assert ward.answers == []


async def test_a_wrong_key_begins_anew(ward: Ward) -> None:
    """7 means nothing: the announcement begins anew, and 1 still counts."""
    anna = await ward.called()
    await anna.press("7")
    await ward.until(lambda: ward.reports == [DELIVERED, DELIVERED])
    anna.listen_anew()
    await ward.until(lambda: anna.has_heard("page-acute"))
    await anna.press("1")
    await ward.until(lambda: ward.answers)


@pytest.mark.parametrize(("answers", "detail"), [("busy", "busy"), ("never", "no answer")])
async def test_who_does_not_pick_up(ward: Ward, answers: Answers, detail: str) -> None:
    """Busy, or nobody there: failed, and never delivered."""
    await ward.world.seat("colleague", answers)
    await ward.tell()
    await ward.until(lambda: ward.reports)
    assert ward.reports == [(Report.FAILED, detail)]


async def test_an_address_that_the_pbx_does_not_know_is_refused(ward: Ward) -> None:
    """Refused at once, without the number in it."""
    with pytest.raises(DeliveryRefusedError) as refused:
        await ward.tell("PJSIP/+4520304051@nowhere")
    assert "4520304051" not in f"{refused.value} {refused.value.detail}"
    assert await ward.world.page_calls.standing() == {}


async def test_a_message_rings_once(ward: Ward) -> None:
    """The same message again, while the phone rings for it: nobody is rung a second time."""
    await ward.world.seat("colleague", "never")
    assert await ward.tell() == "rings"
    assert await ward.tell() == "is being rung for it already"
    assert len(await ward.world.page_calls.standing()) == 1


async def test_stand_down_while_it_rings(ward: Ward) -> None:
    """Somebody has it: the phone stops ringing at once."""
    await ward.world.seat("colleague", "never")
    await ward.tell()
    await ward.stand_down("bo")
    await ward.no_call_stands()
    assert ward.reports == []


@pytest.mark.parametrize(("by", "prompt"), [("bo", "page-has-somebody"), ("anna", "page-taken")])
async def test_stand_down_while_somebody_listens(ward: Ward, by: str, prompt: str) -> None:
    """Who listens hears that somebody has it, or that it is theirs (by another channel), and is hung up."""
    anna = await ward.called()
    await ward.stand_down(by)
    await ward.until(lambda: anna.has_heard(prompt))
    await ward.until(lambda: not anna.is_in_call)
    assert ward.answers == []


async def test_a_test_that_lapsed_just_ends(ward: Ward) -> None:
    """Nobody has it, and nothing is said."""
    anna = await ward.called()
    anna.listen_anew()
    await ward.stand_down("")
    await ward.until(lambda: not anna.is_in_call)
    assert not anna.has_heard_any("page-has-somebody")
    assert not anna.has_heard_any("page-taken")


async def test_another_life_of_the_service_goes_on(ward: Ward) -> None:
    """The channel dies while the person listens: another one finds the call, begins anew, and 1 counts."""
    anna = await ward.called()
    other = Ward(ward.world)
    running = asyncio.create_task(other.channel.run(other.events.append))
    try:
        await ward.until(lambda: other.reports == [DELIVERED])
        anna.listen_anew()
        await ward.until(lambda: anna.has_heard("page-acute"))
        await anna.press("1")
        await ward.until(lambda: other.answers)
        assert other.answers == [(PageAnswered, "p-1", "anna", "voice")]
        await ward.until(lambda: not anna.is_in_call)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
