"""What a person's SMS means. Pure.

A reply is understood only when each of its words is: "ok tak" takes a page, "jeg tager den ikke" is unclear, and so is
a question. What is unclear takes nothing: the page runs on, and the person is told what to write. So a slip in these
lists costs a second SMS, never an alarm.
"""

import re
import unicodedata
from datetime import timedelta

from policies.events import Says

STALE = timedelta(minutes=30)
"""Who wrote "1" longer ago may have meant another page: replies wait for a day where nobody takes them in."""

_TAKE = frozenset(
    {"ok", "okay", "okej", "okei", "👍", "👌"}
    | {"ja", "jo", "japp", "jepp", "yes", "yep", "yeah", "joo", "juu", "kyllä", "kylla"}
    | {"tager", "tag", "tar", "ta", "otan", "kuittaan"}
)
_PASS = frozenset({"nej", "nä", "nei", "no", "nope", "ei", "pass", "passer", "passar", "👎"})
_NUMBERS = frozenset(map(str, range(1, 100)))
# Around the word that counts: politeness, "I … it", and the word that the message itself begins with.
_AROUND = frozenset(
    {"tak", "tack", "takk", "kiitos", "thanks", "please", "jeg", "jag", "i", "den", "det", "it", "sen"}
    | {"svar", "svara", "reply", "vastaa"}
)

_TOKEN = re.compile(r"\w+|👍|👌|👎")
# Skin tones (Unicode TR 51 §2.4), the emoji and text presentation selectors, and the frame of a keycap digit.
_DRESSING = re.compile("[\U0001f3fb-\U0001f3ff\ufe0e\ufe0f\u20e3]")
_QUOTED = re.compile(r"bagvagt:.*")
_MOST_CHARS = 200


def read_reply(text: str) -> tuple[Says, int]:
    """Return what a reply says, and the number in it from 1 to 9; 0 for none.

    Args:
        text: as it came; only its first line with words counts, and a quoted message is left out.
    """
    line = _first_line(unicodedata.normalize("NFKC", text))
    tokens = _TOKEN.findall(line[:_MOST_CHARS])
    numbers = {t for t in tokens if t in _NUMBERS}
    takes, passes = bool(_TAKE.intersection(tokens)), bool(_PASS.intersection(tokens))
    understood = all(t in _NUMBERS or t in _TAKE or t in _PASS or t in _AROUND for t in tokens)
    if not understood or "?" in line or len(numbers) > 1 or (takes and passes):
        return Says.UNCLEAR, 0
    code = int(numbers.pop()) if numbers else 0
    if passes:
        return Says.PASS, code
    return (Says.TAKE, code) if takes or code else (Says.UNCLEAR, 0)


def _first_line(text: str) -> str:
    for raw in text.splitlines():
        line = _QUOTED.sub("", _DRESSING.sub("", raw.casefold()))
        if not line.lstrip().startswith(">") and _TOKEN.search(line):
            return line
    return ""
