"""Contradictions in what policy allows: kinds, keys, handoffs, prompts, hours."""

import ipaddress
from collections import defaultdict
from itertools import combinations

from telephony.settings.fields import span
from telephony.settings.look import Look
from telephony.settings.model import KeyPath
from telephony.settings.numbers import is_emergency
from telephony.settings.people import known
from telephony.settings.policy import Chief, Colleague, Key, Kind
from telephony.settings.reach import PAGE_PROMPTS
from telephony.settings.wording import did_you_mean

_NEEDS_KIND = ("warn", "flag")
_HAS_NO_KIND = ("colleague", "chief", "back")
_TAKEOVER = "brief-takeover"  # the core plays `brief-takeover-warned` instead when the caller was warned


def check(look: Look) -> None:
    """Look for everything of this file's kind."""
    for name, kind in look.settings.kinds.items():
        _kind(look, name, kind)
    for name, key in look.settings.keys.items():
        _key(look, name, key)
    _nothing_to_press(look)
    _codes(look)
    for role, handoff in (("colleague", look.settings.handoff.colleague), ("chief", look.settings.handoff.chief)):
        _then(look, role, handoff)
    _chain(look)
    _hours(look)
    _networks(look)
    _prompts(look)


def _kind(look: Look, name: str, kind: Kind) -> None:
    at = ("kinds", name)
    if kind.latched:
        _latched(look, at, kind)
    if kind.may_end and kind.warnings and not kind.warning:
        message = f"needs {kind.warnings} warning(s) before the call may be ended, and has no prompt for it"
        look.wrong((*at, "warning"), message, 'name the prompt, such as warning = "warning"')
    if kind.may_end and not kind.closing:
        message = "may be ended, and the caller would hear nothing before the line goes dead"
        look.wrong((*at, "closing"), message, 'name the prompt, such as closing = "closing"')
    if kind.may_end and kind.warnings and kind.wait_s >= kind.warning_lasts_s:
        message = f"a warning lasts {kind.warning_lasts_s:g} s and the end key waits {kind.wait_s:g} s: it never works"
        look.wrong((*at, "wait_s"), message, "make wait_s much shorter than warning_lasts_s")
    if kind.may_end and kind.warnings == 0:
        message = "a caller of this kind is cut off without any warning"
        look.doubtful((*at, "warnings"), message, "set warnings = 1, unless that is what the workplace wants")
    if kind.page:
        known(look, (*at, "page"), "pages", kind.page)


def _latched(look: Look, at: KeyPath, kind: Kind) -> None:
    if kind.may_end:
        message = "an acute (latched) kind cannot be one that may be ended"
        look.wrong((*at, "may_end"), message, "set may_end = false, or latched = false")
    if not kind.page:
        message = "an acute (latched) kind pages nobody: the key would call no backup"
        look.wrong((*at, "page"), message, 'name a plan of [pages], such as page = "backup"')
    if kind.break_s == 0:
        message = "no break after an acute call"
        look.doubtful((*at, "break_s"), message, "give the agent time: break_s = 1800 is half an hour")
    if "severity" in kind.model_fields_set and kind.severity != "acute":
        message = f'the page of an acute (latched) kind is always "acute", never "{kind.severity}"'
        look.doubtful((*at, "severity"), message, 'write severity = "acute", or leave it out')


def _key(look: Look, name: str, key: Key) -> None:
    at = ("keys", name, "kind")
    if key.does in _NEEDS_KIND and not key.kind:
        look.wrong(at, f'a key that does "{key.does}" must say which kind it marks', "add kind = …")
    elif key.kind and key.does in _HAS_NO_KIND:
        look.wrong(at, f'a key that does "{key.does}" marks no kind', "remove kind, or make it a flag key of its own")
    elif key.kind and not look.knows("kinds", key.kind):
        hint = did_you_mean(key.kind, look.names("kinds"))
        look.wrong(at, f'there is no kind "{key.kind}"', f"add [kinds.{key.kind}]{hint}")
    kind = look.settings.kinds.get(key.kind)
    if kind is None:
        return
    if kind.latched and key.does != "flag":
        message = f'"{key.kind}" is acute: this key starts the acute procedure and never does "{key.does}"'
        look.doubtful(("keys", name, "does"), message, 'write does = "flag"')
    elif key.does == "warn" and not kind.warning:
        look.doubtful(at, f'"{key.kind}" has no warning prompt for this key to play', 'write does = "flag"')
    elif key.does == "end" and not kind.may_end:
        look.wrong(at, f'this key ends calls of kind "{key.kind}", which may not be ended', 'write does = "flag"')


def _nothing_to_press(look: Look) -> None:
    for section in ("kinds", "keys"):
        if not look.names(section) and not look.is_broken(section):
            look.doubtful((section,), f"there are no {section}: nothing can be done in a call", f"add [{section}.…]")


def _codes(look: Look) -> None:
    for what in ("code", "speed_dial"):
        used: dict[str, list[str]] = defaultdict(list)
        for name, key in look.settings.keys.items():
            if getattr(key, what):
                used[getattr(key, what)].append(name)
        for digits, names in used.items():
            for other in names[1:]:
                message = f"{digits} is the {what.replace('_', ' ')} of key {names[0]} too"
                look.wrong(("keys", other, what), message, "give each key its own")
            if what == "speed_dial" and is_emergency(digits):
                message = f"{digits} is an emergency or public service number: it must reach that, always"
                look.wrong(("keys", names[0], what), message, "use an internal number such as 8591")
        if what == "code":
            _prefixes(look, used)


