"""The texts that people get."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.paging.messages import Purpose, TakenBy, alarm_text, answered_text, purpose_of, reply_text
from adapters.paging.sms_replies import read_reply
from policies.actions import Answer, ReplyTo
from policies.events import Says
from policies.rules import Severity

LANGUAGES = ("da", "sv", "fi", "nb", "en")
# 3GPP TS 23.038 §6.2.1, the basic table without control characters.
GSM = set(
    "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
ID = "drill-01JQC4T00000000000000000"
LINK = "https://bagvagt.kommune.example.dk/t/abcdefghij234567"
ONE_SMS = 160


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("taken_by", TakenBy)
@pytest.mark.parametrize("code", [1, 9])
def test_an_alarm_is_one_sms_with_the_incident(
    language: str, severity: Severity, purpose: Purpose, taken_by: TakenBy, code: int
) -> None:
    """Proves that every alarm keeps to the GSM alphabet and to one SMS, also as a drill, and names the incident."""
    for at in ("", LINK):
        text = alarm_text(language, ID, severity, purpose, taken_by, at, code)
        assert set(text) <= GSM
        assert len(text) <= ONE_SMS
        assert ID in text
        assert "{" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_severities_and_languages_differ(language: str) -> None:
    """Proves that a person can tell the severities apart, and that no language got another's words."""
    texts = {alarm_text(language, "i-7", severity, Purpose.CALL, TakenBy.DESK) for severity in Severity}
    assert len(texts) == len(Severity)
    others = {
        alarm_text(other, "i-7", Severity.ACUTE, Purpose.CALL, TakenBy.DESK) for other in LANGUAGES if other != language
    }
    assert alarm_text(language, "i-7", Severity.ACUTE, Purpose.CALL, TakenBy.DESK) not in others


@pytest.mark.parametrize(
    ("language", "drill", "test"),
    [
        ("da", "ØVELSE", "TEST"),
        ("sv", "ÖVNING", "TEST"),
        ("fi", "HARJOITUS", "TESTI"),
        ("nb", "ØVELSE", "TEST"),
        ("en", "DRILL", "TEST"),
    ],
)
def test_a_drill_and_a_test_say_so(language: str, drill: str, test: str) -> None:
    """Proves that nobody takes a drill for the real thing, or the real thing for a drill."""
    assert f"{drill}." in alarm_text(language, "i-4", Severity.NORMAL, Purpose.DRILL, TakenBy.HERE)
    assert f"{test}." in alarm_text(language, "i-4", Severity.NORMAL, Purpose.TEST, TakenBy.HERE)
    real = alarm_text(language, "i-7", Severity.NORMAL, Purpose.CALL, TakenBy.HERE)
    assert drill not in real
    assert test not in real


@pytest.mark.parametrize(
    ("reason", "purpose"),
    [
        ("drill", Purpose.DRILL),
        ("test", Purpose.TEST),
        ("watch", Purpose.WATCH),
        ("call", Purpose.CALL),
        ("no_call", Purpose.CALL),
        ("handoff", Purpose.CALL),
    ],
)
def test_only_a_drill_and_a_test_say_that_they_are_none(reason: str, purpose: Purpose) -> None:
    """Proves that a real alarm is never called a drill."""
    assert purpose_of(reason) is purpose


