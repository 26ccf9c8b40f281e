"""How people are reached, and how the path to them is watched: what it becomes, and what can be wrong with it."""

from datetime import time
from pathlib import Path

import pytest

from policies.rules import Contact, ProofRules
from telephony.settings import check, load, rules
from tests.telephony.site_folder import SMALL, Row, changed, expect, no_prompt_missing, site

MAIL = '[email]\nhost = "mail.example.dk"\nsender = "bagvagt@example.dk"\n'
PANEL = '[panel]\nurl = "https://bagvagt.example.dk"\n'
SMS = '[sms]\nanswer_at = "desk"\napprise_url_file = "secrets/apprise"\n'
ASTERISK = SMALL.replace('kind = "simulator"', 'ami_secret_file = "secrets/ami"\nari_secret_file = "secrets/ari"')
BASE = ASTERISK + MAIL + PANEL + SMS

PEOPLE = [
    # addresses
    Row("people.anna", 'email = "anna@example.dk"', "people.anna.email", "", severity="none"),
    Row("people.anna", 'email = "anna@example.dk"', "panel.url", "", severity="none"),
    Row("people.anna", 'email = "anna"', "people.anna.email", '"anna" is not an e-mail address', "anna@example.dk"),
    Row("people.anna", 'email = "a@b@c.dk"', "people.anna.email", "is not an e-mail address"),
    Row("people.anna", 'email = "Anna <a@b.dk>"', "people.anna.email", "is not an e-mail address"),
    Row("people.anna", 'email = "a@b.dk\\r\\nBcc: x@y.dk"', "people.anna.email", "is not an e-mail address"),
    Row("people.anna", 'email = "a@-b.dk"', "people.anna.email", "is not an e-mail address"),
    Row("people.anna", 'voice = "anna"', "people.anna.voice", "is not an endpoint"),
    Row("people.anna", 'voice = "PJSIP/anna"', "people.anna.voice", "", severity="none"),
    Row("people.anna", 'voice = "PJSIP/112@trunk"', "people.anna.voice", "rings an emergency or public service number"),
    Row("people.anna", 'apprise_url_file = "secrets/none"', "people.anna.apprise_url_file", "there is no file", "600"),
    Row("people.anna", 'apprise_url_file = "secrets/ami"', "people.anna.apprise_url_file", "holds no Apprise URL"),
    Row(
        "people.anna", 'apprise_url_file = "secrets/anna-apprise"', "people.anna.apprise_url_file", "", severity="none"
    ),
    Row("people.anna", 'apprise_url = "hunter2"', "people.anna.apprise_url", "unknown key", "`apprise_url_file`"),
    # order
    Row("people.anna", 'order = ["mqtt", "fax"]', "people.anna.order[1]", '"fax" is not one of them', '"voice"'),
    Row("people.anna", 'order = ["mqtt", "mqtt"]', "people.anna.order", "stands twice", "once"),
    Row("people.anna", 'order = ["sms", "mqtt"]', "people.anna.order", "no address for sms", severity="warning"),
    Row("people.anna", 'order = ["mqtt"]', "people.anna.order", "", severity="none"),
    # the same for two
    Row(
        "people.anna",
        'voice = "PJSIP/a"\n[people.cleo]\nvoice = "PJSIP/a"',
        "people.cleo.voice",
        "address of anna too",
        "one person",
        severity="warning",
    ),
    Row(
        "people.anna",
        'email = "a@b.dk"\n[people.cleo]\nemail = "A@b.dk"',
        "people.cleo.email",
        "address of anna too",
        severity="warning",
    ),
    Row(
        "people.anna",
        'sms = "+4520304050"\n[people.cleo]\nsms = "20 30 40 50"',
        "people.cleo.sms",
        "the number of anna too: an answer would count for either",
        "of their own",
    ),
    Row(
        "people.anna",
        'apprise_url_file = "secrets/anna-apprise"\n[people.cleo]\napprise_url_file = "secrets/anna-apprise"',
        "people.cleo.apprise_url_file",
        "address of anna too",
        severity="warning",
    ),
]


