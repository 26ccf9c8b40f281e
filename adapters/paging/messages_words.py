"""The words of `messages`, in five languages. Each language has all of them, or this module does not load."""

from collections.abc import Mapping
from dataclasses import dataclass

from policies.rules import Severity


@dataclass(frozen=True, slots=True)
class Words:
    """One language.

    Attributes:
        severity: how an alarm begins.
        drill: put before it.
        incident: the word for one.
        the_alarm: where no incident is named.
        test: a test of a channel, with {incident}.
        watch: another Bagvagt does not answer, with {severity} and {incident}.
        desk: the message cannot be answered.
        here: it is taken where it is read.
        how_at: it is taken at {at}.
        how_reply: it is taken by a reply with {code}.
        how_test: likewise, of a test, which nobody passes on.
        code_or_ok: {code}, or a word.
        answered: {by} has taken {incident}.
        proved: the test of a channel was answered.
        which: several wait; a list follows.
        nothing: none waits.
        unclear: not understood, with {how}.
        unclear_which: not understood, and several wait; a list follows.
        passed: {what} goes on to the next.
    """

    severity: Mapping[Severity, str]
    drill: str
    incident: str
    the_alarm: str
    test: str
    watch: str
    desk: str
    here: str
    how_at: str
    how_reply: str
    how_test: str
    code_or_ok: str
    answered: str
    proved: str
    which: str
    nothing: str
    unclear: str
    unclear_which: str
    passed: str


def _severities(acute: str, urgent: str, normal: str) -> Mapping[Severity, str]:
    return {Severity.ACUTE: acute, Severity.URGENT: urgent, Severity.NORMAL: normal}


