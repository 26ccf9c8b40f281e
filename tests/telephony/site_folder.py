"""A folder such as a site has: a policy file, and the secret files that it names; and what is said of one in it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from telephony.errors import ConfigError
from telephony.settings import check, load

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
SECRETS = {
    "ami": "s3cret",
    "ari": "s3cret",
    "mqtt": "s3cret",
    "apprise": "gsm://{to}",
    "apprise-odd": "gsm://{to}/{who}",
    "sms-headers": "Authorization: Bearer s3cret\n\nX-Site: 1\n",
    "sms-webhook": "s3cret" * 8,
    "anna-apprise": "ntfys://ntfy.example/s3cret",
    "heartbeat": "https://ping.example/s3cret\n",
    "heartbeat-two": "# on, and off\nhttps://ping.example/s3cret\nnone\n",
    "heartbeat-three": "https://ping.example/s3cret\n" * 3,
    "heartbeat-http": "http://ping.example/s3cret\n",
    "tokens.toml": "",
}

CHIEF = 'chain = [{name = "Chief", endpoint = "PJSIP/chief"}]'
SMALL = """\
[site]
zone = "Europe/Copenhagen"
language = "da"
country = "DK"

[pbx]
kind = "simulator"

[kinds.abuse]
may_end = true
break_s = 600

[kinds.threat]
latched = true
break_s = 1800
page = "backup"

[keys.warn]
does = "warn"
kind = "abuse"
code = "*91"

[office_hours]
mon = ["08:00-16:00"]

[mqtt]
prefix = "bagvagt"

[heartbeat]

[proofs]

[people.anna]
mqtt = "anna"

[people.bo]
mqtt = "bo"

[pages.backup]
last_resort = "bo"
steps = [{people = ["anna"], wait_s = 60}]
"""


def site(folder: Path, text: str | None = None) -> Path:
    """Make the folder's files; returns the policy file, `config.example.toml` when `text` is None."""
    secrets = folder / "secrets"
    secrets.mkdir(exist_ok=True)
    for name, content in SECRETS.items():
        (secrets / name).write_text(content)
        (secrets / name).chmod(0o600)
    policy = folder / "bagvagt.toml"
    policy.write_text(EXAMPLE.read_text(encoding="utf-8") if text is None else text, encoding="utf-8")
    return policy


def no_prompt_missing(_folder: Path | None, _names: Sequence[str], _languages: Sequence[str]) -> list[tuple[str, str]]:
    """Say that every prompt is there."""
    return []


def changed(text: str, section: str, lines: str) -> str:
    """Return `text` with `lines` in place of the section's own of the same keys; the section is made if need be."""
    keys = [line.split("=")[0].strip() for line in lines.splitlines() if "=" in line]
    head = f"[{section}]\n"
    if head not in text:
        return f"{text}\n{head}{lines}\n"
    before, after = text.split(head, 1)
    body, *rest = re.split(r"(?m)^(?=\[)", after, maxsplit=1)
    for key in keys:
        body = re.sub(rf"(?m)^{re.escape(key)} = .*\n", "", body)
    return f"{before}{head}{lines}\n{body}{''.join(rest)}"


@dataclass(frozen=True)
class Row:
    """One mistake: in `section`, `lines` replace or join what stands there; the last of them is the wrong one.

    `at` is what the expected line of the file holds, when it is another one; "nowhere" where no line is to blame.
    """

    section: str
    lines: str
    key: str
    words: str
    remedy: str = ""
    at: str = ""
    severity: str = "error"


def expect(row: Row, folder: Path, base: str = SMALL) -> None:
    """See that a fragment gives this mistake at this line, with a remedy; and blocks, or does not."""
    text = changed(base, row.section, row.lines)
    path = site(folder, text)
    said = check(path, no_prompt_missing)
    found = [m for m in said if m.key == row.key]
    if row.severity == "none":
        assert not found
        assert all(m.key for m in said)  # a file that is no TOML has no mistake at any key
        return
    mistake = next((m for m in found if row.words in m.message), None)
    assert mistake is not None, said
    assert mistake.remedy
    assert row.remedy in mistake.remedy
    assert mistake.severity == row.severity
    if row.at == "nowhere":
        assert mistake.line is None
    else:
        assert mistake.line is not None
        assert text.splitlines()[mistake.line - 1].strip() == (row.at or row.lines.strip().splitlines()[-1])
    assert "hunter2" not in mistake.message + mistake.remedy
    assert "s3cret" not in mistake.message + mistake.remedy
    if row.severity == "error":
        with pytest.raises(ConfigError, match=r"bagvagt\.toml:\d+: "):
            load(path)
    else:
        assert mistake in load(path).origin.warnings
