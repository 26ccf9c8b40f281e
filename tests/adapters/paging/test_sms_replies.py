"""What people write back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.paging.messages import TakenBy, alarm_text, purpose_of
from adapters.paging.sms_replies import read_reply
from policies.events import Says
from policies.rules import Severity

LANGUAGES = ("da", "sv", "fi", "nb", "en")


@pytest.mark.parametrize(
    "text",
    [
        *("ok", "OK", "Ok!", " ok. ", "okay", "Okej", "okei", "ja", "JA!!", "Ja tak", "jo", "yes", "Yes please"),
        *("joo", "kyllä", "KYLLÄ", "kylla\u0308", "kylla", "otan", "Otan sen", "Kuittaan", "jeg tager den"),
        *("Jag tar det", "jeg tar den", "👍", "👍🏽", "👍👍", "ok 👍", "\u200b ok"),
    ],
)
def test_words_that_take(text: str) -> None:
    """Proves that a yes in five languages takes the page, whichever it is, in any case and with what people add."""
    assert read_reply(text) == (Says.TAKE, 0)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *(("1", 1), (" 1. ", 1), ("2", 2), ("9!", 9), ("(3)", 3), ("#4", 4), ("1️⃣", 1), ("１", 1)),  # noqa: RUF001 -- fullwidth
        *(("ok 2", 2), ("2 ok", 2), ("Ja, 3", 3), ("Svar 2", 2), ("Reply 1", 1), ("Vastaa 5", 5), ("1 1", 1)),
        *(("\n\n1\n", 1), ("> kan du 2?\n> ok\n1", 1)),
    ],
)
def test_a_number_takes_the_page_of_that_number(text: str, code: int) -> None:
    """Proves that the number is found beside words, punctuation and emoji."""
    assert read_reply(text) == (Says.TAKE, code)


@pytest.mark.parametrize(
    ("text", "code"),
    [*((word, 0) for word in ("nej", "NEJ!", "Nej tak", "nei", "no", "No thanks", "ei", "nä", "👎")), ("nej 2", 2)],
)
def test_words_that_pass_it_on(text: str, code: int) -> None:
    """Proves that a no lets the page go to the next one, and never takes it."""
    assert read_reply(text) == (Says.PASS, code)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "?", "...", "0", "100", "112", "1,5", "2027", "1 2", "1 eller 2", "ok nej", "ja nej", "3?", "ok?"),
        *("jeg tager den ikke", "jag tar det inte", "en ota", "not ok", "ikke ok", "hvem er det", "Tilbud: 1 pizza"),
        *("jeg er syg", "ring 1", "okok", "nejtak", "\u06f1", "I'm driving", "1\u0660", "ja men kun hvis Bo ikke kan"),
    ],
)
def test_all_else_takes_nothing(text: str) -> None:
    """Proves that what is not understood in full is unclear: a page is never taken by a guess."""
    assert read_reply(text) == (Says.UNCLEAR, 0)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", ["call", "drill", "test", "watch"])
@pytest.mark.parametrize("quote", ["{r}\n\n> {m}", "{r}\n{m}", "{r} {m}", "> {m}\n\n{r}", "{r}\r\n-----\r\n{m}"])
@pytest.mark.parametrize(("reply", "meant"), [("ok", (Says.TAKE, 0)), ("2", (Says.TAKE, 2)), ("nej", (Says.PASS, 0))])
def test_our_own_message_below_a_reply_changes_nothing(
    language: str, reason: str, quote: str, reply: str, meant: tuple[Says, int]
) -> None:
    """Proves that a quoted alarm, which names numbers and words of its own, is not taken for a reply."""
    ours = alarm_text(language, "i-7", Severity.ACUTE, purpose_of(reason), TakenBy.REPLY)
    assert read_reply(quote.format(r=reply, m=ours)) == meant


@pytest.mark.parametrize("language", LANGUAGES)
def test_our_own_message_sent_back_takes_nothing(language: str) -> None:
    """Proves that a phone which returns or forwards the alarm by itself does not take it."""
    ours = alarm_text(language, "i-7", Severity.ACUTE, purpose_of("call"), TakenBy.REPLY)
    assert read_reply(ours) == (Says.UNCLEAR, 0)


@settings(deadline=None)
@given(st.text())
def test_nothing_anybody_sends_is_an_error(text: str) -> None:
    """Proves that every text means something, and that a number is one of nine."""
    says, code = read_reply(text)
    assert says in Says
    assert 0 <= code <= 9
