"""The calendars of a policy, kept up to date beside the running service."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog

from adapters.calendars.ics import CalendarError, Shifts, Unclear, read
from adapters.calendars.source import Copy, Place, fetch, keep, kept, read_file
from policies.rota import Shift
from policies.rules import Rules
from telephony.errors import Mistake
from telephony.ports import Clock
from telephony.settings import Settings
from telephony.settings.rota import with_calendars

EVERY_S = 900.0
AGAIN_S = 60.0
READ_S = 60.0
WEEKS = 17
_SHOWN = 5

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CalendarState:
    """How one calendar does.

    Attributes:
        rota: whose.
        good_at: when what serves was last known to be what the source has; None when nothing serves.
        problem: why a newer one could not be had, "" when it could.
        unclear: events of these weeks that say nothing.
        shifts: that serve.
    """

    rota: str
    good_at: datetime | None = None
    problem: str = ""
    unclear: tuple[Unclear, ...] = ()
    shifts: tuple[Shift, ...] = ()


class Calendars:
    """Reads the calendars that the rotas of a policy name.

    Args:
        settings: the policy.
        clock: for what "now" is.
        keeps: write the last good copies; a command that only looks does not, since the files are the service's.
    """

    def __init__(self, settings: Settings, clock: Clock, *, keeps: bool = True) -> None:
        self._clock = clock
        self._keeps = keeps
        self._asked = asyncio.Event()
        self._states: dict[str, CalendarState] = {}
        self._copies: dict[str, Copy] = {}
        self.follow(settings)

    def follow(self, settings: Settings) -> None:
        """Take another version of the policy; last good copies serve until its calendars have been looked at."""
        self._settings = settings
        people = {person: person for person in settings.people}
        folder = settings.path(settings.store.path).with_suffix(".calendars")
        self._places = [
            Place(
                rota=name,
                zone=ZoneInfo(rota.zone or settings.site.zone),
                names=people | rota.names,
                copy=folder / f"{name}.copy",
                file=settings.path(rota.calendar_file) if rota.calendar_file else None,
                url_file=settings.path(rota.calendar_url_file),
            )
            for name, rota in settings.rotas.items()
            if rota.has_calendar
        ]
        self.read(self._clock.now())
        self._asked.set()

    def read(self, at: datetime) -> None:
        """Take what was kept, for the weeks around `at`; nothing is fetched."""
        states = [_from_copy(place, self._copy(place), at, "it was not looked at yet") for place in self._places]
        self._states = {state.rota: state for state in states}

    def states(self) -> tuple[CalendarState, ...]:
        """Return how each calendar does."""
        return tuple(self._states.values())

    def into(self, rules: Rules) -> Rules:
        """Return the rules with the calendars' shifts in them."""
        return with_calendars(rules, self._shifts())

    async def run(self, changed: Callable[[], None]) -> None:
        """Refresh every quarter of an hour, and when asked, until cancelled.

        Args:
            changed: called, in the loop, when shifts are others than before.
        """
        while True:
            self._asked.clear()
            if await self.refresh():
                changed()
            again_s = AGAIN_S if any(state.problem for state in self.states()) else EVERY_S
            with suppress(TimeoutError):
                async with asyncio.timeout(again_s):
                    await self._asked.wait()

    def request(self) -> None:
        """Refresh now: for SIGHUP, in the loop."""
        self._asked.set()

    async def refresh(self) -> bool:
        """Look at every source once; return whether shifts are others than before."""
        places, before = self._places, self._shifts()
        found = await asyncio.gather(*(self._refresh(place) for place in places))
        if places is not self._places:  # another policy came meanwhile; its calendars are looked at next
            return False
        for state in found:
            _say(self._states.get(state.rota), state)
        self._states = {state.rota: state for state in found}
        return self._shifts() != before

    def doubts(self) -> tuple[Mistake, ...]:
        """Return what is wrong with the calendars, for an admin."""
        return tuple(doubt for state in self.states() for doubt in self._doubts(state))

    def _shifts(self) -> Mapping[str, tuple[Shift, ...]]:
        return {name: state.shifts for name, state in self._states.items()}

    async def _refresh(self, place: Place) -> CalendarState:
        now = self._clock.now()
        copy = await asyncio.to_thread(self._copy, place)
        try:
            mark = place.mark()
            if place.file is not None:
                fetched = await asyncio.to_thread(read_file, place.file)
            else:
                fetched = await fetch(place.where(), copy)
            text = fetched.text if fetched.text is not None else copy.text if copy is not None else b""
            async with asyncio.timeout(READ_S):
                shifts = await asyncio.to_thread(_read, place, text, now)
        except TimeoutError:
            last = self._states.get(place.rota, CalendarState(place.rota))
            return replace(last, problem="it takes too long to read")
        except CalendarError as error:
            return await asyncio.to_thread(_from_copy, place, copy, now, error.why)
        await self._keep(place, Copy(mark, now, fetched.etag, fetched.modified, text))
        return CalendarState(place.rota, now, "", shifts.unclear, shifts.shifts)

    def _copy(self, place: Place) -> Copy | None:
        try:
            mark = place.mark()
        except CalendarError:
            return None
        mine = self._copies.get(place.rota)
        return mine if mine is not None and mine.source == mark else kept(place.copy, mark)

    async def _keep(self, place: Place, copy: Copy) -> None:
        self._copies[place.rota] = copy
        if not self._keeps:
            return
        try:
            await asyncio.to_thread(keep, place.copy, copy)
        except OSError as error:
            _log.warning("calendar_not_kept", rota=place.rota, why=error.strerror)

    def _doubts(self, state: CalendarState) -> list[Mistake]:
        key = "calendar_file" if self._settings.rotas[state.rota].calendar_file else "calendar_url_file"
        path = f"rotas.{state.rota}.{key}"
        line = self._settings.line_near(path)
        found = []
        if state.problem:
            serves = f"the copy of {state.good_at:%Y-%m-%d %H:%M %Z} serves" if state.good_at else "nothing serves"
            remedy = "see whether the calendar is there, and is the right one"
            found.append(Mistake(path, line, f"{state.problem}; {serves}", remedy, "warning"))
        for event in state.unclear[:_SHOWN]:
            when = f"{event.at:%Y-%m-%d %H:%M %Z}" if event.at else "some time"
            words = f'event "{event.summary}" at {when}: {event.why}'
            remedy = f"name somebody of [people], or add the name to [rotas.{state.rota}.names]"
            found.append(Mistake(path, line, words, remedy, "warning"))
        return found