@pytest.mark.parametrize(
    ("asked", "like"), [("da-DK", "da"), ("no", "nb"), ("nn_NO", "nb"), ("SV", "sv"), ("de", "en"), ("", "en")]
)
def test_languages_by_other_names(asked: str, like: str) -> None:
    """Proves that a tag, an old code or an unknown language still gives a text that is understood."""
    assert alarm_text(asked, "i", Severity.ACUTE, Purpose.CALL, TakenBy.HERE) == alarm_text(
        like, "i", Severity.ACUTE, Purpose.CALL, TakenBy.HERE
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("purpose", [Purpose.CALL, Purpose.DRILL, Purpose.WATCH])
@pytest.mark.parametrize("code", [1, 2, 9])
def test_how_to_reply(language: str, purpose: Purpose, code: int) -> None:
    """Proves that a message which can be answered says with which number, and that what it says to write is understood.

    Only the first page offers a word: with two of them, a word would not say which.
    """
    text = alarm_text(language, "i-7", Severity.ACUTE, purpose, TakenBy.REPLY, code=code)
    how = text.rpartition("i-7. ")[2].replace("(", " ").replace(")", " ").replace(",", " ").split()
    assert str(code) in how
    assert ("ok" in how) is (code == 1)
    passing = {"da": "nej", "sv": "nej", "fi": "ei", "nb": "nei", "en": "no"}[language]
    assert passing in how
    assert read_reply(passing) == (Says.PASS, 0)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_test_asks_for_an_answer(language: str) -> None:
    """Proves that a test says how to answer it too, since only an answer proves the channel."""
    text = alarm_text(language, "t-1", Severity.NORMAL, Purpose.TEST, TakenBy.REPLY, code=3)
    assert " 3." in text
    assert "https://vagt.example/x" in alarm_text(
        language, "t-1", Severity.NORMAL, Purpose.TEST, TakenBy.REPLY, "https://vagt.example/x"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_silent_bagvagt_is_told_apart(language: str) -> None:
    """Proves that nobody takes the silence of another Bagvagt for an incident of a caller; it is urgent too."""
    watch = alarm_text(language, "odense", Severity.URGENT, Purpose.WATCH, TakenBy.DESK)
    assert watch != alarm_text(language, "odense", Severity.URGENT, Purpose.CALL, TakenBy.DESK)
    assert watch != alarm_text(language, "odense", Severity.NORMAL, Purpose.WATCH, TakenBy.DESK)
    assert watch.count("Bagvagt") == 2


def to_reply(language: str, answer: Answer, **more: object) -> ReplyTo:
    """An answer to a reply."""
    return ReplyTo(id="a-1", channel="sms", address="", language=language, answer=answer, **more)  # type: ignore[arg-type]  # the record checks nothing


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("answer", Answer)
def test_what_a_reply_is_answered(language: str, answer: Answer) -> None:
    """Proves that each answer is one SMS of its own in each language, and names what it is about."""
    codes = ((1, ID), (2, f"{ID[:-1]}2"))
    text = reply_text(to_reply(language, answer, incident=ID, by="Bo Bohr", codes=codes))
    assert set(text) <= GSM
    assert text.startswith("Bagvagt: ")
    assert len(text) <= ONE_SMS
    assert (ID in text) is (answer is not Answer.NOTHING)
    assert ("Bo Bohr" in text) is (answer is Answer.TAKEN)
    others = {reply_text(to_reply(language, o, incident=ID, by="Bo Bohr", codes=codes)) for o in Answer if o != answer}
    assert text not in others


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("answer", [Answer.WHICH, Answer.UNCLEAR])
@pytest.mark.parametrize("number", [2, 3, 5, 9])
def test_every_number_is_named(language: str, answer: Answer, number: int) -> None:
    """Proves that with many pages at once every number stands in the one SMS, with as many incidents as fit."""
    codes = tuple((code, f"{ID[:-1]}{code}") for code in range(1, number + 1))
    text = reply_text(to_reply(language, answer, codes=codes))
    assert len(text) <= ONE_SMS
    told = text.rpartition(": ")[2].rstrip(".").split(", ")
    assert [part.partition(" ")[0] for part in told] == [str(code) for code, _ in codes]
    assert f"1 = {codes[0][1]}" in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_not_understood_with_one_page_or_none(language: str) -> None:
    """Proves that who was not understood is told what to write, with their page's own number."""
    one = reply_text(to_reply(language, Answer.UNCLEAR, codes=((2, "i-7"),)))
    assert " 2 " in one.replace(",", " ")
    assert " 1 (" in reply_text(to_reply(language, Answer.UNCLEAR))


@pytest.mark.parametrize("language", LANGUAGES)
def test_passed_on_without_a_single_incident(language: str) -> None:
    """Proves that the answer is a sentence also where no one incident can be named."""
    text = reply_text(to_reply(language, Answer.PASSED))
    assert "  " not in text
    assert " ," not in text


def test_where_to_take_it() -> None:
    """Proves that the site's own number to ring stands in the text instead of the general words."""
    assert alarm_text("da", "i-7", Severity.ACUTE, Purpose.CALL, TakenBy.DESK, "+4570112233").endswith(
        "Tag den: +4570112233"
    )


@given(by=st.text(), incident=st.text(max_size=30), language=st.sampled_from(LANGUAGES))
def test_a_name_cannot_pretend_to_be_a_message(by: str, incident: str, language: str) -> None:
    """Proves that whatever somebody calls themselves, the text stays one printable line of ours, of bounded length."""
    text = answered_text(language, incident, by)
    assert text.isprintable()
    assert text.startswith("Bagvagt: ")
    assert len(text) <= ONE_SMS


def test_braces_in_a_name_are_letters() -> None:
    """Proves that a name is not filled in again."""
    assert "{incident}" in answered_text("en", "i-7", "{incident}")
