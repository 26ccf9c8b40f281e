"""`explain`: what a key would do, told by the core itself, and the line of the file that says so."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from policies.actions import Verdict
from policies.reasons import Reason
from telephony.explain import Explanation, UnknownKeyError, explain, local_time
from telephony.settings import Settings, load
from tests.telephony.site_folder import EXAMPLE, SMALL, changed, site

MONDAY = datetime(2027, 3, 22, 10, 0)  # noqa: DTZ001 -- local time of the site, as typed on the command line


@pytest.fixture
def example(tmp_path: Path) -> Settings:
    """The example policy."""
    return load(site(tmp_path))


def asked(
    settings: Settings,
    kind: str,
    key: str,
    at: datetime = MONDAY,
    *,
    warned: int | None = None,
    since_warning_s: float | None = None,
) -> Explanation:
    """Ask for agent7."""
    return explain(settings, "agent7", kind, key, at, warned=warned, since_warning_s=since_warning_s)


def line(settings: Settings, number: int | None) -> str:
    """Return a line of the policy file."""
    assert number is not None
    return settings.origin.file.read_text().splitlines()[number - 1]


ROWS = [
    ("abuse", "warn", {}, Reason.WARNING_STARTED, "kinds.abuse.warning", 'warning = "warning"'),
    ("abuse", "end", {}, Reason.ENDING, "kinds.abuse.may_end", "may_end = true"),
    ("abuse", "end", {"warned": 0}, Reason.NO_WARNING_YET, "kinds.abuse.warnings", "warnings = 1"),
    ("abuse", "end", {"since_warning_s": 2}, Reason.WAIT, "kinds.abuse.wait_s", "wait_s = 5"),
    ("abuse", "end", {"since_warning_s": 601}, Reason.WARNING_TOO_OLD, "kinds.abuse.warning_lasts_s", "_lasts_s = 600"),
    ("abuse", "warn", {"warned": 1}, Reason.ENDING, "kinds.abuse.may_end", "may_end = true"),
    ("superior", "end", {}, Reason.KIND_NOT_ENDED, "kinds.superior.may_end", "[kinds.superior]"),
    ("suicide", "end", {}, Reason.LATCHED, "kinds.suicide.latched", "latched = true"),
    ("suicide", "suicide", {}, Reason.ACUTE, "kinds.suicide.latched", "latched = true"),
    ("abuse", "suicide", {"warned": 1}, Reason.ACUTE, "kinds.suicide.latched", "latched = true"),
    ("suicide", "warn", {}, Reason.ACUTE, "kinds.suicide.latched", "latched = true"),
    ("superior", "flag", {}, Reason.FLAGGED, "kinds.superior", "[kinds.superior]"),
    ("threat", "colleague", {}, Reason.NOT_TRANSFERABLE, "kinds.threat.may_transfer", "may_transfer = false"),
    ("abuse", "colleague", {}, Reason.RINGING, "handoff.colleague", "[handoff.colleague]"),
    ("", "chief", {}, Reason.CHIEF_RINGING, "handoff.chief", "[handoff.chief]"),
    ("abuse", "back", {}, Reason.BREAK_OVER, "breaks.agent_may_end", "agent_may_end = true"),
    ("nonsense", "end", {}, Reason.NO_SUCH_KIND, "kinds", "[kinds.abuse]"),
]


@pytest.mark.parametrize(("kind", "key", "more", "reason", "rule", "stands"), ROWS)
def test_the_answer_and_the_rule_for_it(
    kind: str, key: str, more: dict[str, int], reason: Reason, rule: str, stands: str, example: Settings
) -> None:
    """Each case: the core's own answer, the dotted key that it rests on, and the line where that stands."""
    told = asked(example, kind, key, warned=more.get("warned"), since_warning_s=more.get("since_warning_s"))
    assert told.reason is reason
    assert told.rule is not None
    assert told.rule.key == rule
    assert stands in line(example, told.rule.line)
    assert told.rule.written == (rule != "kinds.superior.may_end")  # which the example leaves to its default


def test_an_ending_in_words(example: Settings) -> None:
    """What an agent and an admin read: the answer, what is done, the break with length and end, and why."""
    told = asked(example, "abuse", "end")
    assert told.verdict is Verdict.ACCEPTED
    assert told.actions == ('agent7 is let go at once; the caller hears the prompt "closing" (da) and is disconnected',)
    assert told.break_s == 600
    assert told.break_until is not None
    assert f"{told.break_until:%H:%M %Z}" == "10:10 CET"
    assert told.break_rule is not None
    assert line(example, told.break_rule.line) == "break_s = 600"
    text = "\n".join(told.lines())
    assert "Assumed: warnings heard by the caller: 1, the last 6 s ago" in text
    assert "Because: kinds.abuse.may_end = true (line " in text
    assert "You are free." in text


def test_the_wait_is_said(example: Settings) -> None:
    """Not yet: how long until then."""
    told = asked(example, "abuse", "end", since_warning_s=2)
    assert told.verdict is Verdict.NOT_YET
    assert told.answer.endswith("Possible in 3 s.")


