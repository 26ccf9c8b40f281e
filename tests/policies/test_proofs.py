from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import actions as act
from policies import events as ev
from policies.events import Delivery, Report, Says
from policies.model import Timer
from policies.proofs import Proof, ProofState, decent_time, is_decent
from policies.rules import OfficeHours, ProofRules, Rules, Severity
from tests.policies.paging import BAGVAGT, DEPUTY, plan
from tests.policies.story import NOON, RULES, Story

TESTED = ProofRules()
PEOPLE = {c.name: c for c in (BAGVAGT, DEPUTY)}
SMS = "Deputy/sms"


def rules(**changes: object) -> Rules:
    given_ = {"people": PEOPLE, "proofs": TESTED, "pages": {"night": plan()}, **changes}
    return replace(RULES, **given_)  # type: ignore[arg-type]


class Site(Story):
    """A site whose channels are tested."""

    def __init__(self, made: Rules | None = None) -> None:
        super().__init__(made or rules())
        self.load(made or rules())

    def load(self, made: Rules) -> None:
        self.policy = self.policy.replaced_by(made, self.now)
        self.feed(ev.PolicyLoaded(**self.stamp(), rules=made))

    def proof(self, id_: str = SMS) -> Proof:
        return self.state.proofs[id_]

    def due(self, what: str = "ask", id_: str = SMS) -> datetime:
        """Return when that timer was set for by the last event."""
        (found,) = [t.due_at for t in self.all(act.StartTimer) if t.timer == Timer("proof", id_, what)]
        return found

    def fire(self, what: str = "ask", id_: str = SMS) -> None:
        self.feed(ev.TimerFired(**self.stamp(), timer=Timer("proof", id_, what)))

    def asked(self) -> act.Notify:
        """Let the deputy's test become due, in its hours."""
        self.fire()
        return self.one(act.Notify)


def test_every_channel_of_every_person_gets_a_proof_and_a_time() -> None:
    """All unproved at first, each with a test at a decent hour."""
    site = Site()
    assert sorted(site.state.proofs) == ["Bagvagt/mqtt", "Bagvagt/sms", "Bagvagt/voice", SMS]
    assert {p.state for p in site.state.proofs.values()} == {ProofState.UNPROVED}
    dues = [t.due_at for t in site.all(act.StartTimer)]
    assert len(dues) == 4
    assert all(is_decent(TESTED, RULES.office, due) for due in dues)


def test_nothing_is_tested_where_policy_does_not_say_so() -> None:
    """No section, no messages."""
    assert not Site(rules(proofs=None)).state.proofs


def test_a_test_says_so_and_an_answer_proves_the_channel() -> None:
    """Sent and delivered are not enough; the answer is, and the next test is a month away."""
    site = Site()
    notify = site.asked()
    assert (notify.reason, notify.severity, notify.person, notify.channel) == ("test", Severity.NORMAL, "Deputy", "sms")
    site.feed(ev.Notified(**site.stamp(), action=notify.id, page=notify.page, delivery=Delivery.SENT))
    site.feed(ev.MessageReported(**site.stamp(), message=notify.message, report=Report.DELIVERED))
    assert site.proof().state is ProofState.ASKED
    site.feed(ev.PageReplied(**site.stamp(), channel="sms", address="+4520304051", says=Says.TAKE))
    assert (site.proof().state, site.proof().proved_at) == (ProofState.PROVED, site.now)
    assert site.due() - site.now >= timedelta(days=30)
    assert site.one(act.StandDown).by == "Deputy"


def test_somebody_else_s_answer_proves_nothing() -> None:
    """The test of Deputy's phone, answered in another name."""
    site = Site()
    notify = site.asked()
    site.feed(ev.PageAnswered(**site.stamp(), page=notify.page, by="Bagvagt", means="mqtt"))
    assert site.proof().state is ProofState.ASKED


def test_passing_a_test_on_is_an_answer() -> None:
    """Who pressed 3 heard it."""
    site = Site()
    notify = site.asked()
    site.feed(ev.PagePassed(**site.stamp(), page=notify.page, by="Deputy", means="voice"))
    assert site.proof().state is ProofState.PROVED


def test_a_test_that_nobody_answers_lapses_and_comes_again() -> None:
    """Unproved, taken back, counted; again after one day, then two, then four; what was proved stays on record."""
    site = Site(rules(proofs=replace(TESTED, days=frozenset(range(7)))))
    days = []
    for lapses in (1, 2, 3):
        site.asked()
        site.fire("lapse")
        assert (site.proof().state, site.proof().lapses) == (ProofState.UNPROVED, lapses)
        assert site.one(act.StandDown).by == ""
        days.append((site.due() - site.now).days)
    assert days[0] < days[1] < days[2]


def test_a_late_answer_proves_the_channel_too() -> None:
    """The phone was off over the weekend."""
    site = Site()
    notify = site.asked()
    site.fire("lapse")
    site.feed(ev.PageReplied(**site.stamp(), channel="sms", address="+4520304051", says=Says.TAKE, code=notify.code))
    assert site.proof().state is ProofState.PROVED


@pytest.mark.parametrize("how", ["refused", "failed"])
def test_a_carrier_that_will_not_have_it_needs_no_waiting(how: str) -> None:
    """Reported at once, not after a day."""
    site = Site()
    notify = site.asked()
    if how == "refused":
        site.feed(ev.Notified(**site.stamp(), action=notify.id, page=notify.page, delivery=Delivery.REFUSED))
    else:
        site.feed(ev.MessageReported(**site.stamp(), message=notify.message, report=Report.FAILED))
    assert site.proof().state is ProofState.UNPROVED
    assert site.proof().lapses == 1