def _prefixes(look: Look, used: dict[str, list[str]]) -> None:
    for first, second in combinations(sorted(used, key=len), 2):
        if second.startswith(first) and first != second:
            message = f"{second} begins with {first}, the code of key {used[first][0]}, which the PBX would take first"
            look.wrong(("keys", used[second][0], "code"), message, "use codes of the same length")


def _then(look: Look, role: str, handoff: Colleague | Chief) -> None:
    at = ("handoff", role, "then")
    if handoff.then.startswith("page:"):
        known(look, at, "pages", handoff.then.removeprefix("page:"))
    elif handoff.then == "chief" and role == "chief":
        look.wrong(at, "nobody of the chief's chain came, and the chief is rung again", 'use "" or "page:<plan>"')
    elif handoff.then == "chief":
        if not look.settings.handoff.chief.chain and not look.is_broken("handoff", "chief"):
            look.wrong(at, "the chief is rung next, and there is no chief", "add chain = […] to [handoff.chief]")
    elif handoff.then:
        allowed = '"" (the agent is told), "chief" or "page:<plan>"'
        look.wrong(at, f'"{handoff.then}" is not something that can follow', f"use {allowed}")


def _chain(look: Look) -> None:
    chiefs = look.settings.handoff.chief.chain
    for number, chief in enumerate(chiefs):
        at = ("handoff", "chief", "chain", number, "endpoint")
        _rings_person(look, at, chief.endpoint)
        if chief.endpoint in [c.endpoint for c in chiefs[:number]]:
            look.doubtful(at, f"{chief.endpoint} is rung twice", "remove one")
    for name, person in look.settings.people.items():
        for rung, endpoint in (("phone", person.phone), ("voice", person.voice)):
            if endpoint:
                _rings_person(look, ("people", name, rung), endpoint)
    for name, key in look.settings.keys.items():
        if key.does == "chief" and not chiefs and not look.is_broken("handoff"):
            message = "this key rings the chief, and there is no chief"
            look.wrong(("keys", name, "does"), message, "add chain = […] to [handoff.chief]")


def _rings_person(look: Look, at: KeyPath, endpoint: str) -> None:
    if is_emergency(endpoint.split("/", 1)[1].split("@", maxsplit=1)[0]):
        message = f"{endpoint} rings an emergency or public service number"
        look.wrong(at, message, "ring a person; 112 is for people to call")


def _hours(look: Look) -> None:
    week = look.settings.office_hours
    days = {day: [span(s) for s in getattr(week, day)] for day in type(week).model_fields}
    if not any(days.values()):
        message = "the office is never open: every page goes out as outside office hours"
        look.doubtful(("office_hours",), message, 'add the days, such as mon = ["08:00-16:00"]')
    for day, spans in days.items():
        for (_, closes), (opens, _) in zip(sorted(spans), sorted(spans)[1:], strict=False):
            if opens < closes:
                look.doubtful(("office_hours", day), "two spans of this day overlap", "write them as one")


def _networks(look: Look) -> None:
    for number, network in enumerate(look.settings.http.action_url_from):
        if ipaddress.ip_network(network).prefixlen == 0:
            message = f"{network} is everybody: action URLs would be taken from anywhere"
            look.doubtful(("http", "action_url_from", number), message, "name the networks of the desk phones")


def _prompts(look: Look) -> None:
    if look.prompts_missing is None:
        return
    settings = look.settings
    wanted = _prompts_wanted(look)
    folder = look.resolve(settings.prompts.folder) if settings.prompts.folder else None
    for name, language in look.prompts_missing(folder, tuple(wanted), settings.languages):
        message = f'prompt "{name}" is missing or damaged in language "{language}", which is used'
        remedy = f"record it and run: bagvagt prompts import FILE --name {name} --language {language}"
        look.wrong(wanted[name], message, remedy)


def _prompts_wanted(look: Look) -> dict[str, KeyPath]:
    """Return every prompt that may have to be played, with the key that first names it."""
    settings = look.settings
    wanted: dict[str, KeyPath] = {}
    warns = {key.kind for key in settings.keys.values() if key.does == "warn"}
    for name, kind in settings.kinds.items():
        if kind.warning and not kind.latched and (kind.may_end or name in warns):
            wanted.setdefault(kind.warning, ("kinds", name, "warning"))
        if kind.closing and kind.may_end:
            wanted.setdefault(kind.closing, ("kinds", name, "closing"))
    for role, handoff in (("colleague", settings.handoff.colleague), ("chief", settings.handoff.chief)):
        if handoff.brief:
            wanted.setdefault(handoff.brief, ("handoff", role, "brief"))
        if handoff.brief == _TAKEOVER:
            wanted.setdefault(f"{_TAKEOVER}-warned", ("handoff", role, "brief"))
    for number, chief in enumerate(settings.handoff.chief.chain):
        if chief.confirm:
            wanted.setdefault("brief-confirm", ("handoff", "chief", "chain", number, "confirm"))
    for name in (name for name, person in settings.people.items() if person.voice):
        wanted |= {prompt: ("people", name, "voice") for prompt in PAGE_PROMPTS if prompt not in wanted}
    return wanted
