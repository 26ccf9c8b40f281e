"""The example policy, what it resolves to, and that nothing an admin types is more than a list of mistakes."""

import re
import tempfile
import tomllib
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from policies.model import AgentId, Does, KeyUse, Target
from policies.rules import Contact, LeaveWhen, ProofRules, Severity, When
from telephony.errors import ConfigError
from telephony.settings import Settings, check, load, rules, token_hash
from telephony.settings.numbers import is_emergency
from tests.telephony.site_folder import EXAMPLE, SMALL, changed, no_prompt_missing, site

EXAMPLE_TEXT = EXAMPLE.read_text(encoding="utf-8")


# --- the example ----------------------------------------------------------------------------------------------------


def test_the_example_is_a_policy_without_a_mistake(tmp_path: Path) -> None:
    """What ships as the example loads, with nothing wrong and nothing doubtful."""
    assert check(site(tmp_path), no_prompt_missing) == ()


def test_the_example_is_read_as_it_reads(tmp_path: Path) -> None:
    """The rules that the core gets are those that the file says aloud."""
    made = rules(load(site(tmp_path)))
    assert made.keys["warn"] == KeyUse("warn", Does.WARN, "abuse")
    assert made.kinds["abuse"].may_end
    assert made.kinds["abuse"].break_s == 600
    for acute in ("threat", "violence", "suicide"):
        kind = made.kinds[acute]
        assert (kind.latched, kind.may_end, kind.severity, kind.page) == (True, False, Severity.ACUTE, "acute")
    assert set(made.kinds) == {
        *("abuse", "sexual", "discrimination", "threat", "violence"),
        *("suicide", "confused", "rambling", "superior"),
    }
    assert made.handoffs["colleague"].then == "chief"
    assert made.handoffs["colleague"].leave is LeaveWhen.BY_KEY
    assert made.chiefs == (
        Target("Teamleder", "PJSIP/chief"),
        Target("Chefvagt", "PJSIP/+4520304050@trunk", None, confirm=True),
    )
    first, second, third = made.pages["acute"].steps
    assert (first.when, second.when, third.when) == (When.OFFICE, When.OUTSIDE, When.ALWAYS)
    assert (second.people, second.rotas) == ((), ("backup",))
    bo = (("mqtt", "bo"), ("sms", "+4520304052"), ("voice", "PJSIP/+4520304052@trunk"))
    assert third.people[0] == Contact("bo", bo, "da")
    assert made.rotas["backup"].rotations[0].people == ("anna", "bo")
    assert [channel for channel, _ in made.people["anna"].channels] == ["mqtt", "sms", "voice", "email"]
    assert [step.in_turn_s for plan in ("acute", "aftercare") for step in made.pages[plan].steps] == [0, 0, 0, 0, 240]
    assert made.proofs == ProofRules()
    assert made.pages["acute"].last_resort.name == "chief"
    assert made.office.hours[3] == ((time(8), time(12)), (time(12, 30), time(18)))
    assert 5 not in made.office.hours
    assert made.teams == {"agent7": "citizen-service"}


def _shown(text: str) -> str:
    """Switch every setting on that the example shows as switched off."""
    return re.sub(r"(?m)^#(?=[a-z_]+ = |\[)", "", text)