WORDS: Mapping[str, Words] = {
    "da": Words(
        severity=_severities("AKUT alarm", "Alarm, HASTER", "Alarm"),
        drill="ØVELSE. ",
        incident="hændelse",
        the_alarm="alarmen",
        test="TEST. Kun en prøve af kanalen ({incident}); kvitter som ellers.",
        watch="{severity}, en anden Bagvagt svarer ikke: {incident}.",
        desk="Tag den ved vagtbordet; svar på denne besked læses ikke.",
        here="Tag den her.",
        how_at="Tag den: {at}",
        how_reply="Svar {code} for at tage den, nej for at give den videre.",
        how_test="Svar {code}.",
        code_or_ok="{code} (eller ok)",
        answered="Bagvagt: {by} har taget hændelse {incident}.",
        proved="Bagvagt: Tak, prøven er besvaret. Alarmer når dig her.",
        which="Bagvagt: Flere alarmer venter på dig. Svar med nummeret:",
        nothing="Bagvagt: Ingen alarm venter på dig.",
        unclear="Bagvagt: Svaret blev ikke forstået. {how}",
        unclear_which="Bagvagt: Svaret blev ikke forstået. Svar med nummeret:",
        passed="Bagvagt: Forstået, {what} går videre til den næste.",
    ),
    "sv": Words(
        severity=_severities("AKUT larm", "BRÅDSKANDE larm", "Larm"),
        drill="ÖVNING. ",
        incident="händelse",
        the_alarm="larmet",
        test="TEST. Bara ett prov av kanalen ({incident}); kvittera som vanligt.",
        watch="{severity}, en annan Bagvagt svarar inte: {incident}.",
        desk="Ta det vid jourplatsen; svar på detta meddelande läses inte.",
        here="Ta det här.",
        how_at="Ta det: {at}",
        how_reply="Svara {code} för att ta det, nej för att skicka det vidare.",
        how_test="Svara {code}.",
        code_or_ok="{code} (eller ok)",
        answered="Bagvagt: {by} har tagit händelse {incident}.",
        proved="Bagvagt: Tack, provet är besvarat. Larm når dig här.",
        which="Bagvagt: Flera larm väntar på dig. Svara med numret:",
        nothing="Bagvagt: Inget larm väntar på dig.",
        unclear="Bagvagt: Svaret gick inte att tolka. {how}",
        unclear_which="Bagvagt: Svaret gick inte att tolka. Svara med numret:",
        passed="Bagvagt: Uppfattat, {what} går vidare till nästa.",
    ),
    "fi": Words(
        severity=_severities("AKUUTTI hälytys", "KIIREELLINEN hälytys", "Hälytys"),
        drill="HARJOITUS. ",
        incident="tapaus",
        the_alarm="hälytys",
        test="TESTI. Vain kanavan kokeilu ({incident}); kuittaa kuten aina.",
        watch="{severity}, toinen Bagvagt ei vastaa: {incident}.",
        desk="Kuittaa päivystyspisteessä; vastauksia tähän viestiin ei lueta.",
        here="Kuittaa tässä.",
        how_at="Kuittaa: {at}",
        how_reply="Vastaa {code}, jos otat sen, tai ei, jos se siirretään seuraavalle.",
        how_test="Vastaa {code}.",
        code_or_ok="{code} (tai ok)",
        answered="Bagvagt: {by} on ottanut tapauksen {incident}.",
        proved="Bagvagt: Kiitos, kokeiluun on vastattu. Hälytykset tavoittavat sinut tässä.",
        which="Bagvagt: Sinua odottaa useampi hälytys. Vastaa numerolla:",
        nothing="Bagvagt: Sinua ei odota yksikään hälytys.",
        unclear="Bagvagt: Vastausta ei ymmärretty. {how}",
        unclear_which="Bagvagt: Vastausta ei ymmärretty. Vastaa numerolla:",
        passed="Bagvagt: Selvä, {what} siirtyy seuraavalle.",
    ),
    "nb": Words(
        severity=_severities("AKUTT alarm", "Alarm, HASTER", "Alarm"),
        drill="ØVELSE. ",
        incident="hendelse",
        the_alarm="alarmen",
        test="TEST. Bare en prøve av kanalen ({incident}); kvitter som ellers.",
        watch="{severity}, en annen Bagvagt svarer ikke: {incident}.",
        desk="Ta den ved vaktbordet; svar på denne meldingen leses ikke.",
        here="Ta den her.",
        how_at="Ta den: {at}",
        how_reply="Svar {code} for å ta den, nei for å gi den videre.",
        how_test="Svar {code}.",
        code_or_ok="{code} (eller ok)",
        answered="Bagvagt: {by} har tatt hendelse {incident}.",
        proved="Bagvagt: Takk, prøven er besvart. Alarmer når deg her.",
        which="Bagvagt: Flere alarmer venter på deg. Svar med nummeret:",
        nothing="Bagvagt: Ingen alarm venter på deg.",
        unclear="Bagvagt: Svaret ble ikke forstått. {how}",
        unclear_which="Bagvagt: Svaret ble ikke forstått. Svar med nummeret:",
        passed="Bagvagt: Mottatt, {what} går videre til den neste.",
    ),
    "en": Words(
        severity=_severities("ACUTE alarm", "URGENT alarm", "Alarm"),
        drill="DRILL. ",
        incident="incident",
        the_alarm="the alarm",
        test="TEST. Only a test of this channel ({incident}); answer as usual.",
        watch="{severity}, another Bagvagt does not answer: {incident}.",
        desk="Take it at the duty desk; replies to this message are not read.",
        here="Take it here.",
        how_at="Take it: {at}",
        how_reply="Reply {code} to take it, no to pass it on.",
        how_test="Reply {code}.",
        code_or_ok="{code} (or ok)",
        answered="Bagvagt: {by} has taken incident {incident}.",
        proved="Bagvagt: Thanks, the test is answered. Alarms reach you here.",
        which="Bagvagt: Several alarms wait for you. Reply with the number:",
        nothing="Bagvagt: No alarm waits for you.",
        unclear="Bagvagt: Your reply was not understood. {how}",
        unclear_which="Bagvagt: Your reply was not understood. Reply with the number:",
        passed="Bagvagt: Noted, {what} goes on to the next.",
    ),
}
