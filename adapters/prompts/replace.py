"""Putting a new recording in place of one that is in use, and taking that back.

A PBX, or a browser, that reads the old file at this moment reads it to its end: files are put in place whole, under
their name, and never written into. The recording that was there before stands beside it, hidden, until the next one.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from adapters.prompts.convert import Imported, import_prompt
from adapters.prompts.errors import PromptError, PromptImportError
from adapters.prompts.header import RATE_HZ, read_duration_s
from adapters.prompts.levels import active_dbfs, speech_bounds
from adapters.prompts.library import check_language, check_name
from adapters.prompts.wav import read_samples


class NothingBeforeError(PromptError):
    """There is no recording to go back to."""

    def __init__(self, name: str, language: str) -> None:
        super().__init__(f"prompt {name!r} in language {language!r}", "there is nothing to go back to", "Record it")


@dataclass(frozen=True, slots=True)
class Measured:
    """What a prompt's sound is like.

    Attributes:
        duration_s: how long it plays.
        level_dbfs: of the speech in it, dB below full scale.
        lead_in_s: silence in front, by which whatever is said comes late.
    """

    duration_s: float
    level_dbfs: float
    lead_in_s: float


def measure(path: Path) -> Measured:
    """Listen to a prompt.

    Raises:
        PromptFileError: a PBX could not play it.
    """
    sound = read_samples(path)
    return Measured(read_duration_s(path), active_dbfs(sound), speech_bounds(sound)[0] / RATE_HZ)


def before(name: str, language: str, folder: Path) -> Path:
    """Return where the recording stands that was in use before; there need be none."""
    check_name(name)
    check_language(language)
    return folder / language / f".{name}.before"


def replace_prompt(source: Path, name: str, language: str, folder: Path) -> Imported:
    """Convert a recording and put it in place; the one before is kept.

    Raises:
        PromptNameError, PromptImportError: as `import_prompt`; nothing has changed.
    """
    kept, own = before(name, language, folder), folder / language / f"{name}.wav"
    aside = kept.with_name(f"{kept.name}.new")
    try:
        had_one = own.is_file()
        if had_one:
            shutil.copy2(own, aside)
        made = import_prompt(source, name, language, folder)
        if had_one:
            aside.replace(kept)
        else:
            kept.unlink(missing_ok=True)
    except OSError as error:
        raise PromptImportError(
            source,
            f"the recording in use could not be kept ({error.strerror})",
            "Make the prompt folder writable for this user",
        ) from error
    finally:
        aside.unlink(missing_ok=True)
    return made


def undo_prompt(name: str, language: str, folder: Path, *, has_placeholder: bool) -> Path:
    """Put the recording before in place of the one in use, which is kept in its turn: a second time undoes it.

    Args:
        name: the prompt's name.
        language: its language.
        folder: the site's prompt folder.
        has_placeholder: without a recording before, the placeholder is gone back to, where there is one.

    Returns:
        The file in which the recording stands that was in use.

    Raises:
        PromptNameError: the name or the language could not be one.
        NothingBeforeError: there is nothing to go back to.
        OSError: the folder cannot be written; nothing has changed.
    """
    kept, own = before(name, language, folder), folder / language / f"{name}.wav"
    if kept.is_file():
        aside = kept.with_name(f"{kept.name}.new")
        if own.is_file():
            shutil.copy2(own, aside)  # a copy: the name is never without a file
            kept.replace(own)
            aside.replace(kept)
        else:
            kept.replace(own)
        return kept
    if not own.is_file() or not has_placeholder:
        raise NothingBeforeError(name, language)
    own.replace(kept)
    return kept
