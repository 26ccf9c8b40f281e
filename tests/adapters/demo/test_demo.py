"""The demo as a newcomer starts it: the shift without a terminal, and with one, with keys."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.demo.stage import POLICY
from tests.adapters.demo.terminal import LIMIT_S, ROOT, Terminal

STORIES = (
    ("kept     Bagvagt did nothing",),
    (
        "presses *91 (warn).",
        "the warning, whole (5.2 of 5.2 s)",
        "Evidence: ",
        "[rule: kinds.abuse.wait_s]",
        "[rule: kinds.abuse.may_end]",
        "kept     The agent is free while the caller still hears the closing.",
        "[rule: kinds.abuse.break_s]",
        "is paused in the queue “helpline”. Reason: bagvagt:",
        "kept     The queue gave the next call to",
        "the closing message, whole (6.1 of 6.1 s)",
        "kept     The rude caller heard the whole warning and the whole closing",
        "break is over: its time is up.",
    ),
    (
        "presses *93 (colleague).",
        "Karla does not answer.",
        "the brief, whole",
        "is in the call, with the third caller and",
        "kept     Karla did not answer, ",
    ),
    (
        "presses *99 (suicide).",
        "SMS      To Anna: “Bagvagt: ACUTE alarm",
        "To Karla: no. “Acute: no key ends this call.”  [rule: kinds.suicide.latched]",
        "Bo's phone, by MQTT: “Bagvagt: ACUTE alarm",
        "Mette's phone, by MQTT: “Bagvagt: ACUTE alarm",
        "Mette answers, by MQTT.",
        "The alarm is over: Mette has it.",
        "kept     Unanswered, the alarm went up two rungs",
    ),
    (
        "KILLED.",
        "Status of the service, for every screen: offline.",
        "kept     Without Bagvagt calls go on",
        "Started again",
        "kept     Nothing is lost",
        "The alarm is over: Bo has it.",
        "kept     The alarm went on to its next rung, and the break ended by itself",
        "chain verified, unbroken",
        "5 of 5 stories happened as promised.",
    ),
)
"""What is told in each; in one story, a machine that is busy may swap lines of the same moment."""


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    """Run Python without a terminal."""
    env = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "COLUMNS")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    made: list[Terminal] = []

    def make(*arguments: str) -> Terminal:
        made.append(Terminal(*arguments))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_the_shift() -> None:
    """Proves that the whole shift happens without a terminal, story by story, in plain lines, and ends with 0."""
    shown = run("-m", "telephony", "demo", "--pace", "20")
    assert (shown.returncode, shown.stderr) == (0, ""), shown.stdout + shown.stderr
    assert "\x1b" not in shown.stdout
    assert "http://" not in shown.stdout, "nobody is there to look at the screens, and the demo ends by itself"
    told = re.split(r"^── \d of 5: .* ──$", shown.stdout, flags=re.MULTILINE)[1:]
    assert len(told) == len(STORIES)
    for story, lines in zip(told, STORIES, strict=True):
        assert [line for line in lines if line not in story] == [], story


def test_a_promise_that_is_not_kept(tmp_path: Path) -> None:
    """Proves that the demo notices by itself: under a policy that never ends calls it fails, and says where."""
    policy = tmp_path / "demo.toml"
    policy.write_text(POLICY.read_text().replace("may_end = true", "may_end = false"))
    code = "import sys, pathlib, adapters.demo.stage as s; s.POLICY = pathlib.Path(sys.argv.pop())"
    start = "from telephony.__main__ import main; main()"
    shown = run("-c", f"{code}; {start}", "demo", "--pace", "20", str(policy))
    assert shown.returncode == 1
    assert shown.stderr.startswith("The demo failed: the key warn was answered")
    assert shown.stderr.count("\n") == 1
    assert "stories happened as promised" not in shown.stdout


def test_without_the_broker() -> None:
    """Proves that a missing package is named in one line, with the remedy."""
    code = "import sys; sys.modules['amqtt'] = None; from telephony.__main__ import main; main()"
    shown = run("-c", code, "demo")
    assert shown.returncode == 1
    assert "pip install 'bagvagt[demo]'" in shown.stderr
    assert shown.stderr.count("\n") == 1


def test_without_anybody_at_the_keys() -> None:
    """Proves that to play without a terminal is refused in one line, rather than going on for ever."""
    shown = run("-m", "telephony", "demo", "--play")
    assert (shown.returncode, shown.stderr.count("\n")) == (1, 1)
    assert "needs a terminal" in shown.stderr


def test_keys_in_your_hands(terminal: Callable[..., Terminal]) -> None:
    """Proves that a person at a terminal warns and ends a call with single keys, and leaves it as it was."""
    demo = terminal("--play", "--pace", "3")
    demo.until(lambda text: "keys: w warn" in text)
    demo.press("w")
    demo.until(lambda text: "Evidence: " in text)
    demo.press("w")
    demo.until(lambda text: "To you: not yet. “The caller has been warned. Wait a moment before ending.”" in text)
    demo.until(lambda text: "Useless. You are all useless." in text)  # said long after the wait is over
    demo.press("w")
    demo.until(lambda text: "You are free. The caller hears the closing message." in text)
    demo.until(lambda text: "is disconnected after the closing message" in text)
    demo.press("q")
    assert demo.ended() == 0
    assert "You quit." in demo.text
    assert demo.is_as_before()
    assert not demo.is_anybody_left()
    assert not re.search(r"\x1b\[[0-9;]*[39][0-7][;m]", demo.raw), "NO_COLOR is set, and there is colour"


def test_a_turn_before_the_end_of_the_shift(terminal: Callable[..., Terminal]) -> None:
    """Proves that p ends the shift in the middle of a call, and that callers then ring whoever pressed it."""
    demo = terminal("--pace", "5")
    demo.until(lambda text: "2 of 5" in text)
    demo.press("p")
    demo.until(lambda text: "You answer the angry caller." in text)
    demo.press("q")
    assert demo.ended() == 0
    assert "The shift gives way to you." in demo.text


@pytest.mark.parametrize("during", [("1 of 5", ()), ("keys: w warn", ("--play",))])
def test_ctrl_c(terminal: Callable[..., Terminal], during: tuple[str, tuple[str, ...]]) -> None:
    """Proves that Ctrl-C ends it with no word of Python, leaves no process, and the terminal as it was."""
    shown, arguments = during
    demo = terminal(*arguments)
    demo.until(lambda text: shown in text)
    assert not demo.is_as_before()  # single keys, no echo
    demo.press("\x03")
    assert demo.ended() == 130
    assert demo.is_as_before()
    assert not demo.is_anybody_left()
    assert "Traceback" not in demo.text
    assert "Error" not in demo.text
