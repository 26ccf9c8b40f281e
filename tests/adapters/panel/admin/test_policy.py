"""The policy as it was loaded: its text and lines, what came of a reload, and nothing that is nobody's business."""

import re
from pathlib import Path

import pytest

from adapters.accounts.model import Role
from adapters.panel.admin.loads import HIDDEN, without_secrets
from telephony.errors import ConfigError
from telephony.settings import load
from tests.adapters.panel.admin.desk import POLICY, desk


async def test_it_is_the_text_that_is_in_force_and_not_the_file_as_it_stands_now(tmp_path: Path) -> None:
    """A file that was changed and not loaded is not shown; once loaded it is, with the time and version."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        file = tmp_path / "bagvagt.toml"
        file.write_text(POLICY.replace("break_s = 600", "break_s = 700"))
        _, before = await admin.get("/v1/policy")
        assert before["lines"] == POLICY.splitlines()
        assert before["last_reload"] is None
        d.clock.forward(60)
        d.loads.loaded(load(file))
        _, after = await admin.get("/v1/policy")
        assert "break_s = 700" in after["lines"]
        assert after["version"] != before["version"]
        assert after["loaded_at"] > before["loaded_at"]
        assert after["last_reload"]["accepted"] is True


async def test_a_refused_reload_is_told_with_every_mistake(tmp_path: Path) -> None:
    """File, key, line, remedy; and the policy in force is the one before."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        file = tmp_path / "bagvagt.toml"
        file.write_text(POLICY.replace("break_s = 600", "break_s = -1").replace('does = "flag"', 'does = "flog"'))
        with pytest.raises(ConfigError) as refused:
            load(file)
        d.loads.refused(refused.value)
        _, told = await admin.get("/v1/policy")
        assert told["last_reload"]["accepted"] is False
        found = {(m["key"], m["line"], m["severity"]) for m in told["last_reload"]["mistakes"]}
        assert {("kinds.abuse.break_s", 15, "error"), ("keys.threat.does", 29, "error")} <= found
        assert all(m["remedy"] for m in told["last_reload"]["mistakes"])
        assert told["lines"] == POLICY.splitlines()
        page = await admin.page("/panel/admin/policy")
        assert "refused" in page
        assert "keys.threat.does" in page
        assert 'id="L15"' in page


async def test_doubts_are_shown_with_their_line(tmp_path: Path) -> None:
    """What was let pass and is probably not meant stays visible after the start."""
    async with desk(tmp_path, POLICY.replace('folder = "prompts"', 'folder = "nowhere"')) as d:
        admin = await d.of(Role.ADMIN)
        _, told = await admin.get("/v1/policy")
        assert ("prompts.folder", 10) in {(m["key"], m["line"]) for m in told["doubts"]}
        assert 'href="#L10"' in await admin.page("/panel/admin/policy")


async def test_a_text_that_cannot_be_kept_is_not_guessed(tmp_path: Path) -> None:
    """Changed between loading and keeping: no text is better than a wrong one."""
    async with desk(tmp_path) as d:
        file = tmp_path / "bagvagt.toml"
        settings = load(file)
        file.write_text(POLICY + "\n# later\n")
        d.loads.loaded(settings)
        admin = await d.of(Role.ADMIN)
        _, told = await admin.get("/v1/policy")
        assert told["lines"] == []
        assert "cannot be shown" in await admin.page("/panel/admin/policy")


async def test_an_auditor_reads_the_rules_and_no_names(tmp_path: Path) -> None:
    """People, agents, numbers are pseudonyms, the same throughout the text; rules are as they are."""
    named = (
        POLICY.replace('mqtt = "bo"', 'mqtt = "bo"\nsms = "+45 20 30 40 50"')
        + '\n[sms]\napprise_url_file = "secrets/apprise"\n'
    )
    async with desk(tmp_path, named) as d:
        auditor = await d.of(Role.AUDITOR)
        _, told = await auditor.get("/v1/policy")
        text = "\n".join(told["lines"])
        assert told["names"] is False
        for name in ("anna", "bo", "mette", "Mette Hansen", "20 30 40 50"):
            assert not re.search(rf"\b{name}\b", text), name
        pseudonym = d.admin.pseudonyms.of("policy", "anna")
        assert f"[people.{pseudonym}]" in text
        assert f'steps = [{{people = ["{pseudonym}"], wait_s = 60}}]' in text
        assert "break_s = 1800" in text
        page = await auditor.page("/panel/admin/policy")
        assert "Mette Hansen" not in page


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (
            'url = "https://user:pa55@sms.example/send?key=abc&to={to}"',
            f'url = "https://{HIDDEN}@sms.example/send?key={HIDDEN}&to={{to}}"',
        ),
        ('body = \'{"apikey": "abc123", "to": "{to}"}\'', f'body = \'{{"apikey": {HIDDEN}, "to": "{{to}}"}}\''),
        ("# old password = hunter2", f"# old password = {HIDDEN}"),
        ("# Authorization: Bearer abc.def", f"# Authorization: {HIDDEN}"),
        ('ami_secret_file = "secrets/ami"', 'ami_secret_file = "secrets/ami"'),
        ('tokens_file = "secrets/tokens.toml"', 'tokens_file = "secrets/tokens.toml"'),
    ],
)
def test_what_looks_like_a_secret_is_not_shown(written: str, shown: str) -> None:
    """Files with secrets are named; a secret that was put into the text all the same is hidden, wherever it stands."""
    assert without_secrets(written) == shown
