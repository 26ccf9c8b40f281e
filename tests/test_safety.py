"""The list of `docs/safety.md`: what must never happen, and the tests that show it, is true."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOC = (ROOT / "docs" / "safety.md").read_text()
TESTS = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> dict[int, list[tuple[str, str]]]:
    """Return what the second table names for each rule: (file, test)."""
    _, _, shown = DOC.partition("## What shows it")
    lines = re.findall(r"^\| (\d) \|(.*)$", shown, re.MULTILINE)
    return {int(rule): TESTS.findall(line) for rule, line in lines}


@pytest.mark.parametrize("rule", range(1, 7))
def test_each_rule_has_a_test_over_the_simulated_pbx_and_one_on_a_real_asterisk(rule: int) -> None:
    """Both are named, and are there under these names."""
    named = rows()[rule]
    folders = {file.split("/")[1] for file, _ in named}
    assert folders == {"simulation", "asterisk"}
    for file, test in named:
        functions = [n for n in ast.parse((ROOT / file).read_text()).body if hasattr(n, "name")]
        assert test in {function.name for function in functions}, f"{file} has no {test}"


def test_every_rule_that_is_stated_is_shown() -> None:
    """The table of rules and the list of tests have the same six."""
    stated = re.findall(r"^\| (\d) \|", DOC.partition("## What shows it")[0], re.MULTILINE)
    assert [int(rule) for rule in stated] == list(rows()) == list(range(1, 7))
