"""The command `bagvagt`, as an admin uses it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from telephony.__main__ import app
from tests.lab.service import Service
from tests.lab.waiting import until

POLICY = """
    [site]
    name = "Test"
    zone = "Europe/Copenhagen"
    language = "da"
    country = "DK"

    [pbx]
    kind = "simulator"

    [http]
    port = {http_port}
    tokens_file = "tokens.toml"

    [prompts]
    folder = "prompts"

    [keys.warn]
    does = "warn"
    kind = "abuse"
    code = "*91"
    speed_dial = "8591"

    [kinds.abuse]
    may_end = true
    break_s = 600
"""


def run(*arguments: object, expect: int = 0) -> str:
    """Run a command; return what it printed, on either stream."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == expect, result.output
    return result.output


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy file that loads."""
    (tmp_path / "prompts").mkdir()
    service = Service(tmp_path, POLICY)
    service.token("anna-screen", "agent", agent="anna")
    return service.policy_file


def test_check_says_fine_or_every_mistake_with_line_and_remedy(policy: Path) -> None:
    """Exit 0 and one line; exit 1, each mistake with file and line, and the number of them."""
    assert "fine" in run("check", policy)
    text = policy.read_text().replace("may_end = true", "may_end = true\nlatched = true\nclosin = 3")
    policy.write_text(text)
    said = run("check", policy, expect=1)
    line = text.splitlines().index("closin = 3") + 1
    assert f"{policy}:{line}: kinds.abuse.closin" in said
    assert "latched" in said
    assert "would not be loaded" in said


def test_check_of_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    """No traceback."""
    assert "no such file" in run("check", tmp_path / "none.toml", expect=1)


def test_explain_says_what_a_key_would_do_and_which_line_says_so(policy: Path) -> None:
    """In the hour that the clocks skip, too."""
    said = run(
        "explain", "-c", policy, "--agent", "anna", "--kind", "abuse", "--key", "end", "--at", "2027-03-28T02:30"
    )
    line = policy.read_text().splitlines().index("may_end = true") + 1
    assert "You are free" in said
    assert f"kinds.abuse.may_end = true (line {line})" in said
    assert "does not exist" in said


def test_explain_of_an_unknown_key_names_the_known_ones(policy: Path) -> None:
    """A clear answer instead of a traceback."""
    said = run("explain", "-c", policy, "--agent", "anna", "--key", "nonsense", expect=1)
    assert "warn" in said


def test_explain_of_a_time_that_is_none_says_how_to_write_it(policy: Path) -> None:
    """Usage error, exit 2."""
    assert "2027-03-28T02:30" in run("explain", "-c", policy, "--agent", "a", "--key", "end", "--at", "noon", expect=2)


def test_a_recording_becomes_a_prompt_of_the_site(policy: Path, tmp_path: Path) -> None:
    """Converted into the policy's own folder; the check is still fine."""
    t = np.arange(48_000 * 2) / 48_000
    soundfile.write(tmp_path / "voice.flac", 0.1 * np.sin(2 * np.pi * 440 * t), 48_000)
    command = ("prompts", "import", tmp_path / "voice.flac", "-c", policy, "--name", "warning", "--language", "da")
    assert "gain" in run(*command)
    assert soundfile.info(tmp_path / "prompts" / "da" / "warning.wav").samplerate == 8000
    assert "fine" in run("check", policy)
    assert "no-such.wav" in run("prompts", "import", tmp_path / "no-such.wav", *command[3:], expect=1)


def test_a_token_is_shown_once_with_the_hash_for_the_file() -> None:
    """Two tokens are never the same."""
    assert run("token") != run("token")
    assert 'sha256 = "' in run("token")


def test_the_key_command_without_a_token_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the variable and the option."""
    monkeypatch.delenv("BAGVAGT_TOKEN", raising=False)
    assert "BAGVAGT_TOKEN" in run("key", "warn", expect=2)


def test_the_key_command_without_a_service_says_which_address(tmp_path: Path) -> None:
    """Nobody listens there."""
    (tmp_path / "token").write_text("secret")
    said = run("key", "warn", "--server", "http://127.0.0.1:9", "--token-file", tmp_path / "token", expect=1)
    assert "http://127.0.0.1:9" in said


async def test_a_running_service_answers_keys_reloads_and_keeps_a_journal(tmp_path: Path) -> None:
    """A real process: a key without a call, a bad policy refused with its place, a good one taken, stopped in order."""
    (tmp_path / "prompts").mkdir()
    service = Service(tmp_path, POLICY)
    token = service.token("anna-screen", "agent", agent="anna")
    service.secret_file("token", token)
    await service.start()
    try:
        token_file = str(tmp_path / "token")
        said = await service.command("key", "warn", "--server", service.url, "--token-file", token_file, expect=1)
        assert "not permitted: You have no call." in said
        good = service.policy_file.read_text()
        service.policy_file.write_text(good + "\n[kinds.abuse]\n")
        await until(lambda: service.said("policy_refused"), 15, "the bad policy is refused")
        assert str(service.policy_file) in service.said("policy_refused")[0]["place"]
        service.policy_file.write_text(good.replace("break_s = 600", "break_s = 601"))
        await until(lambda: service.said("policy_loaded"), 15, "the good policy is taken")
        assert await service.is_ready()
    finally:
        await service.stop()
    assert service.said("stopped")
    verified = await service.command("audit", "verify", "-c", str(service.policy_file))
    assert "unbroken" in verified
    head = verified.split("Head ")[1].strip()
    await service.command("audit", "verify", "-c", str(service.policy_file), "--head", head)
    count, _, _ = head.partition(":")
    wrong = f"{count}:{'0' * 64}"
    said = await service.command("audit", "verify", "-c", str(service.policy_file), "--head", wrong, expect=1)
    assert "BROKEN" in said
    assert not service.said("not json")
