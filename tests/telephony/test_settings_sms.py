"""How SMS are sent and answered: what can be wrong with it in a policy."""

from pathlib import Path

import pytest

from telephony.settings import check, load
from tests.telephony.site_folder import SMALL, Row, changed, expect, no_prompt_missing, site

ELKS = 'elks = {user = "u1", password_file = "secrets/ami"}'
GATEWAYAPI = 'gatewayapi = {token_file = "secrets/ami"}'
SENT = "https://x/{to}{text}{id}"
NAMES = 'number = "from"\ntext = "text"'
RECEIPTS = 'message = "ref"\nstatus = "state"\ndelivered = ["ok"]'
HOOK = 'secret_file = "secrets/sms-webhook"'

ROWS = [
    # one way
    Row("sms", "", "sms", "nothing says how SMS are sent", "[sms.gatewayapi]", "[sms]"),
    Row("sms", f"{ELKS}\n{GATEWAYAPI}", "sms", "several ways to send SMS: elks, gatewayapi", "one of", "[sms]"),
    Row("sms.elks", 'user = "u1"', "sms.elks.password_file", "is missing", at="[sms.elks]"),
    Row("sms.elks", 'user = ""\npassword_file = "secrets/ami"', "sms.elks.user", "is empty", at='user = ""'),
    Row("sms.gatewayapi", 'token_file = ""', "sms.gatewayapi.token_file", "is empty"),
    Row("sms", 'elks = {user = "u1", password_file = "secrets/none"}', "sms.elks.password_file", "there is no file"),
    Row("sms", 'gatewayapi = {token_file = "secrets/none"}', "sms.gatewayapi.token_file", "there is no file"),
    Row(
        "sms.gammu",
        'folder = "secrets"',
        "sms.gammu",
        "no folder outbox, inbox, sent, error",
        "gammu-smsd",
        "[sms.gammu]",
        "warning",
    ),
    Row("sms", 'gammu = {folder = "secrets"}\nsender = "Vagt"', "sms.sender", "as its own number", severity="warning"),
    # gateway and Apprise
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
    Row("sms", 'apprise_url_file = "secrets/apprise"', "sms", "duty desk", "answer_at", "[sms]", "warning"),
    Row("sms", 'answer_at = "{here}"', "sms.answer_at", "not a place where a page can be taken", "at most 60"),
    Row("sms", 'sender = "Eksempel Kommune"', "sms.sender", "not a sender that phones show", "at most 11"),
    Row(
        "sms", 'gateway = {url = "https://x/{to}{text}"}\nsender = "Vagt"', "sms.sender", "nowhere", severity="warning"
    ),
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
    Row(
        "sms",
        'apprise_url_file = "secrets/apprise-odd"',
        "sms.apprise_url_file",
        "a placeholder that stands for nothing",
    ),
    Row(
        "sms.gateway", 'url = "https://x/{text}"', "sms.gateway.body", "the number is sent nowhere", at="[sms.gateway]"
    ),
    Row("sms.gateway", 'url = "https://x/{to}{text}"\nmethod = "GET"', "sms.gateway.body", "", severity="none"),
    Row("sms.gateway", 'url = "https://x"\nbody = \'{"a": "{to}{text}"}\'', "sms.gateway.body", "", severity="none"),
    Row(
        "sms.gateway",
        'url = "https://x"\ncontent_type = "application/x-www-form-urlencoded"\nbody = "a={to}&b={text}"',
        "sms.gateway.body",
        "",
        severity="none",
    ),
    Row("sms", f'gateway = {{url = "{SENT}"}}', "sms.sender", "", severity="none"),
    Row("sms", f'gateway = {{url = "{SENT}{{from}}"}}\nsender = "Vagt"', "sms.sender", "", severity="none"),
    Row("sms", 'apprise_url_file = "secrets/apprise"\nsender = "Vagt"', "sms.sender", "", severity="none"),
    Row(
        "sms.gateway",
        f'url = "{SENT}"\nheaders_file = "secrets/sms-headers"',
        "sms.gateway.headers_file",
        "",
        severity="none",
    ),
    # answers
    Row("sms", ELKS, "sms.elks", "replies are not taken in", "[sms.webhook]", severity="warning"),
    Row("sms", GATEWAYAPI, "sms.gatewayapi", "replies are not taken in", "[sms.webhook]", severity="warning"),
    Row("sms", f"{ELKS}\n[sms.webhook]\n{HOOK}", "sms.elks", "", severity="none"),
    Row("sms", f"{ELKS}\n[sms.webhook]\n{HOOK}", "sms.sender", "cannot reply to", "number", "[sms]", "warning"),
    Row("sms", f'{ELKS}\nsender = "+4520304050"\n[sms.webhook]\n{HOOK}', "sms.sender", "", severity="none"),
    Row("sms", f'{ELKS}\nanswer_at = "desk"', "sms", "", severity="none"),
    Row("sms", 'apprise_url_file = "secrets/apprise"\nanswer_at = "desk"', "sms", "", severity="none"),
    Row("sms", 'gammu = {folder = "secrets"}', "sms", "", severity="none"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r.key}: {r.words[:40]}")
def test_a_mistake_names_key_line_and_remedy(row: Row, tmp_path: Path) -> None:
    """What would fail with the first SMS, at night, is said when the policy is read."""
    expect(row, tmp_path)


def hook(
    lines: str, key: str, words: str, remedy: str = "", severity: str = "error", at: str = "", sent: str = ""
) -> Row:
    """Return a row about the webhook of a gateway that sends number, text and id, and what else is `sent`."""
    way = f'answer_at = "desk"\n[sms.gateway]\nurl = "https://x/{{to}}{{text}}{{id}}{sent}"\n[sms.webhook]\n'
    return Row("sms", way + lines, key, words, remedy, at, severity)


AT = "sms.webhook"
HOOKS = [
    hook(f"{NAMES}\n{RECEIPTS}\n{HOOK}", AT, "", severity="none"),
    hook(NAMES, f"{AT}.secret_file", "anybody could say that a page is taken", "openssl rand", at="[sms.webhook]"),
    hook(f'{NAMES}\nsecret_file = "secrets/none"', f"{AT}.secret_file", "there is no file"),
    hook(f'{NAMES}\nsecret_file = "secrets/ami"', f"{AT}.secret_file", "shorter than 16", "openssl rand"),
    hook(f"{HOOK}\n{NAMES}", "sms.sender", "cannot reply to", "number", "warning", "[sms]"),
    hook(HOOK, AT, "no field is named", "number and text", at="[sms.webhook]"),
    hook(f'{HOOK}\nnumber = "from"', f"{AT}.number", "go together", "both"),
    hook(f'{HOOK}\ntext = "text"', f"{AT}.number", "go together", at="[sms.webhook]"),
    hook(f'{HOOK}\nmessage = "ref"', f"{AT}.status", "what became of a message", at="[sms.webhook]"),
    hook(
        f'{HOOK}\nstatus = "state"\nfailed = ["no"]',
        f"{AT}.message",
        "no receipt says which message",
        "{receipts}",
        at="[sms.webhook]",
    ),
    hook(f'{HOOK}\nmessage = "ref"\nstatus = "state"', f"{AT}.status", "no value of state means", "delivered ="),
    hook(f'{HOOK}\n{RECEIPTS}\nfailed = ["no", "ok"]', f"{AT}.failed", '"ok" is among delivered'),
    hook(f'{HOOK}\n{NAMES}\nfrom = ["office"]', f"{AT}.from[0]", '"office" is not a network'),
    hook(f"{HOOK}\n{NAMES}\nform = []", f"{AT}.form", "unknown key", "did you mean `from`?"),
    hook(f'{HOOK}\n{NAMES}\nurl = "http://x.example"', f"{AT}.url", "unencrypted", "https://"),
    hook(f'{HOOK}\n{NAMES}\nurl = "https://x.example/y"', f"{AT}.url", "has a path"),
    hook(
        f'{HOOK}\nstatus = "s"\ndelivered = ["ok"]',
        f"{AT}.url",
        "cannot be told where to send receipts",
        "[panel]",
        "warning",
        "[sms.webhook]",
        "{receipts}",
    ),
    hook(f'{HOOK}\nstatus = "s"\ndelivered = ["ok"]', f"{AT}.message", "", severity="none", sent="{receipts}"),
    hook(
        f'{HOOK}\n{NAMES}\nurl = "https://x.example"\nstatus = "s"\ndelivered = ["ok"]',
        f"{AT}.url",
        "",
        severity="none",
        sent="{receipts}",
    ),
    Row(
        "sms",
        'gateway = {url = "https://x/{to}{text}"}\n'
        f'[sms.webhook]\n{HOOK}\nstatus = "state"\nfailed = ["no"]\nmessage = "ref"',
        f"{AT}.message",
        "does not get the message's id",
        "{id}",
        severity="warning",
    ),
    Row(
        "sms",
        'gateway = {url = "https://x/{to}{text}{receipts}"}',
        "sms.gateway.body",
        "there is no webhook",
        "[sms.webhook]",
    ),
    Row(
        "sms",
        f'gammu = {{folder = "secrets"}}\n[sms.webhook]\n{HOOK}',
        AT,
        "gammu-smsd brings replies by itself",
        at="[sms.webhook]",
        severity="warning",
    ),
    Row(
        "sms",
        f'apprise_url_file = "secrets/apprise"\n[sms.webhook]\n{HOOK}',
        AT,
        "Apprise brings no replies",
        at="[sms.webhook]",
        severity="warning",
    ),
    *(
        Row(
            "sms",
            f"{way}\n[sms.webhook]\n{HOOK}",
            f"{AT}.url",
            "cannot be told where",
            at="[sms.webhook]",
            severity="warning",
        )
        for way in (ELKS, GATEWAYAPI)
    ),
    Row("sms", f"[sms.webhook]\n{HOOK}", AT, "", severity="none"),
    Row(
        "sms",
        f'{GATEWAYAPI}\n[sms.webhook]\n{HOOK}\ntext = "text"',
        f"{AT}.text",
        "fields of this provider are known",
        "remove text",
        severity="warning",
    ),
]


@pytest.mark.parametrize(
    "way",
    [
        # A sender that is a number says that people can reply, also where it is sent nowhere.
        f'[sms.gateway]\nurl = "https://x/{{to}}{{text}}"\n[sms.webhook]\n{NAMES}',
        f'[sms.gateway]\nurl = "{SENT}"\n[sms.webhook]\n{NAMES}\n{RECEIPTS}',
        f'[sms.gateway]\nurl = "{SENT}{{receipts}}"\n[sms.webhook]\n{NAMES}\nstatus = "s"\nfailed = ["no"]',
        f"{ELKS}\n[sms.webhook]",
        f"{GATEWAYAPI}\n[sms.webhook]",
    ],
)
def test_what_is_right_is_not_doubted(way: str, tmp_path: Path) -> None:
    """Each way with replies, and a panel that providers and phones can reach."""
    text = changed(SMALL, "sms", f'sender = "1204"\n{way}\n{HOOK}') + '[panel]\nurl = "https://bagvagt.example"\n'
    assert check(site(tmp_path, text), no_prompt_missing) == ()


def test_a_modem_with_its_spool_is_right(tmp_path: Path) -> None:
    """Replies come by themselves, from its own number."""
    for name in ("outbox", "inbox", "sent", "error"):
        (tmp_path / "spool" / name).mkdir(parents=True)
    assert check(site(tmp_path, changed(SMALL, "sms", 'gammu = {folder = "spool"}')), no_prompt_missing) == ()
    (tmp_path / "spool" / "sent").rmdir()
    (doubt,) = check(site(tmp_path, changed(SMALL, "sms", 'gammu = {folder = "spool"}')), no_prompt_missing)
    assert "no folder sent" in doubt.message


def test_a_url_that_is_not_there_does_not_lack_a_number_too(tmp_path: Path) -> None:
    """One mistake for one matter."""
    text = changed(SMALL, "sms", 'answer_at = "desk"\napprise_url_file = "secrets/none"')
    assert [m.message for m in check(site(tmp_path, text))] == ["there is no file secrets/none"]


def test_a_secret_that_is_not_there_is_not_called_short_too(tmp_path: Path) -> None:
    """One mistake for one matter."""
    text = changed(SMALL, "sms", f'{ELKS}\nsender = "1204"\n[sms.webhook]\nsecret_file = "secrets/none"')
    found = check(site(tmp_path, text + '[panel]\nurl = "https://bagvagt.example"\n'), no_prompt_missing)
    assert [(m.key, m.severity) for m in found] == [("sms.webhook.secret_file", "error")]


@pytest.mark.parametrize("row", HOOKS, ids=lambda r: f"{r.key}: {r.words[:40]}")
def test_what_can_be_wrong_with_the_webhook(row: Row, tmp_path: Path) -> None:
    """Who may call it, and what is understood: a reply that is not understood is an alarm that goes on."""
    expect(row, tmp_path)


@pytest.mark.parametrize(
    ("way", "takes"),
    [
        (ELKS, False),
        (f"{ELKS}\n[sms.webhook]\n{HOOK}", True),
        (f"{GATEWAYAPI}\n[sms.webhook]\n{HOOK}", True),
        ('gammu = {folder = "secrets"}', True),
        ('apprise_url_file = "secrets/apprise"', False),
        (f'gateway = {{url = "{SENT}"}}', False),
        (f'gateway = {{url = "{SENT}"}}\n[sms.webhook]\n{HOOK}\n{NAMES}', True),
        (f'gateway = {{url = "{SENT}"}}\n[sms.webhook]\n{HOOK}\n{RECEIPTS}', False),
    ],
)
def test_whether_an_sms_can_be_answered(way: str, takes: bool, tmp_path: Path) -> None:  # noqa: FBT001 -- a column
    """It follows from the way and the webhook; the SMS asks for a reply, or says where else the page is taken."""
    made = load(site(tmp_path, changed(SMALL, "sms", way)))
    assert made.sms is not None
    assert made.sms.takes_replies is takes
    assert len(made.sms.ways) == 1


def test_links_stand_in_for_replies(tmp_path: Path) -> None:
    """With the panel's address an SMS has a link: no doubt is left; an address of this machine is none for a phone."""
    text = changed(SMALL, "sms", 'apprise_url_file = "secrets/apprise"')
    linked = changed(text, "panel", 'url = "https://bagvagt.example"')
    assert check(site(tmp_path, linked), no_prompt_missing) == ()
    for url in ("http://127.0.0.1:8480", "https://localhost"):
        (doubt,) = check(site(tmp_path, changed(text, "panel", f'url = "{url}"')), no_prompt_missing)
        assert (doubt.key, doubt.severity) == ("panel.url", "warning")


def test_the_webhooks_networks_are_called_from(tmp_path: Path) -> None:
    """The file's word for it is no name in Python."""
    lines = f'{ELKS}\nsender = "+4520304050"\n[sms.webhook]\nurl = "https://x.example"\n{HOOK}\nfrom = ["192.0.2.0/24"]'
    path = site(tmp_path, changed(SMALL, "sms", lines))
    assert check(path, no_prompt_missing) == ()
    sms = load(path).sms
    assert sms is not None
    assert sms.webhook is not None
    assert sms.webhook.networks == ["192.0.2.0/24"]