def _rungs(told: Explanation) -> list[tuple[str, int, str]]:
    return [(f"{t.at:%H:%M:%S}", t.step, " ".join(name for name, _ in t.people)) for t in told.told]


def test_who_is_paged_in_office_hours(example: Settings) -> None:
    """Rung by rung, with the time at which each is told while nobody answers, to the last resort."""
    told = asked(example, "suicide", "suicide")
    assert told.office == "in office hours"
    assert line(example, told.office_rule.line) == 'mon = ["08:00-16:00"]'
    assert _rungs(told) == [
        ("10:00:00", 1, "duty-desk anna"),
        ("10:01:00", 3, "bo chief"),
        ("10:04:00", 1, "duty-desk anna"),
        ("10:05:00", 3, "bo chief"),
        ("10:08:00", 0, "chief"),
    ]
    assert told.told[1].people[0] == ("bo", ("mqtt", "sms", "voice"))
    assert str(told.told[1]).startswith("Page acute 10:01:00: bo (mqtt, sms and voice), chief (mqtt, sms and voice) [")
    assert line(example, told.told[1].rule.line) == "[[pages.acute.steps]]"
    assert line(example, told.told[-1].rule.line) == 'last_resort = "chief"'


def test_a_step_that_uses_channels_in_turn_says_so(tmp_path: Path) -> None:
    """Their order, the time between them, and none whose turn would come when the step is over."""
    policy = site(tmp_path)
    told = asked(load(policy), "sexual", "warn", MONDAY.replace(hour=20))
    assert told.told[0].in_turn_s == 240
    assert str(told.told[0]).startswith(
        "Page aftercare 20:00:00: anna (mqtt, then sms, then voice, then email; 240 s between them), "
        "bo (mqtt, then sms, then voice; 240 s between them) [step 2, round 1; pages.aftercare.steps[1] (line "
    )
    assert str(told.told[-1]).startswith("Page aftercare 20:30:00: chief (mqtt, sms and voice) [last resort")
    policy.write_text(
        policy.read_text(encoding="utf-8").replace("in_turn_s = 240", "in_turn_s = 450"), encoding="utf-8"
    )
    told = asked(load(policy), "sexual", "warn", MONDAY.replace(hour=20))
    assert [channels for _, channels in told.told[0].people] == [("mqtt", "sms"), ("mqtt", "sms")]


@pytest.mark.parametrize(
    ("at", "office", "rule", "on_call"),
    [
        (datetime(2027, 3, 21, 10, 0), "outside office hours", "office_hours.sun", "anna"),  # noqa: DTZ001 -- local
        (datetime(2027, 3, 22, 16, 0), "outside office hours", "office_hours.mon", "bo"),  # noqa: DTZ001
        (datetime(2027, 3, 26, 10, 0), "outside office hours: Good Friday", "site.country", "bo"),  # noqa: DTZ001
        (datetime(2027, 12, 24, 10, 0), "outside office hours: closed by the site", "site.closed", "anna"),  # noqa: DTZ001
    ],
)
def test_who_is_paged_outside_office_hours(
    at: datetime, office: str, rule: str, on_call: str, example: Settings
) -> None:
    """On a Sunday, after hours, on a public holiday and on the site's own closed day: the rungs for outside."""
    told = asked(example, "suicide", "suicide", at)
    assert (told.office, told.office_rule.key) == (office, rule)
    assert [name for name, _ in told.told[0].people] == [on_call]
    assert {t.step for t in told.told} == {2, 3, 0}


def test_a_page_that_runs_over_closing_time_changes_its_rungs(example: Settings) -> None:
    """Each rung is chosen at its own time: the second round at 16:03 is outside office hours."""
    told = asked(example, "suicide", "suicide", datetime(2027, 3, 22, 15, 59, 30))  # noqa: DTZ001 -- local
    assert [step for _, step, _ in _rungs(told)] == [1, 2, 3, 2, 3, 0]


def test_an_acute_call_says_that_nothing_ends_it_and_that_the_page_is_out(example: Settings) -> None:
    """The ending key on a suicide call: refused, and who has been paged for it."""
    told = asked(example, "suicide", "end")
    assert told.verdict is Verdict.NOT_PERMITTED
    assert told.actions[0].startswith("no key ends this call, until two people agree")
    assert told.told[0].plan == "acute"


def test_a_handoff_in_which_nobody_answers_is_told_to_its_end(example: Settings) -> None:
    """Colleague, then the chief's chain as `then` says, then the page: with the times that ringing takes."""
    told = asked(example, "abuse", "colleague")
    rung = [words.split(" (")[0] for words in told.actions if " is rung for " in words]
    assert rung == ["the first free colleague", "Teamleder", "Chefvagt"]
    assert _rungs(told)[0] == ("10:00:55", 1, "duty-desk")


