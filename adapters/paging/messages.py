"""What is said to people who are paged, in five languages: the incident's id and how urgent it is, and nothing more.

All words keep to the GSM 7-bit alphabet (3GPP TS 23.038 §6.2.1), and with ids of up to 30 characters to its 160
characters, so that an alarm is one SMS and not several that may arrive in part.
"""

from dataclasses import dataclass
from enum import StrEnum

from policies.rules import Severity

MOST_NAME_CHARS = 60
_DEFAULT_LANGUAGE = "en"
_SAME = {"no": "nb", "nn": "nb"}


class Purpose(StrEnum):
    """Why a page was opened."""

    CALL = "call"
    DRILL = "drill"
    TEST = "test"


class TakenBy(StrEnum):
    """Where a person can take the page."""

    DESK = "desk"  # the message itself cannot be answered
    HERE = "here"  # on the screen that shows the message


@dataclass(frozen=True, slots=True)
class _Words:
    severity: dict[Severity, str]
    purpose: dict[Purpose, str]
    incident: str
    how: dict[TakenBy, str]
    how_at: str
    answered: str


def _words(
    severities: tuple[str, str, str],
    purposes: tuple[str, str],
    incident: str,
    how: tuple[str, str],
    how_at: str,
    answered: str,
) -> _Words:
    return _Words(
        dict(zip((Severity.ACUTE, Severity.URGENT, Severity.NORMAL), severities, strict=True)),
        dict(zip(Purpose, ("", *purposes), strict=True)),
        incident,
        dict(zip(TakenBy, how, strict=True)),
        how_at,
        answered,
    )


_WORDS = {
    "da": _words(
        ("AKUT alarm", "Alarm, HASTER", "Alarm"),
        ("ØVELSE. ", "TEST. "),
        "hændelse",
        ("Tag den ved vagtbordet; svar på denne besked læses ikke.", "Tag den her."),
        "Tag den: {at}",
        "Bagvagt: {by} har taget hændelse {incident}.",
    ),
    "sv": _words(
        ("AKUT larm", "BRÅDSKANDE larm", "Larm"),
        ("ÖVNING. ", "TEST. "),
        "händelse",
        ("Ta det vid jourplatsen; svar på detta meddelande läses inte.", "Ta det här."),
        "Ta det: {at}",
        "Bagvagt: {by} har tagit händelse {incident}.",
    ),
    "fi": _words(
        ("AKUUTTI hälytys", "KIIREELLINEN hälytys", "Hälytys"),
        ("HARJOITUS. ", "TESTI. "),
        "tapaus",
        ("Kuittaa päivystyspisteessä; vastauksia tähän viestiin ei lueta.", "Kuittaa tässä."),
        "Kuittaa: {at}",
        "Bagvagt: {by} on ottanut tapauksen {incident}.",
    ),
    "nb": _words(
        ("AKUTT alarm", "Alarm, HASTER", "Alarm"),
        ("ØVELSE. ", "TEST. "),
        "hendelse",
        ("Ta den ved vaktbordet; svar på denne meldingen leses ikke.", "Ta den her."),
        "Ta den: {at}",
        "Bagvagt: {by} har tatt hendelse {incident}.",
    ),
    "en": _words(
        ("ACUTE alarm", "URGENT alarm", "Alarm"),
        ("DRILL. ", "TEST. "),
        "incident",
        ("Take it at the duty desk; replies to this message are not read.", "Take it here."),
        "Take it: {at}",
        "Bagvagt: {by} has taken incident {incident}.",
    ),
}


def purpose_of(reason: str) -> Purpose:
    """Return what people are told of a page's reason: a drill and a test say so, all else is real."""
    return Purpose(reason) if reason in (Purpose.DRILL, Purpose.TEST) else Purpose.CALL


def alarm_text(
    language: str, incident: str, severity: Severity, purpose: Purpose, taken_by: TakenBy, at: str = ""
) -> str:
    """Return an alarm.

    Args:
        language: two letters, or a tag such as "da-DK"; English when it is none of the five.
        incident: its id.
        severity: how urgent.
        purpose: a drill or a test says so.
        taken_by: how the page can be taken when `at` is empty.
        at: a number to ring or an address to open, where the page can be taken.
    """
    words = _of(language)
    how = words.how_at.replace("{at}", _plain(at)) if at else words.how[taken_by]
    what = f"{words.severity[severity]}, {words.incident} {_plain(incident)}."
    return f"Bagvagt: {words.purpose[purpose]}{what} {how}"


def answered_text(language: str, incident: str, by: str) -> str:
    """Return the news that somebody has taken a page."""
    # One step, so that braces in a name are not taken for a field.
    return _of(language).answered.format(by=_plain(by)[:MOST_NAME_CHARS], incident=_plain(incident))


def _of(language: str) -> _Words:
    code = language.lower().replace("_", "-").split("-")[0]
    return _WORDS.get(_SAME.get(code, code), _WORDS[_DEFAULT_LANGUAGE])


def _plain(text: str) -> str:
    """Keep a name or id on one line, so that it cannot pretend to be another message."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
