"""The texts that people get."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.paging.messages import Purpose, TakenBy, alarm_text, answered_text, purpose_of
from policies.rules import Severity

LANGUAGES = ("da", "sv", "fi", "nb", "en")
# 3GPP TS 23.038 §6.2.1, the basic table without control characters.
GSM = set(
    "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
ID = "drill-01JQC4T0000000000000000"
ONE_SMS = 160


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("taken_by", TakenBy)
def test_an_alarm_is_one_sms_with_the_incident(language: str, severity: Severity, taken_by: TakenBy) -> None:
    """Proves that every alarm keeps to the GSM alphabet and to one SMS, even as a drill, and names the incident."""
    text = alarm_text(language, ID, severity, Purpose.CALL, taken_by)
    assert set(text) <= GSM
    assert len(text) <= ONE_SMS
    assert ID in text


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
    [("drill", Purpose.DRILL), ("test", Purpose.TEST), ("call", Purpose.CALL), ("handoff", Purpose.CALL)],
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