def test_a_brief_says_that_the_caller_was_warned(example: Settings) -> None:
    """The colleague hears another brief when the caller was warned; so says the core, and so does this."""
    told = asked(example, "abuse", "colleague", warned=1)
    assert any("brief-takeover-warned" in words for words in told.actions)


def test_without_a_mark_there_is_no_break(example: Settings) -> None:
    """A call that is only handed over is no flagged call."""
    told = asked(example, "", "chief")
    assert (told.break_s, told.break_rule) == (0, None)


def test_a_default_is_said_to_be_one(tmp_path: Path) -> None:
    """A rule that the file leaves out is shown at its table, as the default that it is."""
    told = asked(load(site(tmp_path, SMALL)), "abuse", "end", since_warning_s=1)
    assert told.rule is not None
    assert str(told.rule) == "kinds.abuse.wait_s = 5 (line 9, default)"


def test_a_changed_line_changes_the_answer(tmp_path: Path) -> None:
    """What is explained is this file, not the example."""
    text = changed(SMALL, "kinds.abuse", "warnings = 2\nwait_s = 60")
    settings = load(site(tmp_path, text))
    assert asked(settings, "abuse", "end").reason is Reason.ENDING
    assert asked(settings, "abuse", "end", warned=1).reason is Reason.NO_WARNING_YET
    assert asked(settings, "abuse", "end", since_warning_s=59).reason is Reason.WAIT


@pytest.mark.parametrize(
    ("at", "taken", "words"),
    [
        (datetime(2027, 3, 28, 2, 30), "2027-03-28T03:30:00+02:00", "does not exist"),  # noqa: DTZ001 -- local
        (datetime(2027, 10, 31, 2, 30), "2027-10-31T02:30:00+02:00", "comes twice"),  # noqa: DTZ001
        (datetime(2027, 10, 31, 2, 30, fold=1), "2027-10-31T02:30:00+01:00", "the second"),  # noqa: DTZ001
        (datetime(2027, 10, 31, 3, 0), "2027-10-31T03:00:00+01:00", ""),  # noqa: DTZ001
        (datetime(2027, 3, 28, 1, 59), "2027-03-28T01:59:00+01:00", ""),  # noqa: DTZ001
        (datetime(2027, 3, 28, 1, 0, tzinfo=UTC), "2027-03-28T03:00:00+02:00", ""),
    ],
)
def test_the_hours_when_the_clocks_change(at: datetime, taken: str, words: str) -> None:
    """A time that does not exist, or exists twice, is taken as one, and it is said which."""
    real, note = local_time("Europe/Copenhagen", at)
    assert real.isoformat() == taken
    assert words in note
    assert bool(words) == bool(note)


def test_the_note_is_shown(example: Settings) -> None:
    """The example of the manual: a Sunday night at the hour that is skipped, on Easter Sunday."""
    lines = asked(example, "abuse", "end", datetime(2027, 3, 28, 2, 30)).lines()  # noqa: DTZ001 -- local
    assert lines[0].startswith("At 2027-03-28 03:30 CEST (outside office hours: Easter Sunday; site.country = ")
    assert lines[1].startswith("02:30 does not exist on 2027-03-28: the clocks go forward.")


def test_an_unknown_key_is_named_with_those_that_exist(example: Settings) -> None:
    """A typing mistake on the command line."""
    with pytest.raises(UnknownKeyError, match='no key "wran"; there are warn, sexual'):
        asked(example, "abuse", "wran")


def test_every_key_of_every_kind_can_be_explained(example: Settings) -> None:
    """Whatever is asked of the example, there is an answer, and every line that it names is in the file."""
    last = len(example.origin.file.read_text().splitlines())
    for kind in ("", *example.kinds):
        for key in (*example.keys, "warn", "end", "flag", "colleague", "chief", "back"):
            for warned in (None, 0, 1, 3):
                told = explain(example, "agent7", kind, key, MONDAY, warned=warned)
                assert told.answer
                assert len(told.lines()) >= 3
                places = [told.rule, told.break_rule, *(t.rule for t in told.told)]
                assert all(p is None or (p.line is not None and 1 <= p.line <= last) for p in places)


def test_the_manual_shows_what_is_really_said(example: Settings) -> None:
    """`docs/policy.md` shows an explanation of the example policy: this one, with these line numbers."""
    manual = (EXAMPLE.parent / "docs" / "policy.md").read_text(encoding="utf-8")
    shown = manual[manual.index("At 2027-03-28 03:30") :].split("\n```")[0]
    at = datetime(2027, 3, 28, 2, 30)  # noqa: DTZ001 -- local
    assert shown.splitlines() == asked(example, "abuse", "end", at).lines()


def test_the_manuals_small_policy_is_one(tmp_path: Path) -> None:
    """What the manual calls enough is enough."""
    manual = (EXAMPLE.parent / "docs" / "policy.md").read_text(encoding="utf-8")
    small = manual.split("```toml\n")[1].split("```")[0]
    assert asked(load(site(tmp_path, small)), "abuse", "end").reason is Reason.ENDING
