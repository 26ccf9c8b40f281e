"""What a call to a person about a page is, and what it needs of a PBX.

The PBX keeps, with the leg, what the call is about. So a later life of the service finds its calls there and goes on
with them, and nothing of them is stored twice.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from adapters.prompts.errors import PromptError
from adapters.prompts.library import PromptLibrary
from policies.model import LegId
from policies.rules import Severity

KEYS, TAKEN, PASSED, HAS_SOMEBODY = "page-keys", "page-taken", "page-passed", "page-has-somebody"
PAUSE, TONES = "tone-pause", "tones"
_BY_REASON: Final = {"drill": "page-drill", "test": "page-test", "watch": "page-watch"}
_BY_SEVERITY: Final = {severity: f"page-{severity.value}" for severity in Severity}
PAGE_LEGS: Final = "bagvagt-page-"
"""How the name of every leg begins that is rung for a page."""

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]")
_SAME: Final = {"no": "nb", "nn": "nb"}
_FALLBACK: Final = "en"

Words = Sequence[tuple[str, str]]
"""Prompts in their order, each with its language; a tone's is `tones`."""


def page_leg(message: str) -> LegId:
    """Return the leg of the one who is rung by this message, the same in every life of the service."""
    return LegId(f"{PAGE_LEGS}{_UNSAFE.sub('-', message)[:100]}")


@dataclass(frozen=True, slots=True, repr=False)
class About:
    """What a call is about. Has no repr: it holds a number.

    Attributes:
        message: the message's id.
        page: the page, or the test of a path.
        person: who is rung.
        address: where, in policy's words.
        language: in which the prompts are played.
        announcement: the prompt that says what it is.
    """

    message: str
    page: str
    person: str
    address: str
    language: str
    announcement: str


class Heard(StrEnum):
    """What a PBX tells of a leg."""

    ANSWERED = "answered"
    KEY = "key"  # detail: which
    SAID = "said"  # what was to be said last ran to its end
    NOT_SAID = "not_said"  # it could not be played
    GONE = "gone"  # detail: why, in words
    LOST = "lost"  # the connection to the PBX: nobody sees the leg now


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened to a leg."""

    leg: LegId
    what: Heard
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """A call of ours that the PBX has.

    Attributes:
        leg: its leg.
        about: what was kept with it, None where it can't be read.
        is_up: somebody, or something, has answered.
    """

    leg: LegId
    about: About | None
    is_up: bool


class Caller(Protocol):
    """A PBX that rings people for pages. All but `follow` and `connected` raise `telephony.errors.PbxError`."""

    async def connected(self) -> asyncio.Event:
        """Wait until the PBX can be seen; return what is set when it can't be any more."""
        ...

    def follow(self, told: Callable[[News], None]) -> AbstractContextManager[None]:
        """Have `told` called with what happens to legs of pages; must not block."""
        ...

    async def standing(self) -> Mapping[LegId, Standing]:
        """Read which calls of ours there are: ringing, or up."""
        ...

    async def place(self, leg: LegId, about: About, *, ring_s: float, caller_id: str) -> bool:
        """Ring somebody; False when this leg is there already. Returns when the PBX has taken it.

        Raises:
            PbxRejectedError: the PBX won't; the text holds no number.
        """
        ...

    async def say(self, leg: LegId, words: Words, lasts_s: float, *, is_last: bool = False) -> None:
        """Silence what plays, and play these. The PBX ends the call by itself some seconds after `lasts_s`.

        With `is_last` what the call is about is forgotten: another life of the service only hangs it up.
        """
        ...

    async def hang_up(self, leg: LegId) -> None:
        """End a call, ringing or up; one that is gone is fine."""
        ...


def announcement(reason: str, severity: Severity) -> str:
    """Return the prompt that says what a page is: a drill, a test and a silent Bagvagt say so, all else is real."""
    return _BY_REASON.get(reason) or _BY_SEVERITY[severity]


def spoken_language(prompts: PromptLibrary, language: str, first: str) -> str | None:
    """Return the language in which a person is spoken to: theirs, one near it, English; None when nothing can be said.

    Args:
        prompts: which there are.
        language: the person's, as a tag such as "da" or "nn-NO".
        first: the announcement; it, the keys and the answers must be there.
    """
    tag = language.lower().replace("_", "-")
    base = tag.split("-")[0]
    for candidate in dict.fromkeys((tag, base, _SAME.get(base, base), _FALLBACK)):
        try:
            if not prompts.problems((first, KEYS, TAKEN, PASSED, HAS_SOMEBODY), [candidate]):
                return candidate
        except PromptError:
            continue
    return None


def alarm_words(about: About, repeat: int) -> Words:
    """Return the announcement and what the keys mean, `repeat` times; first a moment to put the phone to the ear."""
    once = ((PAUSE, TONES), (about.announcement, about.language), (KEYS, about.language))
    return once * repeat


def length_s(prompts: PromptLibrary, words: Words) -> float:
    """Return how long these play.

    Raises:
        PromptError: one of them is missing or damaged.
    """
    found = (prompts.find_tone(name) if where == TONES else prompts.find(name, where) for name, where in words)
    return sum(file.duration_s for file in found)