def _from_copy(place: Place, copy: Copy | None, at: datetime, problem: str) -> CalendarState:
    if copy is None:
        return CalendarState(place.rota, None, problem)
    try:
        shifts = _read(place, copy.text, at)
    except CalendarError as error:  # it could be read when it was kept: by another version of this service
        return CalendarState(place.rota, None, error.why)
    return CalendarState(place.rota, copy.at, problem, shifts.unclear, shifts.shifts)


def _read(place: Place, text: bytes, at: datetime) -> Shifts:
    # Whole weeks, so that the policy's version changes when the calendar does, and not with every look.
    day = at.astimezone(UTC).date()
    since = datetime.combine(day - timedelta(days=day.weekday() + 7), time(), UTC)
    return read(text, place.zone, place.names, since, since + timedelta(weeks=WEEKS))


def _say(before: CalendarState | None, now: CalendarState) -> None:
    if before is not None and replace(before, good_at=now.good_at) == now:
        return
    if now.problem:
        _log.warning("calendar_unavailable", rota=now.rota, why=now.problem, good_at=now.good_at)
    else:
        _log.info("calendar_read", rota=now.rota, shifts=len(now.shifts))
    for event in now.unclear[:_SHOWN]:
        _log.warning("calendar_unclear", rota=now.rota, at=event.at, summary=event.summary, why=event.why)
