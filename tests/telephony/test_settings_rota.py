"""Rotas in a policy file: what they become, and what can be wrong with them."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from adapters.store.codec import decode_rules, encode
from policies.hours import When
from policies.rota import Override, Rota, Rotation, Shift, Temporary
from telephony.settings import check, load, rules
from telephony.settings.rota import with_calendars
from tests.telephony.site_folder import SMALL, changed, site

TEXT = (
    changed(SMALL, "pages.backup", 'steps = [{rotas = ["backup"], wait_s = 60}]')
    + """
[rotas.backup]
zone = "Europe/Helsinki"

[[rotas.backup.rotation]]
people = ["anna", "bo"]
handoff = "mon 08:00"
start = 2026-01-05

[[rotas.backup.rotation]]
people = ["bo"]
every = "day"
handoff = "20:30"
start = 2026-01-01
until = 2027-01-01
when = "outside"
days = ["fri", "sat"]
hours = "22:00-06:00"

[[rotas.backup.override]]
since = "2026-03-29 03:30"
until = 2026-03-30
replace = "anna"
by = "bo"

[[rotas.backup.override]]
since = 2026-10-25T03:30:00
until = 2026-10-25T05:00:00+02:00
add = "anna"

[[rotas.backup.temporary]]
since = "2026-12-24 00:00"
until = "2026-12-27 00:00"
shifts = [{people = ["bo", "bo"]}, {people = ["anna"], since = "2026-12-25 12:00"}]
"""
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_rota_is_read_as_it_reads(tmp_path: Path) -> None:
    """Every key of it; times that do not exist or come twice as everywhere; and it survives the journal."""
    policy = site(tmp_path, TEXT)
    assert check(policy) == ()
    made = rules(load(policy))
    christmas = (utc("2026-12-23T22:00"), utc("2026-12-26T22:00"))
    assert made.rotas["backup"] == Rota(
        "backup",
        "Europe/Helsinki",
        rotations=(
            Rotation(("anna", "bo"), date(2026, 1, 5), 7, time(8)),
            Rotation(
                ("bo",),
                date(2026, 1, 1),
                1,
                time(20, 30),
                until=date(2027, 1, 1),
                when=When.OUTSIDE,
                days=(4, 5),
                opens=time(22),
                closes=time(6),
            ),
        ),
        overrides=(
            Override(utc("2026-03-29T01:30"), utc("2026-03-29T21:00"), add="bo", remove="anna"),  # 03:30 is 04:30
            Override(utc("2026-10-25T00:30"), utc("2026-10-25T03:00"), add="anna"),  # the first 03:30
        ),
        temporary=(
            Temporary(
                *christmas, (Shift(*christmas, ("bo",)), Shift(utc("2026-12-25T10:00"), christmas[1], ("anna",)))
            ),
        ),
    )
    assert made.pages["backup"].steps[0].rotas == ("backup",)
    assert decode_rules(encode(made)) == made


def test_the_site_s_zone_is_the_rota_s_when_it_names_none(tmp_path: Path) -> None:
    """Copenhagen, here."""
    policy = site(tmp_path, TEXT.replace('zone = "Europe/Helsinki"', ""))
    assert rules(load(policy)).rotas["backup"].zone == "Europe/Copenhagen"


# (what stands there, what stands there instead, key, words, remedy, severity)
ROWS = [
    ('"anna", "bo"]\nhandoff', '"anna", "boo"]\nhandoff', "rotation[0].people[1]", 'nobody called "boo"', "`bo`?"),
    ('["anna", "bo"]\nhandoff', "[]\nhandoff", "rotation[0].people", "nobody takes turns", "name people"),
    ('"mon 08:00"', '"mon 8"', "rotation[0].handoff", '"mon 8" is not a hand-off', '"mon 08:00"'),
    ('"mon 08:00"', '"24:00"', "rotation[0].handoff", '"24:00" is not a hand-off', '"08:00"'),
    ('"mon 08:00"', '"wed 08:00"', "rotation[0].start", "2026-01-05 is a mon, and hand-offs are on wed", "2026-01-07"),
    ('"20:30"', '"fri 20:30"', "rotation[1].handoff", "turns of 1 days do not always begin", "the time alone"),
    ('"day"', '"month"', "rotation[1].every", '"month" is not a length of turns', '"week", "day", or 1 to 366'),
    ('"day"', "0", "rotation[1].every", '"0" is not a length of turns', "1 to 366"),
    ('"day"', "true", "rotation[1].every", '"True" is not a length of turns', "1 to 366"),
    ("start = 2026-01-05", 'start = "monday"', "rotation[0].start", '"monday" is not a date', "2027-01-04"),
    ("start = 2026-01-05", "", "rotation[0].start", "`start` is missing", "add `start = …`"),
    ("start = 2026-01-05", "start = 2026-01-05T08:00:00", "rotation[0].start", "is not a date", "2027-01-04"),
    ("until = 2027-01-01", "until = 2026-01-01", "rotation[1].until", "ends before it begins", "later than start"),
    ('"outside"\ndays', '"night"\ndays', "rotation[1].when", '"night" is not one of them', '"outside"'),
    ('["fri", "sat"]', '["friday"]', "rotation[1].days[0]", '"friday" is not one of them', "did you mean `fri`?"),
    ('"22:00-06:00"', '"22-06"', "rotation[1].hours", '"22-06" is not a time span', '"16:00-08:00"'),
    ('zone = "Europe/Helsinki"', 'zone = "Helsinki"', "zone", 'no time zone "Helsinki"', '"Europe/Copenhagen"'),
    ("until = 2026-03-30", "until = 2026-03-29", "override[0].until", "ends before it begins", "later than since"),
    ("until = 2026-03-30", 'until = "easter"', "override[0].until", '"easter" is not a point in time', '"2027-01-04'),
    ('by = "bo"', "", "override[0]", "replace and by go together", 'by = "bo"'),
    ('by = "bo"', 'by = "cleo"', "override[0].by", 'nobody called "cleo"', "[people.cleo]"),
    ('by = "bo"', 'by = "bo"\nadd = "bo"', "override[0]", "says several things", "further overrides"),
    ('replace = "anna"\nby = "bo"', "", "override[0]", "changes nothing", "replace (with by), add and remove"),
    ('add = "anna"', 'remove = "cleo"', "override[1].remove", 'nobody called "cleo"', "[people.cleo]"),
    ('["anna"], since', '["anna"], sinse', "temporary[0].shifts[1].sinse", "unknown key", "did you mean `since`?"),
    ('["bo", "bo"]', '["cleo"]', "temporary[0].shifts[0].people[0]", 'nobody called "cleo"', "[people.cleo]"),
    ('"2026-12-25 12:00"', '"2026-12-23 12:00"', "temporary[0].shifts[1]", "not within its temporary", "move it"),
    ('"2026-12-25 12:00"', '"2026-12-28 12:00"', "temporary[0].shifts[1].until", "ends before it begins", "later"),
    ('until = "2026-12-27 00:00"', 'until = "2026-12-24 00:00"', "temporary[0].until", "ends before it", "later"),
]


@pytest.mark.parametrize(("old", "new", "key", "words", "remedy"), ROWS)
def test_a_mistake_is_told_with_key_line_and_remedy(
    old: str, new: str, key: str, words: str, remedy: str, tmp_path: Path
) -> None:
    """Each keeps the policy from being loaded, and hides nothing and is nothing else besides."""
    assert TEXT.count(old) == 1
    text = TEXT.replace(old, new)
    found = check(site(tmp_path, text))
    assert [(m.key, m.severity) for m in found] == [(f"rotas.backup.{key}", "error")]
    assert words in found[0].message
    assert remedy in found[0].remedy
    near = TEXT[: TEXT.index(old)].count("\n") + 1
    assert found[0].line is not None
    assert abs(found[0].line - near) <= 4


CLEO = '[people.cleo]\nmqtt = "cleo"\n'
MORE = [
    ("[rotas.empty]", "rotas.empty", "nobody is ever on call by this rota", "error"),
    ("[rotas.empty]", "rotas.empty", "no plan of [pages] uses this rota", "warning"),
    (
        '[[rotas.backup.temporary]]\nsince = "2026-12-26 23:59"\nuntil = "2026-12-28"\nshifts = [{people = ["bo"]}]',
        "rotas.backup.temporary[1]",
        "overlaps the temporary schedule that begins 2026-12-24 00:00",
        "error",
    ),
    (
        '[[rotas.backup.temporary]]\nsince = "2027-01-01 00:00"\nuntil = "2027-01-02 00:00"\nshifts = []',
        "rotas.backup.temporary[1].shifts",
        "nobody is on call while it holds",
        "warning",
    ),
    (
        CLEO + '[[rotas.backup.override]]\nsince = 2027-01-01\nuntil = 2027-01-02\nremove = "cleo"',
        "rotas.backup.override[2].remove",
        '"cleo" is never on call by this rota',
        "warning",
    ),
    ('[rotas.c]\ncalendar_file = "none.ics"', "rotas.c.calendar_file", "there is no file none.ics", "warning"),
    ('[rotas.c]\ncalendar_url_file = "none"', "rotas.c.calendar_url_file", "there is no file none", "error"),
    ('[rotas.c]\ncalendar_url_file = "secrets/http"', "rotas.c.calendar_url_file", "no address that is safe", "error"),
    ('[rotas.c]\ncalendar_url_file = "secrets/file"', "rotas.c.calendar_url_file", "no address that is safe", "error"),
    (
        '[rotas.c]\ncalendar_url_file = "secrets/https"\ncalendar_file = "x"',
        "rotas.c.calendar_url_file",
        "there is a calendar_file too",
        "error",
    ),
    (
        '[rotas.c]\ncalendar_url_file = "secrets/https"\nnames = {"Cleo C" = "cleo"}',
        'rotas.c.names."Cleo C"',
        'nobody called "cleo"',
        "error",
    ),
    ('[rotas.backup.names]\nA = "anna"', "rotas.backup.names", "is for a calendar, and there is none", "warning"),
]


@pytest.mark.parametrize(("more", "key", "words", "severity"), MORE)
def test_what_a_whole_rota_can_have_wrong(more: str, key: str, words: str, severity: str, tmp_path: Path) -> None:
    """Errors where it can't be meant so; doubts where the service does better with the rota than without."""
    policy = site(tmp_path, f"{TEXT}\n{more}\n")
    for name, url in (
        ("http", "http://cal.example/x"),
        ("file", "file:///etc/passwd"),
        ("https", "https://cal.example"),
    ):
        (tmp_path / "secrets" / name).write_text(url)
        (tmp_path / "secrets" / name).chmod(0o600)
    found = [m for m in check(policy) if m.key == key and words in m.message]
    assert [m.severity for m in found] == [severity]
    assert found[0].line is not None
    assert found[0].remedy