def _keys(value: Any, model: Any, at: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Return the keys of a parsed file as the models name them: entries' names and list numbers are "*"."""
    found: set[tuple[str, ...]] = set()
    if isinstance(value, list):
        return found.union(*(_keys(item, model, at) for item in value))
    if not isinstance(value, dict):
        return found
    for name, below in value.items():
        is_field = isinstance(model, type) and issubclass(model, BaseModel)
        path = (*at, name if is_field else "*")
        inner = _type(_fields(model)[name].annotation) if is_field else model[1]
        found |= {path} if is_field else set()
        found |= _keys(below, inner, path)
    return found


def _type(annotation: Any) -> Any:
    """Return the model inside an annotation; `(dict, model)` for a table of named entries."""
    if get_origin(annotation) is dict:
        return (dict, _type(get_args(annotation)[1]))
    inner = [a for a in get_args(annotation) if a is not type(None)]
    return _type(inner[0]) if inner else annotation


def _all_keys(model: Any, at: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    if isinstance(model, tuple):
        return _all_keys(model[1], (*at, "*"))
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return set()
    found = {(*at, name) for name in _fields(model)}
    return found.union(*(_all_keys(_type(f.annotation), (*at, n)) for n, f in _fields(model).items()))


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return a model's fields by the names that the file has for them."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def test_the_example_shows_every_key_and_no_other() -> None:
    """A key that the models know is in the example, switched on or off; one that they don't know is not."""
    assert _keys(tomllib.loads(_shown(EXAMPLE_TEXT)), Settings) == _all_keys(Settings)


def test_the_example_explains_each_key_where_it_first_stands() -> None:
    """Above the first line of each key, or above its neighbour's of the same lines, stands a sentence about it."""
    seen: set[tuple[str, str]] = set()
    explained, section = False, ""
    for line in EXAMPLE_TEXT.splitlines():
        key = re.match(r"#?([a-z_]+) = ", line)
        header = re.match(r"#?\[+([a-z_.]+)", line)
        if line.startswith("# "):
            explained = True
        elif header:
            section = header[1].split(".")[0]
        elif key:
            assert explained or (section, key[1]) in seen, f"{section}: {line}"
            seen.add((section, key[1]))
        elif not line:
            explained = False


def test_the_values_that_the_example_shows_as_defaults_are_the_defaults(tmp_path: Path) -> None:
    """Its head says that what is left out has the value shown; so it must, unless the key's comment says otherwise."""
    made = load(site(tmp_path))
    for section in ("pbx", "store", "presses", "breaks", "voice", "proofs"):
        table = getattr(made, section)
        for name, field in type(table).model_fields.items():
            if not name.endswith("secret_file"):
                assert getattr(table, name) == field.get_default(call_default_factory=True), f"{section}.{name}"
    for name, field in type(made.handoff.colleague).model_fields.items():
        if name != "then":
            assert getattr(made.handoff.colleague, name) == field.default, name
    explicit = {"may_end", "break_s"}  # their comments say what they are when left out
    abuse = made.kinds["abuse"]
    assert all(getattr(abuse, n) == f.default for n, f in type(abuse).model_fields.items() if n not in explicit)


def test_so_are_those_of_what_is_switched_off() -> None:
    """The ways that exclude each other, and what most do without, are shown with their defaults too."""
    made = Settings.model_validate(tomllib.loads(_shown(EXAMPLE_TEXT)))
    assert made.sms is not None
    for table, names in (
        (made.sms, "sender answer_at"),
        (made.sms.elks, "url"),
        (made.sms.gatewayapi, "url"),
        (made.sms.gammu, "folder"),
        (made.sms.webhook, "url"),
        (made.email, "port security ca_file"),
        (made.heartbeat, "every_s mqtt"),
        (made.watch[0], "every_s silent_s ca_file"),
        (made.people["duty-desk"], "order phone_confirm"),
        (made.pages["acute"].steps[0], "in_turn_s"),
    ):
        assert table is not None
        for name in names.split():
            field = type(table).model_fields[name]
            assert getattr(table, name) == field.get_default(call_default_factory=True), name


# --- what becomes of it ---------------------------------------------------------------------------------------------


def test_the_version_is_that_of_the_bytes(tmp_path: Path) -> None:
    """Two files differ in version when they differ in one byte, even in a comment; the audit trail names the file."""
    first = load(site(tmp_path, SMALL)).origin.version
    second = load(site(tmp_path, SMALL + "# x\n")).origin.version
    assert first != second
    assert load(site(tmp_path, SMALL)).origin.version == first
    assert rules(load(site(tmp_path, SMALL))).version == first


@pytest.mark.parametrize(
    ("country", "zone", "closed", "open_"),
    [
        ("DK", "Europe/Copenhagen", [date(2027, 3, 26), date(2027, 12, 25)], [date(2027, 6, 25), date(2027, 5, 7)]),
        ("SE", "Europe/Stockholm", [date(2027, 6, 25), date(2027, 12, 24), date(2027, 6, 6)], [date(2027, 3, 25)]),
        ("FI", "Europe/Helsinki", [date(2027, 12, 6), date(2027, 6, 25)], [date(2027, 5, 17)]),
        ("NO", "Europe/Oslo", [date(2027, 5, 17), date(2042, 5, 17), date(2026, 5, 17)], [date(2027, 6, 25)]),
        ("", "Europe/Oslo", [], [date(2027, 12, 25), date(2027, 5, 17)]),
    ],
)
def test_public_holidays_are_closed_days(
    country: str, zone: str, closed: list[date], open_: list[date], tmp_path: Path
) -> None:
    """Each country's own; in Sweden also Midsummer Eve and Christmas Eve, on which by law people work."""
    text = changed(SMALL, "site", f'zone = "{zone}"\ncountry = "{country}"')
    days = rules(load(site(tmp_path, text)), date(2027, 1, 1)).office.holidays
    assert days >= set(closed)
    assert not days & set(open_)


def test_the_site_adds_closed_days(tmp_path: Path) -> None:
    """A date once, a month and day every year, 29 February where there is one."""
    text = changed(SMALL, "site", 'country = ""\nclosed = ["12-24", "02-29", 2027-05-07]')
    office = rules(load(site(tmp_path, text)), date(2027, 1, 1)).office
    assert {d for d in office.holidays if d.month == 12} == {date(y, 12, 24) for y in range(2026, 2043)}
    assert {d.year for d in office.holidays if d.month == 2} == {2028, 2032, 2036, 2040}
    assert date(2027, 5, 7) in office.holidays


def test_office_hours_reach_the_end_of_the_day(tmp_path: Path) -> None:
    """24:00 is the end of the day, and the minute before it is inside."""
    office = rules(load(site(tmp_path, changed(SMALL, "office_hours", 'mon = ["20:00-24:00"]')))).office
    assert office.is_open(datetime(2027, 1, 11, 22, 59, 59, tzinfo=UTC))
    assert not office.is_open(datetime(2027, 1, 11, 23, 0, tzinfo=UTC))


def test_an_agent_is_spoken_to_in_the_own_language_or_the_sites(tmp_path: Path) -> None:
    """Only who has another language than the site needs to be named."""
    made = rules(load(site(tmp_path, changed(SMALL, "agents.agent7", 'language = "en"'))))
    assert [made.language_of(who) for who in (AgentId("agent7"), AgentId("agent8"), None)] == ["en", "da", "da"]


def test_names_of_files_are_relative_to_the_policy_file(tmp_path: Path) -> None:
    """Wherever the service is started, `secrets/ami` is beside the policy; a secret loses its line end."""
    made = load(site(tmp_path))
    (tmp_path / "secrets" / "ami").write_text("s3cret\n")
    assert made.secret(made.pbx.ami_secret_file) == "s3cret"
    assert made.path("/etc/x") == Path("/etc/x")


def test_the_prompts_address_follows_from_http(tmp_path: Path) -> None:
    """One address, said once; `media_base` is for a PBX on another machine."""
    assert load(site(tmp_path, changed(SMALL, "http", "port = 9000"))).media_base == "http://127.0.0.1:9000/prompts"
    assert load(site(tmp_path, changed(SMALL, "http", 'host = "::1"'))).media_base == "http://[::1]:8480/prompts"
    text = changed(SMALL, "pbx", 'media_base = "http://bagvagt.example/p/"')
    assert load(site(tmp_path, text)).media_base == "http://bagvagt.example/p"


def test_a_token_is_kept_as_its_hash() -> None:
    """The hash is plain SHA-256, so that `printf %s TOKEN | sha256sum` makes it."""
    assert token_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("number", ["112", "+112", "113", "110", "114", "1177", "1813", "116117"])
def test_emergency_numbers(number: str) -> None:
    """In any Nordic country, whatever the site's own: people travel, and networks pass them on."""
    assert is_emergency(number)


@pytest.mark.parametrize("number", ["8591", "8501", "20304050", "agent7", "", "chief"])
def test_internal_numbers_are_no_emergency_numbers(number: str) -> None:
    """Extensions of four digits are what a PBX has."""
    assert not is_emergency(number)


# --- whatever is typed ----------------------------------------------------------------------------------------------

_LINES = EXAMPLE_TEXT.splitlines(keepends=True)
_WORDS = [
    *('"', "'", "'''", '"""', "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "#", "\n", "\\", "\0", "\r", "\t", "-1"),
    *(
        "0",
        "1e308",
        "nan",
        "inf",
        "99999999999999999999",
        "true",
        "1979-05-27",
        "07:32:00",
        '"\\u0000"',
        '"\\u0007"',
        '""',
    ),
    *(
        '"../../x"',
        '"' + "a" * 5000 + '"',
        "[[]]",
        "{}",
        "[{}]",
        "[1, 'a']",
        "x = 1\n",
        "[kinds]\n",
        "[[kinds]]\n",
        "æ",
        "🙂",
    ),
    *('"Europe"', '"/etc/passwd"', '"112"', '"+46112"', '"."', '"page:"', '"::/0"', '"10.0.0.0/33"', '"secrets"'),
]

_EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("drop"), st.integers(0, len(_LINES) - 1), st.just("")),
        st.tuples(st.just("double"), st.integers(0, len(_LINES) - 1), st.just("")),
        st.tuples(st.just("value"), st.integers(0, len(_LINES) - 1), st.sampled_from(_WORDS)),
        st.tuples(st.just("insert"), st.integers(0, len(EXAMPLE_TEXT)), st.sampled_from(_WORDS)),
        st.tuples(st.just("insert"), st.integers(0, len(EXAMPLE_TEXT)), st.text(max_size=4)),
    ),
    min_size=1,
    max_size=6,
)