@pytest.mark.parametrize("row", PEOPLE, ids=lambda r: f"{r.key}: {r.words[:40]}")
def test_what_can_be_wrong_with_people(row: Row, tmp_path: Path) -> None:
    """Where every channel is set up: addresses that are none, that ring 112, or that two people share."""
    expect(row, tmp_path, BASE)


REACH = [
    # channels that are not set up
    Row("people.anna", 'email = "anna@example.dk"', "people.anna.email", "nothing here sends e-mail", "[email]"),
    Row("people.anna", 'voice = "PJSIP/anna"', "people.anna.voice", "rings nobody", "asterisk", severity="warning"),
    Row(
        "email",
        f'{MAIL[8:]}[people.cleo]\nemail = "a@b.dk"',
        "panel.url",
        "an e-mail cannot be answered, and holds no link",
        "[panel]",
        "nowhere",
        "warning",
    ),
    Row(
        "people.cleo",
        'apprise_url_file = "secrets/anna-apprise"',
        "panel.url",
        "a message by Apprise cannot be answered",
        "[panel]",
        "nowhere",
        "warning",
    ),
    # e-mail
    Row("email", 'host = "mail"', "email.sender", "`sender` is missing", at="[email]"),
    Row("email", 'host = "mail"\nsender = "bagvagt"', "email.sender", "is not an e-mail address"),
    Row("email", f'{MAIL[8:]}security = "ssl"', "email.security", '"ssl" is not one of them', '"tls"'),
    Row("email", f'{MAIL[8:]}security = "none"', "email.security", "unencrypted", "starttls", severity="warning"),
    Row(
        "email",
        'sender = "a@b.dk"\nhost = "localhost"\nsecurity = "none"',
        "email.security",
        "",
        severity="none",
    ),
    Row("email", f"{MAIL[8:]}port = 465", "email.port", '"tls" at port 465', "587", severity="warning"),
    Row("email", f'{MAIL[8:]}security = "tls"', "email.port", '"starttls" at port 587', "465", "[email]", "warning"),
    Row("email", f'{MAIL[8:]}security = "tls"\nport = 465', "email.port", "", severity="none"),
    Row("email", f'{MAIL[8:]}user = "bagvagt"', "email.user", "go together"),
    Row("email", f'{MAIL[8:]}password_file = "secrets/none"', "email.password_file", "there is no file"),
    Row("email", f'{MAIL[8:]}ca_file = "nowhere"', "email.ca_file", "there is no file nowhere"),
    Row("email", f'{MAIL[8:]}security = "none"\nca_file = "secrets/ami"', "email.ca_file", "without encryption"),
    # voice
    Row("voice", 'caller_id = "112"', "voice.caller_id", "is an emergency or public service number"),
    Row("voice", 'caller_id = "Bagvagt\\r\\nx"', "voice.caller_id", "is not a number that phones show"),
    Row("voice", 'caller_id = "+4585000000"', "voice.caller_id", "", severity="none"),
    Row("voice", "repeat = 0", "voice.repeat", "0 is out of range"),
    # proofs
    Row("proofs", "days = []", "proofs.days", "no test is ever sent", "days ="),
    Row("proofs", 'days = ["monday"]', "proofs.days[0]", '"monday" is not one of them', "`mon`"),
    Row("proofs", 'hours = ""', "proofs.hours", '"" is not a time span', "08:00-16:00"),
    Row("proofs", 'hours = "05:00-10:00"', "proofs.hours", "would wake people", severity="warning"),
    Row("proofs", 'hours = "20:00-24:00"', "proofs.hours", "would wake people", severity="warning"),
    Row("proofs", 'hours = "07:00-20:59"', "proofs.hours", "", severity="none"),
    Row("proofs", "every_days = 1\nlapse_s = 90_000", "proofs.lapse_s", "after the next one, which comes after 1"),
    # heartbeat
    Row("heartbeat", "mqtt = false", "heartbeat", "goes nowhere", "url_file", "[heartbeat]"),
    Row("heartbeat", 'url_file = "secrets/none"', "heartbeat.url_file", "there is no file"),
    Row("heartbeat", 'url_file = "secrets/ami"', "heartbeat.url_file", "holds no web address", "https://"),
    Row("heartbeat", 'url_file = "secrets/heartbeat"', "heartbeat.url_file", "", severity="none"),
    Row("heartbeat", 'url_file = "secrets/heartbeat-two"', "heartbeat.url_file", "", severity="none"),
    Row("heartbeat", 'url_file = "secrets/heartbeat-three"', "heartbeat.url_file", "more than two addresses"),
    Row("heartbeat", 'url_file = "secrets/heartbeat-http"', "heartbeat.url_file", "not encrypted", severity="warning"),
]


