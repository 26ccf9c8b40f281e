"""Everything that can be wrong in a policy file: which key, which line, in which words, and whether it blocks."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from telephony.errors import ConfigError, Mistake
from telephony.settings import check, load
from tests.telephony.site_folder import SMALL, changed, no_prompt_missing, site


@dataclass(frozen=True)
class Row:
    """One mistake: in `section`, `lines` replace or join what stands there; the last of them is the wrong one.

    `at` is what the expected line of the file holds, when it is another one.
    """

    section: str
    lines: str
    key: str
    words: str
    remedy: str = ""
    at: str = ""
    severity: str = "error"


ACUTE = "latched = true\nbreak_s = 60\n"
CHIEF = 'chain = [{name = "Chief", endpoint = "PJSIP/chief"}]'

ROWS = [
    # names, types, ranges
    Row("kinds.abuse", "colour = 2", "kinds.abuse.colour", "unknown key", "known here: warnings, "),
    Row("kinds.abuse", "wrnings = 2", "kinds.abuse.wrnings", "unknown key", "did you mean `warnings`?"),
    Row("kinks.abuse", "warnings = 2", "kinks", "unknown key", "did you mean `kinds`?", "[kinks.abuse]"),
    Row("pbx", 'ami_secret = "hunter2"', "pbx.ami_secret", "unknown key", "`ami_secret_file`"),
    Row(
        "kinds.abuse",
        'warnings = "1"',
        "kinds.abuse.warnings",
        "must be a whole number, and is a text",
        "without quotes",
    ),
    Row("kinds.abuse", "warnings = 1.5", "kinds.abuse.warnings", "must be a whole number, and is a number with a"),
    Row("kinds.abuse", "warnings = true", "kinds.abuse.warnings", "must be a whole number, and is true or false"),
    Row("kinds.abuse", "warnings = -1", "kinds.abuse.warnings", "-1 is out of range", "at least 0"),
    Row("kinds.abuse", "wait_s = 1e9", "kinds.abuse.wait_s", "out of range", "at most 86400"),
    Row("kinds.abuse", "wait_s = nan", "kinds.abuse.wait_s", "not a finite number"),
    Row("kinds.abuse", "may_end = 1", "kinds.abuse.may_end", "must be true or false, and is a whole number"),
    Row("kinds.abuse", "closing = 5", "kinds.abuse.closing", "must be a text, and is a whole number", "in quotes"),
    Row("kinds.abuse", 'severity = "actue"', "kinds.abuse.severity", '"actue" is not one of', "did you mean `acute`?"),
    Row("breaks", "agent_may_end = 2027-01-01", "breaks.agent_may_end", "must be true or false, and is a date"),
    Row("keys.warn", 'does = "hang up"', "keys.warn.does", '"hang up" is not one of them', '"warn", "end", "flag"'),
    Row("keys.other", 'code = "*95"', "keys.other.does", "`does` is missing", "add `does = …`", "[keys.other]"),
    Row("office_hours", 'mon = "08:00-16:00"', "office_hours.mon", "must be a list, and is a text", "square brackets"),
    Row("office_hours", 'mon = ["8-16"]', "office_hours.mon[0]", '"8-16" is not a time span', '"08:00-16:00"'),
    Row("office_hours", 'mon = ["22:00-06:00"]', "office_hours.mon[0]", "ends before it begins", "written as two"),
    Row("office_hours", "mon = [\n8]", "office_hours.mon[0]", "must be a text", at="8]"),
    Row("site", 'zone = "Europe/Kobenhavn"', "site.zone", 'no time zone "Europe/Kobenhavn"', "IANA"),
    Row("site", 'zone = "../../etc/passwd"', "site.zone", "no time zone"),
    Row("site", 'country = "dk"', "site.country", 'no public holidays are known for country "dk"', '"DK"'),
    Row("site", 'language = "danish"', "site.language", '"danish" is not a language', '"da"'),
    Row("site", 'closed = ["31-12"]', "site.closed[0]", '"31-12" is not a day', "month, day"),
    Row("http", 'action_url_from = ["10.0.0.1/8"]', "http.action_url_from[0]", "has host bits set", "10.20.0.0/16"),
    Row("http", 'action_url_from = ["lan"]', "http.action_url_from[0]", '"lan" is not a network'),
    Row("http", "port = 70000", "http.port", "70000 is out of range", "at most 65535"),
    Row("pbx", 'ari_url = "ftp://pbx"', "pbx.ari_url", '"ftp://pbx" is not a web address', "https://"),
    # names that could break a PBX's configuration, a topic, a path
    Row("keys.Warn", 'does = "back"', "keys.Warn", '"Warn" is not a safe name', "small letters", "[keys.Warn]"),
    Row('kinds."a,b"', "may_end = false", 'kinds."a,b"', "is not a safe name", at='[kinds."a,b"]'),
    Row('agents."x\\ny"', 'team = "a"', 'agents."x\\u000ay"', "is not a safe name", at='[agents."x\\ny"]'),
    Row("kinds.abuse", 'warning = "../x"', "kinds.abuse.warning", '"../x" is not a prompt\'s name'),
    Row("people.anna", 'mqtt = "anna/#"', "people.anna.mqtt", "is not a safe name"),
    Row("mqtt", 'prefix = "a/+"', "mqtt.prefix", "is not a topic prefix"),
    Row("keys.warn", 'code = "91"', "keys.warn.code", '"91" is not a key code', "begin with * or #"),
    Row("keys.warn", 'speed_dial = "85 91"', "keys.warn.speed_dial", "is not a speed dial"),
    Row("agents.x", 'interface = "PJSIP/x,foo"', "agents.x.interface", "is not an endpoint that is safe to dial"),
    Row("agents.x", 'interface = "PJSIP/x\\n"', "agents.x.interface", "is not an endpoint that is safe to dial"),
    Row("agents.x", 'name = "A\\tB"', "agents.x.name", "holds a control character"),
    # kinds
    Row(
        "kinds.threat", "may_end = true", "kinds.threat.may_end", "acute (latched) kind cannot be one that may be ended"
    ),
    Row("kinds.threat", 'page = ""', "kinds.threat.page", "pages nobody", "backup"),
    Row("kinds.new", ACUTE, "kinds.new.page", "pages nobody", at="[kinds.new]"),
    Row("kinds.threat", "break_s = 0", "kinds.threat.break_s", "no break after", severity="warning"),
    Row("kinds.threat", 'severity = "normal"', "kinds.threat.severity", 'is always "acute"', severity="warning"),
    Row("kinds.threat", 'page = "bakup"', "kinds.threat.page", 'no page plan "bakup"', "did you mean `backup`?"),
    Row("kinds.abuse", 'closing = ""', "kinds.abuse.closing", "hear nothing before the line goes dead", "closing ="),
    Row("kinds.abuse", 'warning = ""', "kinds.abuse.warning", "needs 1 warning(s)", "warning ="),
    Row("kinds.abuse", "wait_s = 900", "kinds.abuse.wait_s", "it never works", "shorter"),
    Row("kinds.abuse", "warnings = 0", "kinds.abuse.warnings", "without any warning", severity="warning"),
    # keys
    Row("keys.warn", 'kind = "abuze"', "keys.warn.kind", 'no kind "abuze"', "did you mean `abuse`?"),
    Row("keys.mark", 'does = "flag"', "keys.mark.kind", "must say which kind", at="[keys.mark]"),
    Row("keys.back", 'does = "back"\nkind = "abuse"', "keys.back.kind", "marks no kind"),
    Row("keys.two", 'does = "back"\ncode = "*91"', "keys.two.code", "*91 is the code of key warn too"),
    Row("keys.two", 'does = "back"\ncode = "*912"', "keys.two.code", "*912 begins with *91, the code of key warn"),
    Row("keys.warn", 'code = "*9"', "keys.warn.code", "", severity="none"),
    Row(
        "keys.two", 'does = "back"\nspeed_dial = "112"', "keys.two.speed_dial", "112 is an emergency or public service"
    ),
    Row(
        "keys.two",
        'does = "back"\nspeed_dial = "1177"',
        "keys.two.speed_dial",
        "1177 is an emergency or public service",
    ),
    Row("keys.acute", 'kind = "threat"\ndoes = "warn"', "keys.acute.does", '"threat" is acute', severity="warning"),
    Row(
        "keys.end", 'does = "end"\nkind = "calm"\n[kinds.calm]', "keys.end.kind", "may not be ended", at='kind = "calm"'
    ),
    Row("keys.chief", 'does = "chief"', "keys.chief.does", "there is no chief", "chain"),
    # handoffs
    Row("handoff.colleague", 'then = "chief"', "handoff.colleague.then", "there is no chief", "chain"),
    Row("handoff.chief", f'{CHIEF}\nthen = "chief"', "handoff.chief.then", "rung again"),
    Row("handoff.colleague", 'then = "page:nobody"', "handoff.colleague.then", 'no page plan "nobody"'),
    Row("handoff.colleague", 'then = "chief\\u0085"', "handoff.colleague.then", "holds a control character"),
    Row("handoff.colleague", 'then = "pray"', "handoff.colleague.then", '"pray" is not something that can follow'),
    Row(
        "handoff.chief",
        'chain = [{name = "Police", endpoint = "PJSIP/112@trunk"}]',
        "handoff.chief.chain[0].endpoint",
        "rings an emergency or public service number",
    ),
    # people and pages
    Row("people.anna", 'mqtt = ""', "people.anna", "has no address", "sms = … or mqtt = …", "[people.anna]"),
    Row("people.anna", 'mqtt = "bo"', "people.bo.mqtt", "the topic of anna too", at='mqtt = "bo"  # second'),
    Row("pages.backup", 'last_resort = "cleo"', "pages.backup.last_resort", 'nobody called "cleo"'),
    Row(
        "pages.other",
        'steps = [{people = ["bo"], wait_s = 60}]',
        "pages.other.last_resort",
        "is missing",
        at="[pages.other]",
    ),
    Row(
        "pages.backup",
        'steps = [\n{people = ["anna", "ana"], wait_s = 60}]',
        "pages.backup.steps[0].people[1]",
        "nobody called",
    ),
    Row("pages.backup", "steps = []", "pages.backup.steps", "has no step"),
    Row(
        "pages.backup", "steps = [{people = [], wait_s = 60}]", "pages.backup.steps[0].people", "nobody is on this step"
    ),
    Row(
        "pages.backup",
        'steps = [{people = ["anna"], wait_s = 60, when = "office"}]',
        "pages.backup.steps",
        "outside office hours this plan reaches nobody but the last resort",
        'when = "outside"',
    ),
    Row(
        "pages.backup",
        'steps = [{people = ["anna"], wait_s = 60, when = "outside"}]',
        "pages.backup.steps",
        "in office hours this plan reaches nobody but",
        severity="warning",
    ),
    Row(
        "pages.backup", 'steps = [{people = ["anna"], wait_s = 1}]', "pages.backup.steps[0].wait_s", "1 is out of range"
    ),
    Row("office_hours", "mon = []", "office_hours", "never open", severity="warning", at="[office_hours]"),
    Row("office_hours", 'mon = ["08:00-12:00", "11:00-16:00"]', "office_hours.mon", "overlap", severity="warning"),
    Row("people.anna", 'sms = "+4520304050"', "people.anna.sms", "nothing here sends SMS", "[sms.gateway]"),
    # carriers and files
    Row("sms.gateway", 'url = "https://x/{too}{to}{text}"', "sms.gateway.url", "{too} stands for nothing", "mean `to`"),
    Row(
        "sms.gateway",
        'url = "https://x/"\nbody = \'{"a": {to}, "b": "{text}"}\'',
        "sms.gateway.body",
        "is not application/json",
        "inside the quotes",
    ),
    Row(
        "sms.gateway",
        'url = "https://x/"\ncontent_type = "application/x-www-form-urlencoded"\nbody = "{to}{text}"',
        "sms.gateway.body",
        "is not application/x-www-form-urlencoded",
    ),
    Row(
        "sms.gateway", 'url = "https://x/"\ncontent_type = "text/plain"', "sms.gateway.content_type", "not one of them"
    ),
    Row("sms", 'apprise_url_file = "secrets/ami"', "sms.apprise_url_file", "the URL in secrets/ami lacks {to}"),
    Row(
        "sms.gateway",
        'url = "https://x/{to_digits}/{text}"\nheaders_file = "secrets/ami"',
        "sms.gateway.headers_file",
        "secrets/ami, line 1, is not a header",
        "Name: value",
    ),
    Row("sms.gateway", 'url = "https://x/{to_digits}/{text}"', "sms.gateway.body", "", severity="none"),
    Row("sms", "", "sms", "neither an Apprise URL nor a gateway", at="[sms]"),
    Row(
        "sms.gateway",
        'url = "https://x/{to}"',
        "sms.gateway.body",
        "neither url nor body holds {text}",
        at="[sms.gateway]",
    ),
    Row(
        "sms.gateway",
        'url = "https://x/{to}{text}"\nmethod = "GET"\nbody = "x"',
        "sms.gateway.body",
        "a GET has no body",
    ),
    Row(
        "sms", 'apprise_url_file = "secrets/none"', "sms.apprise_url_file", "there is no file secrets/none", "mode 600"
    ),
    Row("mqtt", 'user = "bagvagt"', "mqtt.user", "go together"),
    Row("mqtt", 'ca_file = "secrets/ca"', "mqtt.ca_file", "no use without encryption"),
    Row("pbx", 'kind = "asterisk"', "pbx.ami_secret_file", "no file is named", at="[pbx]"),
    Row("http", 'action_url_from = ["0.0.0.0/0"]', "http.action_url_from[0]", "is everybody", severity="warning"),
    Row("http", 'tokens_file = "secrets"', "http.tokens_file", "secrets is not a file"),
    Row("store", 'path = "nowhere/x.sqlite3"', "store.path", "the folder of nowhere/x.sqlite3 is not there"),
    Row("prompts", 'folder = "nowhere"', "prompts.folder", "there is no folder nowhere", severity="warning"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r.key}: {r.words[:40]}")
def test_a_mistake_names_key_line_and_remedy(row: Row, tmp_path: Path) -> None:
    """Each wrong fragment gives this mistake at this line, in these words, with a remedy; and blocks, or does not."""
    base = SMALL.replace('mqtt = "bo"', 'mqtt = "bo"  # second')
    text = changed(base, row.section, row.lines)
    path = site(tmp_path, text)
    found = [m for m in check(path, no_prompt_missing) if m.key == row.key]
    if row.severity == "none":
        assert not found
        return
    mistake = next((m for m in found if row.words in m.message), None)
    assert mistake is not None, check(path)
    assert mistake.remedy
    assert row.remedy in mistake.remedy
    assert mistake.severity == row.severity
    wrong = row.at or row.lines.strip().splitlines()[-1]
    assert mistake.line is not None
    assert text.splitlines()[mistake.line - 1].strip() == wrong
    assert "hunter2" not in mistake.message + mistake.remedy
    if row.severity == "error":
        with pytest.raises(ConfigError, match=r"bagvagt\.toml:\d+: "):
            load(path)
    else:
        assert mistake in load(path).origin.warnings


def test_each_row_has_one_mistake_and_nothing_that_merely_follows_from_it(tmp_path: Path) -> None:
    """One wrong type gives one mistake, not an avalanche: what is left out for it is not missed by the checks."""
    for lines, section in (
        ('page = ["backup"]', "kinds.threat"),
        ("mqtt = 5", "people.anna"),
        ('mon = ["8"]', "office_hours"),
        ('steps = [{people = ["anna"], wait_s = "60"}]', "pages.backup"),
        ("zone = 1", "site"),
    ):
        found = check(site(tmp_path, changed(SMALL, section, lines)), no_prompt_missing)
        assert len(found) == 1, found


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    """A dozen lines are a policy: nothing wrong, nothing doubtful."""
    assert check(site(tmp_path, SMALL)) == ()


def test_every_mistake_comes_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    """Wrong names and types do not hide contradictions further down, nor the other way round."""
    text = changed(SMALL, "kinds.abuse", 'may_end = "yes"')
    text = changed(text, "kinds.threat", "may_end = true")
    text = changed(text, "keys.warn", 'kind = "abuze"')
    text = changed(text, "people.anna", "color = 1")
    text = changed(text, "pages.backup", 'last_resort = "cleo"')
    with pytest.raises(ConfigError) as caught:
        load(site(tmp_path, text))
    keys = [m.key for m in caught.value.mistakes]
    assert keys == [
        "kinds.abuse.may_end",
        "kinds.threat.may_end",
        "keys.warn.kind",
        "people.anna.color",
        "pages.backup.last_resort",
    ]
    assert str(caught.value).count("\n") == 4


def _only(path: Path) -> Mistake:
    (mistake,) = check(path, no_prompt_missing)
    return mistake


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[site]\nzone = Europe\n", 2, "this is not TOML in column 8: invalid value"),
        ("[site]\nzone = 'x'\nzone = 'y'\n", 3, "this is not TOML in column 11: cannot overwrite a value"),
        ("[site]\nname = [1\n\n", 2, "this is not TOML at its end: unclosed array"),
        ("a = 2027-02-31\n", 1, "this is not TOML in column 5: invalid date"),
        ("a = " + "[" * 100_000, None, "cannot be read as TOML"),
        ("a = " + "1" * 5000, None, "cannot be read as TOML"),
    ],
)
def test_a_syntax_error_has_its_line(text: str, line: int | None, words: str, tmp_path: Path) -> None:
    """What is no TOML at all is one mistake, at the line where the parser stopped."""
    mistake = _only(site(tmp_path, text))
    assert (mistake.key, mistake.line) == ("", line)
    assert words in mistake.message


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    """Missing, a folder, not UTF-8, absurdly large, an impossible name: each is said, none is a crash."""
    assert "there is no such file" in _only(tmp_path / "nothing.toml").message
    assert "cannot be read" in _only(tmp_path).message
    assert "cannot be read" in _only(tmp_path / "a\0b").message
    path = tmp_path / "bagvagt.toml"
    path.write_bytes(b"[site]\nname = 'x'\n# \xe6\n")
    assert (_only(path).line, _only(path).message) == (3, "this line is not UTF-8")
    path.write_bytes(b"#" * 1_000_001)
    assert "larger than a policy" in _only(path).message


def test_a_file_from_notepad_is_read(tmp_path: Path) -> None:
    """A byte order mark and CRLF are no mistakes, and lines stay right."""
    path = site(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load(path).line_of("site.zone") == 2


@pytest.mark.parametrize(
    ("name", "mode", "content", "words"),
    [
        ("ami", 0o604, "s3cret", "can be read or changed by others"),
        ("ami", 0o660, "s3cret", "can be read or changed by others"),
        ("ami", 0o600, " \n", "is empty"),
        ("ami", 0o600, "a\nb", "more than one line"),
        ("ami", 0o600, "a\x00b", "more than one line, or control characters"),
        ("ami", 0o600, None, "there is no file secrets/ami"),
    ],
)
def test_a_secret_file_is_looked_at(name: str, mode: int, content: str | None, words: str, tmp_path: Path) -> None:
    """A secret that others can read, that is empty, missing, or no single line keeps the policy from loading."""
    path = site(tmp_path)
    secret = tmp_path / "secrets" / name
    secret.unlink()
    if content is not None:
        secret.write_text(content)
        os.chmod(secret, mode)  # noqa: PTH101 -- beside `write_text`, plainly
    mistake = _only(path)
    assert mistake.key == "pbx.ami_secret_file"
    assert words in mistake.message
    assert "s3cret" not in mistake.message


def test_a_secret_may_be_readable_by_its_group(tmp_path: Path) -> None:
    """root:bagvagt with mode 640 is how packages install secrets."""
    path = site(tmp_path)
    (tmp_path / "secrets" / "ami").chmod(0o640)
    assert check(path, no_prompt_missing) == ()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("112", "emergency or public service number"),
        ("+46112", "short number"),
        ("1177", "emergency or public service number"),
        ("+461177", "short number"),
        ("113", "emergency or public service number"),
        ("anonymous", "is not a phone number"),
        ("", None),
        ("+45 20 30 40 50", None),
        ("20304050", None),
        ("+47 406 00 000", None),
        ("+4512", "short number"),
        ("+999123456789", "is not a phone number"),
        ("+45203040501234", "not a number that is in use"),
        ("call me", "is not a phone number"),
        ("٢٠٣٠٤٠٥٠", "is not a phone number"),
    ],
)
def test_phone_numbers_of_people(number: str, words: str | None, tmp_path: Path) -> None:
    """Nobody's page goes to 112, a service number, or what is no number; a local number takes the country's code."""
    text = changed(SMALL, "people.anna", f'mqtt = "anna"\nsms = "{number}"')
    text = changed(text, "sms", 'apprise_url_file = "secrets/apprise"')
    found = check(site(tmp_path, text))
    if words is None:
        assert found == ()
        return
    (mistake,) = found
    assert mistake.key == "people.anna.sms"
    assert words in mistake.message


def test_a_prompt_that_is_missing_in_a_used_language(tmp_path: Path) -> None:
    """Each prompt that may be played is asked for in every language that is used, and a gap stands at its key."""
    asked: list[tuple[Path | None, list[str], list[str]]] = []

    def missing(folder: Path | None, names: object, languages: object) -> list[tuple[str, str]]:
        asked.append((folder, list(names), list(languages)))  # type: ignore[call-overload]
        return [("closing", "en"), ("brief-takeover-warned", "da")]

    text = changed(SMALL, "queues.Int_1", 'language = "en"')
    text = changed(text, "handoff.chief", CHIEF.replace("}", ", confirm = true}"))
    text = changed(text, "prompts", 'languages = ["fi"]\nfolder = "secrets"')
    found = check(site(tmp_path, text), missing)
    assert asked == [
        (
            tmp_path / "secrets",
            ["warning", "closing", "brief-takeover", "brief-takeover-warned", "brief-chief", "brief-confirm"],
            ["da", "fi", "en"],
        )
    ]
    assert {(m.key, m.severity) for m in found} == {
        ("kinds.abuse.closing", "error"),
        ("handoff.colleague.brief", "error"),
    }
    assert all("bagvagt prompts import" in m.remedy for m in found)


HASH = "0" * 64


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (f'[[tokens]]\nname = "a"\nkind = "agent"\nagent = "x"\nsha256 = "{HASH}"\n', None),
        ("", None),
        ("[[tokens]\n", "secrets/tokens.toml, line 1: this is not TOML"),
        (f'[[tokens]]\nname = "a"\nkind = "agent"\nsha256 = "{HASH}"', "line 1, tokens[0].agent: a token of kind"),
        ('[[tokens]]\nname = "a"\nkind = "agent"\nagent = "x"\nsha256 = "s3cret"', "line 5, tokens[0].sha256: is not"),
        (f'[[tokens]]\nname = "a"\nkind = "person"\nperson = "cleo"\nsha256 = "{HASH}"', 'is for "cleo", who is not'),
        (
            (
                f'[[tokens]]\nname = "a"\nkind = "agent"\nagent = "x"\nsha256 = "{HASH}"\n'
                f'[[tokens]]\nname = "b"\nkind = "action_url"\nagent = "y"\nsha256 = "{HASH}"\n'
            ),
            "line 10, tokens[1].sha256: the same sha256 as token a",
        ),
    ],
)
def test_the_tokens_file(tokens: str, words: str | None, tmp_path: Path) -> None:
    """A mistake in the tokens file names that file and its line, and never shows a token."""
    path = site(tmp_path, changed(SMALL, "http", 'tokens_file = "secrets/tokens.toml"'))
    (tmp_path / "secrets" / "tokens.toml").write_text(tokens)
    if words is None:
        assert len(load(path).origin.tokens) == tokens.count("[[tokens]]")
        return
    mistake = _only(path)
    assert mistake.key == "http.tokens_file"
    assert words in mistake.message
    assert "s3cret" not in mistake.message
