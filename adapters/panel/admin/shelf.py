"""The prompts as an admin sees them: what is played in each language, and new recordings in place of it."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from adapters.prompts.errors import PromptError, PromptMissingError
from adapters.prompts.library import PromptLibrary
from telephony.settings import Settings
from telephony.settings.reach import PAGE_PROMPTS

LATE_S: Final = 0.1
"""Silence in front of a prompt that is worth a word: the warning comes so much later."""
_OFF_DB: Final = 4.0
TARGET_DBFS: Final = -20.0


class PromptOrigin(StrEnum):
    """Where what is played comes from."""

    SITE = "site"
    PLACEHOLDER = "placeholder"  # a machine's voice
    MISSING = "missing"
    DAMAGED = "damaged"


class PromptPicture(BaseModel):
    """One prompt in one language.

    Attributes:
        name: of the prompt.
        language: code.
        origin: see there.
        in_use: policy names it, and the language is spoken here.
        seconds: how long it plays, 0 where it cannot be played.
        level_dbfs: how loud the voice is; prompts are brought to -20.
        lead_in_s: silence in front, by which it comes late.
        remarks: what is to be said of it, as codes: "quiet", "loud", "late".
        problem: why it cannot be played, in English.
        remedy: what to do about that.
        url: where it is heard; changes with the recording. "" where there is none.
        may_undo: there is something to go back to.
    """

    name: str
    language: str
    origin: PromptOrigin
    in_use: bool
    seconds: float = 0.0
    level_dbfs: float | None = None
    lead_in_s: float = 0.0
    remarks: list[str] = []
    problem: str = ""
    remedy: str = ""
    url: str = ""
    may_undo: bool = False


class PromptList(BaseModel):
    """Every prompt, by language and name.

    Attributes:
        folder: where recordings go; "" where the policy names none, so that none can be made.
        languages: those in which callers are spoken to, the site's first.
        prompts: see there.
    """

    folder: str
    languages: list[str]
    prompts: list[PromptPicture]


class PromptMade(BaseModel):
    """A recording that is in use now.

    Attributes:
        prompt: as it is in the list.
        gain_db: by how much it was raised to the level of all prompts.
        trimmed_s: silence that was cut.
        warnings: what a person should know of the recording, in English; it is usable.
    """

    prompt: PromptPicture
    gain_db: float
    trimmed_s: float
    warnings: list[str]


class Shelf:
    """Lists and replaces them. What takes long runs in a thread; one recording at a time is converted.

    Args:
        library: what is played.
        settings: tells what is in force: languages, and prompts that policy names.
    """

    def __init__(self, library: PromptLibrary, settings: Callable[[], Settings]) -> None:
        self._library = library
        self._settings = settings
        self._turn = asyncio.Lock()

    @property
    def folder(self) -> Path | None:
        """Where recordings go, None where the policy names no folder."""
        return self._library.own_folder

    async def list(self) -> PromptList:
        """Return all prompts."""
        settings = self._settings()
        used, languages = wanted(settings), settings.languages
        names = sorted(used | set(self._library.names))
        pairs = [(name, language) for language in languages for name in names]
        prompts = await asyncio.to_thread(lambda: [self._picture(n, lang, in_use=n in used) for n, lang in pairs])
        return PromptList(folder=str(self.folder or ""), languages=list(languages), prompts=prompts)

    async def replace(self, source: Path, name: str, language: str) -> PromptMade:
        """Put a recording in place of what is played.

        Raises:
            PromptError: it cannot be used; nothing has changed.
        """
        from adapters.prompts.replace import replace_prompt  # noqa: PLC0415 -- numpy loads slowly, and seldom

        folder = self._needed()
        async with self._turn:
            made = await asyncio.to_thread(replace_prompt, source, name, language, folder)
        return PromptMade(
            prompt=await self._one(name, language),
            gain_db=round(made.gain_db, 1),
            trimmed_s=round(made.trimmed_s, 2),
            warnings=list(made.warnings),
        )

    async def undo(self, name: str, language: str) -> PromptPicture:
        """Go back to the recording before, or to the placeholder.

        Raises:
            PromptError: there is nothing to go back to.
            OSError: the folder cannot be written.
        """
        from adapters.prompts.replace import undo_prompt  # noqa: PLC0415 -- as above

        folder, has_placeholder = self._needed(), self._library.has_placeholder(name, language)
        async with self._turn:
            await asyncio.to_thread(undo_prompt, name, language, folder, has_placeholder=has_placeholder)
        return await self._one(name, language)

    def _needed(self) -> Path:
        if self.folder is None:
            raise NoFolderError
        return self.folder

    async def _one(self, name: str, language: str) -> PromptPicture:
        return await asyncio.to_thread(self._picture, name, language, in_use=name in wanted(self._settings()))

    def _picture(self, name: str, language: str, *, in_use: bool) -> PromptPicture:
        from adapters.prompts.replace import before, measure  # noqa: PLC0415 -- as above

        known: dict[str, Any] = {"name": name, "language": language, "in_use": in_use}
        if self.folder is not None:
            own = (self.folder / language / f"{name}.wav").is_file()
            goes_back = before(name, language, self.folder).is_file()
            known["may_undo"] = goes_back or (own and self._library.has_placeholder(name, language))
        try:
            file = self._library.find(name, language)
            heard = measure(file.path)
        except PromptMissingError:
            return PromptPicture(**known, origin=PromptOrigin.MISSING)
        except PromptError as error:
            return PromptPicture(**known, origin=PromptOrigin.DAMAGED, problem=error.problem, remedy=error.remedy)
        off_db = heard.level_dbfs - TARGET_DBFS
        said = (("quiet", off_db < -_OFF_DB), ("loud", off_db > _OFF_DB), ("late", heard.lead_in_s > LATE_S))
        return PromptPicture(
            **known,
            origin=PromptOrigin.PLACEHOLDER if file.is_placeholder else PromptOrigin.SITE,
            seconds=round(heard.duration_s, 2),
            level_dbfs=round(heard.level_dbfs, 1),
            lead_in_s=round(heard.lead_in_s, 3),
            remarks=[remark for remark, is_so in said if is_so],
            url=f"/prompts/{language}/{name}.wav?v={file.path.stat().st_mtime_ns:x}",
        )


class NoFolderError(PromptError):
    """The policy names no folder for recordings."""

    def __init__(self) -> None:
        remedy = 'Write folder = "prompts" under [prompts] in the policy, make that folder, and restart Bagvagt'
        super().__init__("prompts.folder", "the policy names no folder for your recordings", remedy)


def wanted(settings: Settings) -> set[str]:
    """Return the prompts that a policy names."""
    handoff = settings.handoff
    briefs = {handoff.colleague.brief, handoff.chief.brief}
    spoken = {prompt for kind in settings.kinds.values() for prompt in (kind.warning, kind.closing)}
    told = {f"{brief}-warned" for brief in briefs if brief == "brief-takeover"}
    asked = {"brief-confirm" for chief in handoff.chief.chain if chief.confirm}
    rung = set(PAGE_PROMPTS) if any(person.voice for person in settings.people.values()) else set()
    return {name for name in spoken | briefs | told | asked | rung if name}
