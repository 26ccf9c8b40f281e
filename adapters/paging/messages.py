"""What is said to people who are paged, in five languages: the incident's id and how urgent it is, and nothing more.

All words keep to the GSM 7-bit alphabet (3GPP TS 23.038 §6.2.1), and with ids of up to 30 characters to its 160
characters, so that an alarm is one SMS and not several that may arrive in part. The words stand in `messages_words`.
"""

from collections.abc import Sequence
from enum import StrEnum

from adapters.paging.messages_words import WORDS, Words
from policies.actions import Answer, ReplyTo, StandDown
from policies.rules import Severity

MOST_NAME_CHARS = 60
MOST_CHARS = 160
_DEFAULT_LANGUAGE = "en"
_SAME = {"no": "nb", "nn": "nb"}


class Purpose(StrEnum):
    """Why a page was opened."""

    CALL = "call"
    DRILL = "drill"
    TEST = "test"  # of a channel: it asks for an answer
    WATCH = "watch"  # another Bagvagt is silent; the incident's id names it


class TakenBy(StrEnum):
    """Where a person can take the page."""

    DESK = "desk"  # the message itself cannot be answered
    HERE = "here"  # on the screen that shows the message
    REPLY = "reply"  # by a reply to the message


def purpose_of(reason: str) -> Purpose:
    """Return what people are told of a page's reason; what is no drill, no test and no watch is real."""
    return Purpose(reason) if reason in tuple(Purpose) else Purpose.CALL


def alarm_text(
    language: str,
    incident: str,
    severity: Severity,
    purpose: Purpose,
    taken_by: TakenBy,
    at: str = "",
    code: int = 1,
) -> str:
    """Return an alarm.

    Args:
        language: two letters, or a tag such as "da-DK"; English when it is none of the five.
        incident: its id.
        severity: how urgent.
        purpose: a drill or a test says so.
        taken_by: how the page can be taken when `at` is empty.
        at: a number to ring or an address to open, where the page can be taken.
        code: the number with which a reply takes the page.
    """
    words = _of(language)
    if at:
        how = words.how_at.replace("{at}", _plain(at))
    elif taken_by is TakenBy.REPLY:
        how = (words.how_test if purpose is Purpose.TEST else words.how_reply).format(code=_number(words, code))
    else:
        how = words.desk if taken_by is TakenBy.DESK else words.here
    return f"Bagvagt: {_what(words, _plain(incident), severity, purpose)} {how}"


def stood_down_text(action: StandDown, language: str) -> str:
    """Return the news that somebody has taken a page, or thanks for the answer to a test."""
    if action.reason == Purpose.TEST:
        return _of(language).proved
    return answered_text(language, action.incident, action.by)


def answered_text(language: str, incident: str, by: str) -> str:
    """Return the news that somebody has taken a page."""
    # One step, so that braces in a name are not taken for a field.
    return _of(language).answered.format(by=_plain(by)[:MOST_NAME_CHARS], incident=_plain(incident))


def reply_text(action: ReplyTo) -> str:
    """Return what somebody is told whose reply took no page."""
    words = _of(action.language)
    incident = _plain(action.incident)
    match action.answer:
        case Answer.TAKEN:
            return answered_text(action.language, action.incident, action.by)
        case Answer.NOTHING:
            return words.nothing
        case Answer.PASSED:
            what = f"{words.incident} {incident}" if incident else words.the_alarm
            return words.passed.format(what=what)
        case Answer.WHICH:
            return _listed(words.which, action.codes)
        case Answer.UNCLEAR if len(action.codes) > 1:
            return _listed(words.unclear_which, action.codes)
        case Answer.UNCLEAR:
            code = action.codes[0][0] if action.codes else 1
            return words.unclear.format(how=words.how_reply.format(code=_number(words, code)))


def _what(words: Words, incident: str, severity: Severity, purpose: Purpose) -> str:
    if purpose is Purpose.TEST:
        return words.test.format(incident=incident)
    urgent = words.severity[severity]
    if purpose is Purpose.WATCH:
        return words.watch.format(severity=urgent, incident=incident)
    drill = words.drill if purpose is Purpose.DRILL else ""
    return f"{drill}{urgent}, {words.incident} {incident}."


def _number(words: Words, code: int) -> str:
    """Name the number of a reply. Only the first page is also taken by a word: with two, a word would not say which."""
    return words.code_or_ok.format(code=code) if code == 1 else str(code)


def _listed(intro: str, codes: Sequence[tuple[int, str]]) -> str:
    """Name every number, and as many incidents as one SMS holds."""
    for named in range(len(codes), -1, -1):
        parts = [f"{code} = {_plain(incident)}" for code, incident in codes[:named]]
        parts += [str(code) for code, _ in codes[named:]]
        text = f"{intro} {', '.join(parts)}."
        if len(text) <= MOST_CHARS:
            break
    return text


def _of(language: str) -> Words:
    code = language.lower().replace("_", "-").split("-")[0]
    return WORDS.get(_SAME.get(code, code), WORDS[_DEFAULT_LANGUAGE])


def _plain(text: str) -> str:
    """Keep a name or id on one line, so that it cannot pretend to be another message."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