def test_a_test_whose_fate_is_unknown_is_sent_once_more() -> None:
    """Under the same id, as an alarm."""
    site = Site()
    first = site.asked()
    unknown = {"page": first.page, "delivery": Delivery.UNKNOWN}
    site.feed(ev.Notified(**site.stamp(), action=first.id, **unknown))  # type: ignore[arg-type]
    second = site.one(act.Notify)
    assert second.message == first.message
    site.feed(ev.Notified(**site.stamp(), action=second.id, **unknown))  # type: ignore[arg-type]
    assert not site.all(act.Notify)


def test_an_answer_to_an_alarm_proves_its_channel() -> None:
    """A real night is the best test; the next one is a month away."""
    site = Site()
    site.feed(ev.PageOpened(**site.stamp(), plan="night", incident="i", reason="call"))
    site.feed(ev.PageReplied(**site.stamp(), channel="sms", address="+4520304050", says=Says.TAKE))
    assert site.proof("Bagvagt/sms").state is ProofState.PROVED
    assert site.proof("Bagvagt/mqtt").state is ProofState.UNPROVED


def test_nobody_is_tested_who_has_an_alarm_to_answer() -> None:
    """The test comes later, and its code could not be mixed up with the alarm's."""
    site = Site()
    site.feed(ev.PageOpened(**site.stamp(), plan="night", incident="i", reason="call"))
    site.fire("ask", "Bagvagt/sms")
    assert not site.all(act.Notify)
    assert site.due("ask", "Bagvagt/sms") >= site.now + timedelta(hours=1)


def test_a_test_that_comes_due_at_night_waits_for_the_day() -> None:
    """The machine slept over the hour."""
    site = Site()
    site.now = datetime(2026, 3, 28, 2, 0, tzinfo=UTC)
    site.fire()
    assert not site.all(act.Notify)
    assert is_decent(TESTED, RULES.office, site.due())


def test_somebody_may_ask_for_a_test_at_any_hour() -> None:
    """The admin presses the button at six in the evening, also where nothing is tested by itself."""
    site = Site(rules(proofs=None))
    site.now = NOON + timedelta(hours=6)
    site.feed(ev.ProofAsked(**site.stamp(), person="Deputy", channel="sms", by="admin"))
    assert site.one(act.Notify).address == "+4520304051"
    for person, channel in (("Deputy", "voice"), ("Nobody", "sms")):
        site.feed(ev.ProofAsked(**site.stamp(), person=person, channel=channel, by="admin"))
        assert site.last == ()


def test_another_address_has_to_be_proved_anew_and_who_left_is_forgotten() -> None:
    """A new number is a new path; a proof of nobody is none."""
    site = Site()
    notify = site.asked()
    site.feed(ev.PageAnswered(**site.stamp(), page=notify.page, by="Deputy", means="sms"))
    moved = replace(DEPUTY, channels=(("sms", "+4520304099"),))
    site.load(rules(people={"Deputy": moved}))
    assert list(site.state.proofs) == [SMS]
    assert (site.proof().state, site.proof().proved_at) == (ProofState.UNPROVED, None)
    before = site.state.proofs
    site.load(rules(people={"Deputy": moved}, version="2"))
    assert site.state.proofs == before


DAYS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- naive bounds


@given(DAYS, st.text(), st.sampled_from(["Europe/Copenhagen", "Europe/Helsinki", "Atlantic/Reykjavik"]))
def test_a_decent_time_is_within_the_hours_of_a_working_day(at: datetime, spread: str, zone: str) -> None:
    """Never before it is asked for, never on a closed day, never in the night, also when the clocks change."""
    holidays = frozenset({date(y, 12, d) for y in range(2020, 2041) for d in (24, 25, 26)})
    office = OfficeHours(zone=zone, holidays=holidays)
    when = decent_time(TESTED, office, at, spread)
    local = when.astimezone(ZoneInfo(zone))
    assert at <= when <= at + timedelta(days=8)
    assert time(10) <= local.time() < time(14)
    assert local.weekday() < 5
    assert local.date() not in holidays


def test_a_test_that_is_out_is_taken_back_when_its_person_leaves_or_moves() -> None:
    """Nothing is left ringing at a broker or waiting in a modem for somebody whom policy no longer has."""
    for people in ({}, {"Deputy": replace(DEPUTY, channels=(("sms", "+4520304099"),))}):
        site = Site()
        notify = site.asked()
        site.load(rules(people=people))
        downs = [a for a in site.all(act.StandDown) if a.page == notify.page]
        assert [(d.by, d.told[0][1]) for d in downs] == [("", "+4520304051")]
        assert (SMS in site.state.proofs) == bool(people)


def test_a_test_by_hand_outlives_a_reload_without_tests_by_themselves() -> None:
    """[proofs] is left out; the admin has asked; the policy is loaded again; the answer still counts, and stays."""
    bare = rules(proofs=None)
    site = Site(bare)
    site.feed(ev.ProofAsked(**site.stamp(), person="Deputy", channel="sms", by="admin"))
    page = site.one(act.Notify).page
    site.load(replace(bare, version="2"))
    site.feed(ev.PageAnswered(**site.stamp(), page=page, by="Deputy", means="sms"))
    site.load(replace(bare, version="3"))
    assert site.proof().state is ProofState.PROVED
    site.load(rules())
    assert is_decent(TESTED, RULES.office, site.due())
