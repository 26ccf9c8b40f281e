"""What would happen if: the engine's own rules say it, of the policy in force and of one that is being written."""

from pathlib import Path
from typing import Any

import pytest

from adapters.accounts.model import Role
from tests.adapters.panel.admin.desk import POLICY, desk

WARN = {"agent": "mette", "key": "warn", "at": "2026-03-27T12:00"}


async def ask(tmp_path: Path, **question: Any) -> tuple[int, Any]:
    async with desk(tmp_path) as d:
        return await (await d.of(Role.ADMIN)).send("POST", "/v1/dry-run", {**WARN, **question})


async def test_a_warning_is_told_with_the_rule_and_its_line(tmp_path: Path) -> None:
    """The answer, why, what is done, and the break that follows, each with the line of the policy."""
    status, told = await ask(tmp_path)
    outcome = told["in_force"]
    assert (status, outcome["verdict"], outcome["reason"]) == (200, "accepted", "warning_started")
    assert outcome["at"] == "2026-03-27T12:00:00+01:00"
    assert outcome["break_s"] == 600
    assert outcome["break_rule"] == {"key": "kinds.abuse.break_s", "line": 15, "value": "600", "written": True}
    assert any('"warning"' in words for words in outcome["actions"])
    assert (told["candidate"], told["mistakes"], told["differs"]) == (None, [], [])


async def test_an_acute_key_tells_who_is_reached_rung_by_rung(tmp_path: Path) -> None:
    """With the channel, the time and the line; the last resort is the end."""
    _, told = await ask(tmp_path, key="threat")
    rungs = told["in_force"]["told"]
    assert [(r["step"], r["people"]) for r in rungs] == [
        (1, [{"name": "anna", "channels": ["mqtt"]}]),
        (1, [{"name": "anna", "channels": ["mqtt"]}]),
        (0, [{"name": "bo", "channels": ["mqtt"]}]),
    ]
    assert rungs[1]["at"] == "2026-03-27T12:01:00+01:00"