def _edited(edits: list[tuple[str, int, str]]) -> str:
    lines = list(_LINES)
    for how, number, word in edits:
        if how == "drop":
            lines[number % len(lines)] = ""
        elif how == "double":
            lines[number % len(lines)] *= 2
        elif how == "value":
            key, equals, _ = lines[number % len(lines)].partition("=")
            lines[number % len(lines)] = f"{key}{equals} {word}\n" if equals else key
    text = "".join(lines)
    for how, number, word in edits:
        if how == "insert":
            text = text[:number] + word + text[number:]
    return text


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_EDITS)
def test_whatever_is_typed_is_a_policy_or_a_list_of_mistakes(edits: list[tuple[str, int, str]]) -> None:
    """Random edits of the example never raise anything but ConfigError; each mistake points into the file."""
    text = _edited(edits)
    with tempfile.TemporaryDirectory() as name:
        path = site(Path(name), "")
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        mistakes = check(path, no_prompt_missing)
        lines = text.count("\n") + 1
        for mistake in mistakes:
            assert mistake.message
            assert mistake.remedy
            assert mistake.line is None or 1 <= mistake.line <= lines
            assert (mistake.key + mistake.message).isprintable()
        if any(m.severity == "error" for m in mistakes):
            with pytest.raises(ConfigError) as caught:
                load(path, no_prompt_missing)
            assert caught.value.mistakes == mistakes
        else:
            made = load(path, no_prompt_missing)
            assert made.origin.warnings == mistakes
            assert rules(made, date(2027, 1, 1)).version == made.origin.version
