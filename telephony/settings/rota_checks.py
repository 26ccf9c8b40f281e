"""Contradictions in who is on call: rotations, overrides, temporary schedules, calendars."""

from datetime import date, datetime, timedelta
from itertools import combinations
from zoneinfo import ZoneInfo

from telephony.settings.fields import in_clear, is_web_address
from telephony.settings.files import exists, secret
from telephony.settings.look import Look
from telephony.settings.model import KeyPath
from telephony.settings.people import known
from telephony.settings.rota import DAYS, WEEK, Override, Rota, Rotation, Temporary, at, handoff

_ENDS = "ends before it begins"
_LATER = "make until later than since"


def check(look: Look) -> None:
    """Look for everything of this file's kind."""
    used = {rota for plan in look.settings.pages.values() for step in plan.steps for rota in step.rotas}
    for name, rota in look.settings.rotas.items():
        path: KeyPath = ("rotas", name)
        _rota(look, path, rota)
        _calendar(look, path, rota)
        if name not in used and not look.is_broken("pages"):
            look.doubtful(path, "no plan of [pages] uses this rota", f'add rotas = ["{name}"] to a step, or remove it')


def _rota(look: Look, path: KeyPath, rota: Rota) -> None:
    if not rota.rotation and not rota.temporary and not rota.has_calendar and not look.is_broken(*path):
        look.wrong(path, "nobody is ever on call by this rota", f"add [[{'.'.join(map(str, path))}.rotation]]")
    for number, rotation in enumerate(rota.rotation):
        _rotation(look, (*path, "rotation", number), rotation)
    zone = ZoneInfo(rota.zone or look.settings.site.zone)
    for number, override in enumerate(rota.override):
        _override(look, (*path, "override", number), rota, override)
        _span(look, (*path, "override", number), zone, override.since, override.until)
    for number, temporary in enumerate(rota.temporary):
        _temporary(look, (*path, "temporary", number), zone, temporary)
    for one, other in combinations(range(len(rota.temporary)), 2):
        _apart(look, (*path, "temporary", other), zone, rota.temporary[one], rota.temporary[other])


def _rotation(look: Look, path: KeyPath, rotation: Rotation) -> None:
    if not rotation.people:
        look.wrong((*path, "people"), "nobody takes turns here", "name people of [people]")
    for index, person in enumerate(rotation.people):
        known(look, (*path, "people", index), "people", person)
    weekday, _ = handoff(rotation.handoff)
    if rotation.every % WEEK and weekday is not None:
        message = f"turns of {rotation.every} days do not always begin on the same weekday"
        look.wrong((*path, "handoff"), message, 'write the time alone, such as "08:00"')
    elif weekday is not None and rotation.start.weekday() != weekday:
        first = rotation.start + timedelta(days=(weekday - rotation.start.weekday()) % WEEK)
        message = f"{rotation.start} is a {_weekday(rotation.start)}, and hand-offs are on {DAYS[weekday]}"
        look.wrong((*path, "start"), message, f"write start = {first}, or another weekday in handoff")
    if rotation.until is not None and rotation.until <= rotation.start:
        look.wrong((*path, "until"), _ENDS, "make until later than start")


def _weekday(day: date) -> str:
    return DAYS[day.weekday()]


def _override(look: Look, path: KeyPath, rota: Rota, override: Override) -> None:
    given = [key for key in ("replace", "add", "remove") if getattr(override, key)]
    if len(given) != 1:
        message = "says several things" if given else "changes nothing"
        look.wrong(path, message, "give one of replace (with by), add and remove; further ones are further overrides")
    elif bool(override.by) != bool(override.replace):
        look.wrong(path, "replace and by go together", 'write replace = "anna" and by = "bo"')
    for key in ("replace", "by", "add", "remove"):
        if getattr(override, key):
            known(look, (*path, key), "people", getattr(override, key))
    gone = override.replace or override.remove
    on_call = {p for rotation in rota.rotation for p in rotation.people} | {o.add or o.by for o in rota.override}
    if rota.has_calendar or look.is_broken(*path[:2]) or not look.knows("people", gone):
        return
    if gone and gone not in on_call:
        key = "replace" if override.replace else "remove"
        look.doubtful((*path, key), f'"{gone}" is never on call by this rota', "name somebody of a rotation")


def _temporary(look: Look, path: KeyPath, zone: ZoneInfo, temporary: Temporary) -> None:
    if not _span(look, path, zone, temporary.since, temporary.until):
        return
    if not any(shift.people for shift in temporary.shifts):
        look.doubtful((*path, "shifts"), "nobody is on call while it holds", "add a shift with people")
    since, until = at(zone, temporary.since), at(zone, temporary.until)
    for number, shift in enumerate(temporary.shifts):
        where = (*path, "shifts", number)
        begins, ends = shift.since or temporary.since, shift.until or temporary.until
        if _span(look, where, zone, begins, ends) and (at(zone, begins) < since or at(zone, ends) > until):
            look.wrong(where, "is not within its temporary schedule", "move it, or make the schedule longer")
        for index, person in enumerate(shift.people):
            known(look, (*where, "people", index), "people", person)


def _span(look: Look, path: KeyPath, zone: ZoneInfo, since: datetime, until: datetime) -> bool:
    if at(zone, until) <= at(zone, since):
        look.wrong((*path, "until"), _ENDS, _LATER)
        return False
    return True


def _apart(look: Look, path: KeyPath, zone: ZoneInfo, one: Temporary, other: Temporary) -> None:
    if at(zone, one.since) < at(zone, other.until) and at(zone, other.since) < at(zone, one.until):
        message = f"overlaps the temporary schedule that begins {one.since:%Y-%m-%d %H:%M}"
        look.wrong(path, message, "only one can hold at a time: make one of them shorter, or make them one")


def _calendar(look: Look, path: KeyPath, rota: Rota) -> None:
    if rota.calendar_file and rota.calendar_url_file:
        look.wrong((*path, "calendar_url_file"), "there is a calendar_file too", "name one calendar")
    for called, person in rota.names.items():
        known(look, (*path, "names", called), "people", person)
    if rota.names and not rota.has_calendar:
        look.doubtful((*path, "names"), "is for a calendar, and there is none", "add calendar_file, or remove it")
    if rota.calendar_file and not exists(look.resolve(rota.calendar_file)):
        # No error: the last good copy serves, and a service that does not start would take the alarms with it.
        message = f"there is no file {rota.calendar_file}: the last good copy is used, if there is one"
        look.doubtful((*path, "calendar_file"), message, "put the calendar there")
    if rota.calendar_url_file:
        _url(look, (*path, "calendar_url_file"), rota.calendar_url_file)


def _url(look: Look, path: KeyPath, name: str) -> None:
    url = secret(look, path, name)
    if url and (not is_web_address(url) or in_clear(url)):  # it is a secret: it is not shown
        look.wrong(path, f"{name} holds no address that is safe to fetch", 'begin it with "https://" and a host')