@pytest.mark.parametrize("row", REACH, ids=lambda r: f"{r.key}: {r.words[:40]}")
def test_what_can_be_wrong_with_the_ways_to_people(row: Row, tmp_path: Path) -> None:
    """What keeps a message from leaving, or its answer from coming back, is said before the night."""
    expect(row, tmp_path)


NO_BROKER = (
    SMALL.replace('[mqtt]\nprefix = "bagvagt"\n', "")
    .replace('mqtt = "', 'voice = "PJSIP/')
    .replace("[heartbeat]\n", "")
)


@pytest.mark.parametrize(
    ("lines", "key", "words"),
    [
        ("", "heartbeat", "goes nowhere"),
        ("mqtt = true", "heartbeat", "goes nowhere"),
        ('url_file = "secrets/heartbeat"\nmqtt = true', "heartbeat.mqtt", "there is no broker here"),
        ('url_file = "secrets/heartbeat"\nmqtt = false', "", ""),
        ('url_file = "secrets/heartbeat"', "", ""),
    ],
)
def test_a_heartbeat_without_a_broker(lines: str, key: str, words: str, tmp_path: Path) -> None:
    """By HTTP alone it is one; by MQTT alone it goes nowhere. MQTT is wanted by default, where there is a broker."""
    found = check(site(tmp_path, f"{NO_BROKER}\n[heartbeat]\n{lines}\n"), no_prompt_missing)
    said = [(m.key, m.message) for m in found if not m.key.startswith("people.")]
    assert [k for k, _ in said] == [key] * bool(key)
    assert all(words in message for _, message in said)


def test_a_topic_needs_a_broker(tmp_path: Path) -> None:
    """Each person's, and the heartbeat's."""
    text = SMALL.replace('[mqtt]\nprefix = "bagvagt"\n', "")
    found = check(site(tmp_path, text), no_prompt_missing)
    assert [m.key for m in found] == ["heartbeat", "people.anna.mqtt", "people.bo.mqtt"]
    assert {m.severity for m in found} == {"error"}
    assert "there is no broker here" in found[1].message


def test_a_broker_that_has_a_mistake_is_one_all_the_same(tmp_path: Path) -> None:
    """What merely follows from the mistake is not said."""
    text = 'mqtt = "on"\n' + SMALL.replace('[mqtt]\nprefix = "bagvagt"\n', "")
    assert [m.key for m in check(site(tmp_path, text), no_prompt_missing)] == ["mqtt"]


@pytest.mark.parametrize(
    ("before", "anna", "keys"),
    [
        ("email = 5", 'email = "a@b.dk"', ["email"]),
        ("sms = 5", 'sms = "+4520304050"', ["sms"]),
        ("", 'apprise_url_file = "secrets/none"', ["people.anna.apprise_url_file"]),
        ("sms = {gammu = {}}", 'sms = "112"\n[people.cleo]\nsms = "113"', ["people.anna.sms", "people.cleo.sms"]),
    ],
)
def test_one_mistake_does_not_bring_another(before: str, anna: str, keys: list[str], tmp_path: Path) -> None:
    """A section that is wrong is there; a file or number that is none is not compared with anything."""
    text = f"{before}\n{changed(SMALL, 'people.anna', anna)}{PANEL}"
    found = check(site(tmp_path, text), no_prompt_missing)
    assert [m.key for m in found if m.severity == "error"] == keys


