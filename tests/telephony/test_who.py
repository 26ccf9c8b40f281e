"""`bagvagt who`: who would be reached, on which rung and channel, and when each fires."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policies.rules import Rules
from telephony.settings import load, rules
from telephony.who import OnCall, Person, UnknownPlanError, Who, who
from tests.telephony.site_folder import EXAMPLE, site


@pytest.fixture
def example(tmp_path: Path) -> Rules:
    return rules(load(site(tmp_path)))


def rungs(told: Who, plan: str = "acute") -> list[tuple[str, float, int, str]]:
    (reach,) = [p for p in told.plans if p.plan == plan]
    return [(f"{r.at:%H:%M}", r.after_s, r.step, " ".join(p.name for p in r.people)) for r in reach.rungs]


MONDAY = datetime(2027, 3, 22, 7, 58)  # noqa: DTZ001 -- local


def test_each_rung_is_told_at_its_own_time(example: Rules) -> None:
    """A page that begins two minutes before eight: office opens, and the rota's hand-off is passed, while it runs."""
    told = who(example, MONDAY)
    assert not told.office
    assert rungs(told) == [
        ("07:58", 0, 2, "anna"),
        ("08:00", 120, 3, "bo chief"),
        ("08:03", 300, 1, "duty-desk anna"),
        ("08:04", 360, 3, "bo chief"),
        ("08:07", 540, 0, "chief"),
    ]
    assert told.plans[0].rungs[0].rotas == ("backup",)
    assert told.plans[0].rungs[0].people[0] == Person("anna", ("mqtt", "sms", "voice", "email"), (0, 0, 0, 0))
    assert told.plans[0].rungs[-1].wait_s == 300


def test_after_the_hand_off_it_is_the_other(example: Rules) -> None:
    """On Monday evening."""
    assert rungs(who(example, MONDAY.replace(hour=20)))[0] == ("20:58", 0, 2, "bo")


def test_a_page_that_runs_over_a_hand_off_goes_to_the_next_one(example: Rules) -> None:
    """On Easter Monday the office stays closed at eight, and the rota changes hands all the same."""
    told = rungs(who(example, datetime(2027, 3, 29, 7, 58)))  # noqa: DTZ001 -- local
    assert [(at, people) for at, _, step, people in told if step == 2] == [("07:58", "bo"), ("08:03", "anna")]


def test_the_rotas_of_the_coming_days(example: Rules) -> None:
    """From the time that was asked for, with each hand-off between; none when no days are wanted."""
    told = who(example, MONDAY, days=8)
    zone = told.at.tzinfo
    handoffs = [datetime(2027, 3, 22, 8, tzinfo=zone), datetime(2027, 3, 29, 8, tzinfo=zone)]
    end = datetime(2027, 3, 30, 8, 58, tzinfo=zone)  # eight times 24 hours: the clocks went forward in between
    assert told.rotas == (
        OnCall("backup", told.at, handoffs[0], ("anna",)),
        OnCall("backup", handoffs[0], handoffs[1], ("bo",)),
        OnCall("backup", handoffs[1], end, ("anna",)),
    )
    assert who(example, MONDAY, days=0).rotas == ()


def test_one_plan_alone_with_its_rotas(example: Rules) -> None:
    """And a plan that is not there is an error that names those that are."""
    assert [p.plan for p in who(example, MONDAY, plan="aftercare").plans] == ["aftercare"]
    assert who(example, MONDAY, plan="aftercare").rotas == ()
    assert {shift.rota for shift in who(example, MONDAY, plan="acute").rotas} == {"backup"}
    with pytest.raises(UnknownPlanError, match='no plan "acut"; there are acute, aftercare'):
        who(example, MONDAY, plan="acut")


def test_a_time_that_does_not_exist_is_said(example: Rules) -> None:
    """As `explain` does."""
    told = who(example, datetime(2027, 3, 28, 2, 30))  # noqa: DTZ001 -- local
    assert f"{told.at:%H:%M %Z}" == "03:30 CEST"
    assert told.note in told.lines()


def test_it_reads_as_a_table(example: Rules) -> None:
    """Columns stand below each other; a gap in a rota is said aloud; channels, and no addresses."""
    early = datetime(2026, 1, 4, 12, tzinfo=UTC)  # a day before the rota begins
    lines = who(example, early, days=2).lines()
    assert lines[0] == "At Sun 2026-01-04 13:00 CET, outside office hours"
    assert (
        "  13:00:00  step 3, round 1                     bo by mqtt, sms and voice; chief by mqtt, sms and voice"
        in lines
    )
    assert "  13:06:00  last resort, and again every 300 s  chief by mqtt, sms and voice" in lines
    assert "  Sun 2026-01-04 13:00  to  Mon 2026-01-05 08:00  NOBODY" in lines
    assert "+45" not in "\n".join(lines)


def test_channels_in_turn_say_when(example: Rules) -> None:
    """Each channel's time on the rung; at once for the last resort; and none whose turn comes too late."""
    told = who(example, MONDAY, plan="aftercare")
    (rung, *_, last) = told.plans[0].rungs
    assert rung.people == (
        Person("anna", ("mqtt", "sms", "voice", "email"), (0, 240, 480, 720)),
        Person("bo", ("mqtt", "sms", "voice"), (0, 240, 480)),
    )
    assert last.people == (Person("chief", ("mqtt", "sms", "voice"), (0, 0, 0)),)
    anna = "anna by mqtt, then sms (+240 s), then voice (+480 s), then email (+720 s)"
    assert (
        f"  07:58:00  step 2, round 1                     {anna}; bo by mqtt, then sms (+240 s), then voice (+480 s)"
        in (told.lines())
    )
    plan = example.pages["aftercare"]
    slow = replace(plan, steps=tuple(replace(step, in_turn_s=450) for step in plan.steps))
    rung = who(replace(example, pages={"aftercare": slow}), MONDAY).plans[0].rungs[0]
    assert rung.people[0] == Person("anna", ("mqtt", "sms"), (0, 450))


def test_a_rung_of_another_day_says_which(example: Rules) -> None:
    """A page at 23:59 that goes on after midnight."""
    lines = who(example, datetime(2027, 3, 22, 23, 59), plan="acute").lines()  # noqa: DTZ001 -- local
    assert any(line.startswith("  Tue 2027-03-23 00:01:00  step 3, round 1") for line in lines)


def test_machines_get_it_as_json(example: Rules) -> None:
    """Times with their offset, names and channels."""
    told = json.loads(who(example, MONDAY, plan="acute", days=1).json())
    assert told["at"] == "2027-03-22T07:58:00+01:00"
    anna = {"name": "anna", "channels": ["mqtt", "sms", "voice", "email"], "after_s": [0, 0, 0, 0]}
    assert told["plans"][0]["rungs"][0]["people"] == [anna]
    assert told["rotas"][0]["until"] == "2027-03-22T08:00:00+01:00"


def test_the_manual_shows_what_is_really_said(example: Rules) -> None:
    """`docs/rota.md` shows what is said of the example policy."""
    manual = (EXAMPLE.parent / "docs" / "rota.md").read_text(encoding="utf-8")
    shown = manual[manual.index("At Mon 2027-03-22 07:58") :].split("\n```")[0]
    assert shown.splitlines() == who(example, MONDAY, plan="acute").lines()