async def test_too_early_and_not_warned_are_told_apart(tmp_path: Path) -> None:
    """`warned` and `since_s` are the caller's part in it."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        _, early = await admin.send("POST", "/v1/dry-run", {**WARN, "warned": 1, "since_s": 2})
        _, later = await admin.send("POST", "/v1/dry-run", {**WARN, "warned": 1, "since_s": 60})
        assert early["in_force"]["verdict"] == "not_yet"
        assert later["in_force"]["reason"] == "ending"


async def test_a_candidate_is_compared_and_never_in_force(tmp_path: Path) -> None:
    """What differs is named; lines that have moved are no difference; the policy in force stays, file and all."""
    written = "# a new first line\n" + POLICY.replace("break_s = 600", "break_s = 900")
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        before = d.engine.policy
        status, told = await admin.send("POST", "/v1/dry-run", {**WARN, "candidate": written})
        assert status == 200
        assert told["candidate"]["break_s"] == 900
        assert told["candidate"]["break_rule"]["line"] == 16
        assert told["differs"] == ["break_s", "break_until", "break_rule"]
        _, same = await admin.send("POST", "/v1/dry-run", {**WARN, "candidate": "# only a remark\n" + POLICY})
        assert same["differs"] == []
        assert d.engine.policy is before
        assert (tmp_path / "bagvagt.toml").read_text() == POLICY
        assert d.loads.last is None


async def test_a_candidate_with_mistakes_has_all_of_them_told(tmp_path: Path) -> None:
    """Each with key, line and remedy; the outcome under the policy in force is told all the same."""
    wrong = POLICY.replace("break_s = 600", 'break_s = "long"').replace('last_resort = "bo"', 'last_resort = "ib"')
    _, told = await ask(tmp_path, candidate=wrong)
    assert told["candidate"] is None
    assert told["in_force"]["reason"] == "warning_started"
    errors = {(m["key"], m["line"]) for m in told["mistakes"] if m["severity"] == "error"}
    assert errors == {("kinds.abuse.break_s", 15), ("pages.backup.last_resort", 51)}
    assert all(m["remedy"] for m in told["mistakes"])


async def test_a_text_that_is_no_toml_names_the_line(tmp_path: Path) -> None:
    """A slip of the hand is found like in a file."""
    _, told = await ask(tmp_path, candidate="[site]\nzone = \n")
    assert [(m["line"], m["severity"]) for m in told["mistakes"]] == [(2, "error")]


async def test_a_candidate_uses_the_files_beside_the_policy(tmp_path: Path) -> None:
    """Secrets need not be sent along: they are found where the policy in force stands."""
    asks = POLICY.replace('kind = "simulator"', 'ami_secret_file = "secrets/ami"\nari_secret_file = "secrets/ari"')
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        _, told = await admin.send("POST", "/v1/dry-run", {**WARN, "candidate": asks})
        assert told["candidate"]["reason"] == "warning_started"
        without = asks.replace("secrets/ari", "secrets/none")
        _, told = await admin.send("POST", "/v1/dry-run", {**WARN, "candidate": without})
    assert [m["key"] for m in told["mistakes"] if m["severity"] == "error"] == ["pbx.ari_secret_file"]


@pytest.mark.parametrize("place", ["/etc/shadow", "../elsewhere", "secrets/../../up"])
async def test_a_candidate_is_no_way_to_ask_what_is_on_the_machine(tmp_path: Path, place: str) -> None:
    """A file elsewhere is not looked at, whether it is there or not: the answer is the same."""
    asks = POLICY.replace('kind = "simulator"', f'ami_secret_file = "{place}"\nari_secret_file = "secrets/ari"')
    (tmp_path.parent / "elsewhere").write_text("a secret of two\nlines")
    _, told = await ask(tmp_path, candidate=asks)
    assert [(m["key"], m["line"], m["message"]) for m in told["mistakes"]] == [
        ("pbx.ami_secret_file", 7, "names a file elsewhere: a dry run does not look there")
    ]


async def test_a_key_that_only_the_candidate_has_is_told_of_it_alone(tmp_path: Path) -> None:
    """And one that neither has is refused, with those that there are."""
    more = POLICY.replace("[agents.mette]", '[keys.stop]\ndoes = "end"\n\n[agents.mette]')
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        _, told = await admin.send("POST", "/v1/dry-run", {**WARN, "key": "stop", "candidate": more})
        assert told["in_force"] is None
        assert told["candidate"]["does"] == "end"
        status, refused = await admin.send("POST", "/v1/dry-run", {**WARN, "key": "stop"})
        assert (status, refused["errors"]) == (422, [{"where": "key", "what": "unknown"}])
        assert "warn" in refused["keys"]
        _, neither = await admin.send("POST", "/v1/dry-run", {**WARN, "key": "nope", "candidate": more})
        assert [m["key"] for m in neither["mistakes"]] == ["keys.nope"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("agent", ""), ("at", "9999-12-31T23:59"), ("at", "soon"), ("warned", -1), ("since_s", -0.1), ("more", 1)],
)
async def test_what_is_wrong_with_the_question_is_named(tmp_path: Path, field: str, value: Any) -> None:
    """By field."""
    status, refused = await ask(tmp_path, **{field: value})
    assert (status, [e["where"] for e in refused["errors"]]) == (422, [field])


async def test_the_form_answers_with_the_same(tmp_path: Path) -> None:
    """What is said of a wrong field is beside it; what was asked stays in the form; the answer is the policy's."""
    async with desk(tmp_path) as d:
        admin = await d.of(Role.ADMIN)
        form = {**WARN, "csrf": admin.csrf, "kind": "", "warned": "", "candidate": ""}
        status, page, _ = await admin.browser.ask("POST", "/panel/admin/dry-run", data=form)
        assert status == 200
        assert "kinds.abuse.break_s" in page
        assert "The caller is being warned." in page
        status, page, _ = await admin.browser.ask("POST", "/panel/admin/dry-run", data={**form, "warned": "-1"})
        assert status == 422
        assert 'aria-describedby="wrong-warned"' in page
        assert 'value="mette"' in page