def peer(lines: str, words: str, key: str = "", severity: str = "error", at: str = "") -> Row:
    """Return a row about a second `[[watch]]`."""
    first = 'name = "aarhus"\nurl = "https://aarhus.example/healthz"\nplan = "backup"\n[[watch]]\n'
    return Row("[watch]", first + lines, f"watch[1].{key}".rstrip("."), words, "", at, severity)


PEER = 'name = "odense"\nplan = "backup"\nurl = "https://odense.example/healthz"'
PEERS = [
    peer(PEER, "", severity="none"),
    peer(PEER, "", "url", severity="none"),
    peer('plan = "backup"\nurl = "https://o.example"\nname = "aarhus"', "there is another aarhus", "name"),
    peer('name = "odense"\nurl = "https://o.example"\nplan = "bakup"', 'no page plan "bakup"', "plan"),
    peer(PEER.replace("odense.", "aarhus."), "is watched twice", "url", "warning"),
    peer(PEER.replace("https", "http"), "is not encrypted", "url", "warning"),
    peer(PEER.replace("https://odense.example", "http://127.0.0.1:8480"), "is this Bagvagt", "url"),
    peer(f"{PEER}\nevery_s = 60", "asked every 60 s", "silent_s", "warning", "[[watch]]"),
    peer(f'{PEER}\nca_file = "nowhere"', "there is no file nowhere", "ca_file"),
    peer(f'{PEER.replace("https", "http")}\nca_file = "secrets/ami"', "without encryption", "ca_file"),
]


@pytest.mark.parametrize("row", PEERS, ids=lambda r: f"{r.key}: {r.words[:40]}")
def test_what_can_be_wrong_with_another_bagvagt(row: Row, tmp_path: Path) -> None:
    """Which of them is meant stands in the key."""
    expect(row, tmp_path)


@pytest.mark.parametrize(
    "own", ["https://bagvagt.example.dk", "https://bagvagt.example.dk:443", "https://127.0.0.1:8443"]
)
def test_it_cannot_watch_itself_by_another_name_either(own: str, tmp_path: Path) -> None:
    """The panel's address is this Bagvagt's, with the port said or not; and so is the one with TLS."""
    text = f'{SMALL}{PANEL}[[watch]]\nname = "x"\nurl = "{own}/healthz"\nplan = "backup"\n'
    (mistake,) = check(site(tmp_path, text), no_prompt_missing)
    assert (mistake.key, mistake.severity) == ("watch[0].url", "error")


@pytest.mark.parametrize(("section", "words"), [("proofs", "tested"), ("heartbeat", "machine itself is dead")])
def test_a_path_that_nobody_watches_is_one_doubt(section: str, words: str, tmp_path: Path) -> None:
    """Each is left out on purpose by nobody; without people or plans there is nothing to watch."""
    (doubt,) = check(site(tmp_path, SMALL.replace(f"[{section}]\n", "")), no_prompt_missing)
    assert (doubt.key, doubt.severity) == (section, "warning")
    assert words in doubt.message
    assert f"[{section}]" in doubt.remedy
    alone = '[site]\nzone = "Europe/Copenhagen"\nlanguage = "da"\ncountry = "DK"\n[pbx]\nkind = "simulator"\n'
    assert section not in [m.key for m in check(site(tmp_path, alone), no_prompt_missing)]


# --- one after the other --------------------------------------------------------------------------------------------

ANNA = 'mqtt = "anna"\nsms = "+4520304050"\nvoice = "PJSIP/anna"'
ROTA = '[[rotas.r.rotation]]\npeople = ["anna"]\nhandoff = "08:00"\nevery = "day"\nstart = 2027-01-01\n'


USES_R = '[pages.third]\nlast_resort = "bo"\nsteps = [{rotas = ["r"], wait_s = 60}]\n'


def in_turn(tmp_path: Path, step: str, more: str = "") -> list[str]:
    """Return what is said of a step, of a plan that is not acute."""
    text = changed(BASE, "people.anna", ANNA)
    plan = f'[pages.other]\nlast_resort = "bo"\nsteps = [{{{step}}}]\n'
    found = check(site(tmp_path, text + plan + more), no_prompt_missing)
    assert {m.severity for m in found} <= {"warning"}
    assert {m.key for m in found} <= {"pages.other.steps[0].in_turn_s"}
    return [m.message for m in found]


