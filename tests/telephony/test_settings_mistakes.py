"""What can be wrong in a policy: which key, which line, in which words, and whether it blocks."""

from pathlib import Path

import pytest

from telephony.errors import ConfigError
from telephony.settings import check, load
from tests.telephony.site_folder import CHIEF, SMALL, Row, changed, expect, no_prompt_missing, site

ACUTE = "latched = true\nbreak_s = 60\n"


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
    Row("people.anna", 'mqtt = ""', "people.anna", "has no address", "sms = …, voice = …", "[people.anna]"),
    Row(
        "people.anna",
        'phone = "PJSIP/112@trunk"',
        "people.anna.phone",
        "rings an emergency or public service number",
    ),
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
        "pages.backup",
        'steps = [{people = ["bo", "bo"], wait_s = 60}]',
        "pages.backup.steps[0].people",
        "stands twice on this step",
        severity="warning",
    ),
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
    Row("mqtt", 'user = "bagvagt"', "mqtt.user", "go together"),
    Row("mqtt", 'ca_file = "secrets/ca"', "mqtt.ca_file", "no use without encryption"),
    Row("pbx", 'kind = "asterisk"', "pbx.ami_secret_file", "no file is named", at="[pbx]"),
    Row("http", 'action_url_from = ["0.0.0.0/0"]', "http.action_url_from[0]", "is everybody", severity="warning"),
    Row("http", 'tokens_file = "secrets"', "http.tokens_file", "secrets is not a file"),
    Row("store", 'path = "nowhere/x.db"', "store.path", "the folder of nowhere/x.db is not there", severity="warning"),
    Row("prompts", 'folder = "nowhere"', "prompts.folder", "there is no folder nowhere", severity="warning"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r.key}: {r.words[:40]}")
def test_a_mistake_names_key_line_and_remedy(row: Row, tmp_path: Path) -> None:
    """Each wrong fragment gives this mistake at this line, in these words, with a remedy; and blocks, or does not."""
    expect(row, tmp_path, SMALL.replace('mqtt = "bo"', 'mqtt = "bo"  # second'))


def test_each_row_has_one_mistake_and_nothing_that_merely_follows_from_it(tmp_path: Path) -> None:
    """One wrong type gives one mistake, not an avalanche: what is left out for it is not missed by the checks."""
    for lines, section in (
        ('page = ["backup"]', "kinds.threat"),
        ("mqtt = 5", "people.anna"),
        ('mon = ["8"]', "office_hours"),
        ('steps = [{people = ["anna"], wait_s = "60"}]', "pages.backup"),
        ("steps = []", "pages.backup"),
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