def test_temporary_schedules_that_only_touch_do_not_overlap(tmp_path: Path) -> None:
    """The one ends in the instant in which the other begins, in whichever order they stand."""
    more = ""
    for since, until in (("2026-12-27", "2026-12-28"), ("2026-12-23", "2026-12-24")):
        more += f'[[rotas.backup.temporary]]\nsince = {since}\nuntil = "{until}"\nshifts = [{{people = ["bo"]}}]\n'
    assert check(site(tmp_path, TEXT + more)) == ()


def test_a_step_that_names_an_unknown_rota_or_nobody_is_an_error(tmp_path: Path) -> None:
    """A rota is as good as people; one that is not there is not."""
    unknown = changed(SMALL, "pages.backup", 'steps = [{rotas = ["bakcup"], wait_s = 60}]')
    found = check(site(tmp_path, unknown + "[rotas.backup]\n"))
    assert ("pages.backup.steps[0].rotas[0]", 'there is no rota "bakcup"') in [(m.key, m.message) for m in found]
    assert any("did you mean `backup`?" in m.remedy for m in found)
    nobody = changed(SMALL, "pages.backup", "steps = [{wait_s = 60}]")
    assert "nobody is on this step" in [m.message for m in check(site(tmp_path, nobody))]


def test_shifts_of_a_calendar_become_part_of_the_rules_and_of_their_version(tmp_path: Path) -> None:
    """Other shifts, another version, so that the journal has both; the same shifts, the same version, however often."""
    plain = rules(load(site(tmp_path, TEXT)))
    one = Shift(utc("2026-11-01T08:00"), utc("2026-11-02T08:00"), ("anna",))
    other = replace(one, people=("bo",))
    first = with_calendars(plain, {"backup": (other, one)})
    assert first.rotas["backup"].shifts == (other, one)
    assert (
        with_calendars(plain, {"backup": [replace(other, since=utc("2026-12-01T00:00")), one]})
        .rotas["backup"]
        .shifts[0]
        == one
    )  # sorted
    assert first.version.startswith(f"{plain.version}+")
    assert with_calendars(first, {"backup": (other, one)}) == first
    assert with_calendars(first, {"backup": (one,)}).version != first.version
    assert with_calendars(plain, {}) == plain
    assert decode_rules(encode(first)) == first
