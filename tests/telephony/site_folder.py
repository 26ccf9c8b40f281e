"""A folder such as a site has: a policy file, and the secret files that it names."""

import re
from collections.abc import Sequence
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
SECRETS = {
    "ami": "s3cret",
    "ari": "s3cret",
    "mqtt": "s3cret",
    "apprise": "gsm://{to}",
    "sms-headers": "Authorization: Bearer s3cret\n",
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