def test_a_channel_whose_turn_never_comes_is_doubted(tmp_path: Path) -> None:
    """Three channels, 30 s apart: the third is told after 60 s, and by then a step of 60 s is over."""
    who = 'people = ["bo", "anna"], in_turn_s = 30'
    assert in_turn(tmp_path, f"{who}, wait_s = 61") == []
    said = in_turn(tmp_path, f"{who}, wait_s = 60")
    assert said == ["anna would be told by voice after 60 s, and the step is over after 60 s"]
    assert in_turn(tmp_path, 'people = ["bo"], in_turn_s = 80, wait_s = 60') == []


def test_so_it_is_for_whoever_is_on_call(tmp_path: Path) -> None:
    """A rota names people; a calendar may name anybody."""
    step = 'rotas = ["r"], in_turn_s = 30, wait_s = 60'
    assert len(in_turn(tmp_path, step, ROTA)) == 1
    assert in_turn(tmp_path, step, ROTA.replace("anna", "bo")) == []
    assert in_turn(tmp_path, 'people = ["bo"], in_turn_s = 30, wait_s = 60', ROTA + USES_R) == []
    (tmp_path / "r.ics").write_text("")
    assert len(in_turn(tmp_path, step, '[rotas.r]\ncalendar_file = "r.ics"\n')) == 1


def test_an_acute_page_that_waits_between_channels_is_doubted_once(tmp_path: Path) -> None:
    """Allowed, and said: at the first step that does it."""
    steps = 'steps = [{people = ["bo"], wait_s = 60}, {people = ["bo"], wait_s = 60, in_turn_s = 20}]'
    (doubt,) = check(site(tmp_path, changed(SMALL, "pages.backup", steps)), no_prompt_missing)
    assert (doubt.key, doubt.severity) == ("pages.backup.steps[1].in_turn_s", "warning")
    assert doubt.message == 'the page of an acute kind, "threat", waits 20 s between channels'


# --- what becomes of it ---------------------------------------------------------------------------------------------


def test_channels_have_an_order(tmp_path: Path) -> None:
    """MQTT, SMS, voice, e-mail, Apprise; or the person's own, with what it leaves out behind it."""
    ways = f'{ANNA}\nemail = "a@b.dk"\napprise_url_file = "secrets/anna-apprise"\nsms = "20 30 40 50"'
    usual = (
        ("mqtt", "anna"),
        ("sms", "+4520304050"),
        ("voice", "PJSIP/anna"),
        ("email", "a@b.dk"),
        ("apprise", "secrets/anna-apprise"),
    )
    text = changed(BASE, "people.anna", ways.replace('sms = "+4520304050"\n', ""))
    assert rules(load(site(tmp_path, text))).people["anna"] == Contact("anna", usual, "da")
    own = changed(text, "people.anna", 'order = ["voice", "mqtt"]')
    made = rules(load(site(tmp_path, own))).people["anna"]
    assert made.channels == (usual[2], usual[0], usual[1], usual[3], usual[4])


def test_steps_and_tests_are_as_they_read(tmp_path: Path) -> None:
    """One after the other where it says so; tests on the days and in the hours; without the section no tests."""
    steps = 'steps = [{people = ["bo"], wait_s = 60, in_turn_s = 20}, {people = ["bo"], wait_s = 60}]'
    text = changed(SMALL, "pages.backup", steps)
    made = rules(load(site(tmp_path, text)))
    assert [step.in_turn_s for step in made.pages["backup"].steps] == [20, 0]
    assert made.proofs == ProofRules()
    given = changed(text, "proofs", 'every_days = 7\nhours = "09:30-11:00"\ndays = ["tue", "sun"]\nlapse_s = 3600')
    proofs = rules(load(site(tmp_path, given))).proofs
    assert proofs == ProofRules(7, time(9, 30), time(11), frozenset({1, 6}), 3600.0)
    assert rules(load(site(tmp_path, text.replace("[proofs]\n", "")))).proofs is None
