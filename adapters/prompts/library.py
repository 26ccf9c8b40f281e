"""Which file to play for a prompt: the site's own recording, else the placeholder that comes with Bagvagt."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from adapters.prompts.errors import PromptError, PromptMissingError, PromptNameError
from adapters.prompts.header import read_duration_s

_HERE = Path(__file__).parent
_PLACEHOLDERS = _HERE / "placeholders"
_TONES = "tones"  # no language is called so: five letters, see _LANGUAGE

# Names come from policy files, HTTP and the command line, and become parts of a path.
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A prompt that a PBX can play.

    Attributes:
        path: A WAV of 8 kHz, mono, 16 bit.
        duration_s: How long it plays.
        is_placeholder: True where the site has recorded none of its own, and a machine's voice is heard.
    """

    path: Path
    duration_s: float
    is_placeholder: bool


class PromptLibrary:
    """The prompts of a site, with the placeholders behind them.

    Files are looked up anew each time, so that an imported prompt is used from the next call on. A look-up
    reads one header from the disk, and blocks while it does.

    Args:
        own_folder: The site's folder, laid out `<language>/<name>.wav` and `tones/<name>.wav`, or None.
    """

    def __init__(self, own_folder: Path | None) -> None:
        self._own_folder = own_folder

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language in which there is at least one prompt, sorted."""
        found = {
            folder.name
            for root in self._roots(_PLACEHOLDERS)
            if root.is_dir()
            for folder in root.iterdir()
            if _LANGUAGE.fullmatch(folder.name) and any(folder.glob("*.wav"))
        }
        return tuple(sorted(found))

    @property
    def own_folder(self) -> Path | None:
        """The site's folder, None where it has none."""
        return self._own_folder

    @property
    def names(self) -> tuple[str, ...]:
        """Every prompt of which there is one in some language, sorted."""
        found = {
            file.stem
            for root in self._roots(_PLACEHOLDERS)
            for language in self.languages
            for file in (root / language).glob("*.wav")
            if _NAME.fullmatch(file.stem)
        }
        return tuple(sorted(found))

    def has_placeholder(self, name: str, language: str) -> bool:
        """Tell whether a prompt comes with Bagvagt.

        Raises:
            PromptNameError: the name or the language could not be one.
        """
        check_name(name)
        check_language(language)
        return (_PLACEHOLDERS / language / f"{name}.wav").is_file()

    def find(self, name: str, language: str) -> PromptFile:
        """The prompt in this language.

        A damaged recording of the site's own is an error, not a reason to play the placeholder: the
        placeholder may say something else than what policy relies on.

        Raises:
            PromptNameError: the name or the language could not be one.
            PromptMissingError: there is none, neither the site's nor a placeholder.
            PromptFileError: the file is there and a PBX could not play it.
        """
        check_name(name)
        check_language(language)
        own, path = self._first(_PLACEHOLDERS, name, language, language)
        return PromptFile(path=path, duration_s=read_duration_s(path), is_placeholder=not own)

    def find_tone(self, name: str) -> PromptFile:
        """A short tone, which needs no language: `tone-accepted`, `tone-refused`, `tone-not-yet`.

        Raises:
            PromptNameError, PromptMissingError, PromptFileError: as for `find`.
        """
        check_name(name)
        _, path = self._first(_HERE, name, _TONES, None)
        return PromptFile(path=path, duration_s=read_duration_s(path), is_placeholder=False)

    def problems(self, names: Iterable[str], languages: Iterable[str]) -> tuple[PromptError, ...]:
        """Everything that keeps these prompts from being played, missing or damaged, for a check beforehand.

        Raises:
            PromptNameError: a name or a language could not be one.
        """
        return tuple(self._problems(names, tuple(languages)))

    def _problems(self, names: Iterable[str], languages: tuple[str, ...]) -> Iterator[PromptError]:
        for name in names:
            for language in languages:
                try:
                    self.find(name, language)
                except PromptNameError:
                    raise
                except PromptError as error:
                    yield error

    def _roots(self, shipped: Path) -> tuple[Path, ...]:
        return (shipped,) if self._own_folder is None else (self._own_folder, shipped)

    def _first(self, shipped: Path, name: str, folder: str, language: str | None) -> tuple[bool, Path]:
        """Whether the file is the site's own, and the file."""
        candidates = tuple(root / folder / f"{name}.wav" for root in self._roots(shipped))
        for path in candidates:
            # Whatever stands there counts, also a folder or a dangling link: it is reported, not passed over.
            if path.exists() or path.is_symlink():
                return path is not candidates[-1], path
        raise PromptMissingError(name, language, candidates)


def check_name(name: str) -> None:
    """Refuse what could not be a prompt's name.

    Raises:
        PromptNameError: anything but small letters, digits and hyphens.
    """
    if not _NAME.fullmatch(name):
        raise PromptNameError(
            "prompt name", name, "Use small letters a-z, digits and hyphens, at most 64, as in 'warning'"
        )


def check_language(language: str) -> None:
    """Refuse what could not be a language's code.

    Raises:
        PromptNameError: anything but a code as in BCP 47, written small.
    """
    if not _LANGUAGE.fullmatch(language):
        raise PromptNameError("language", language, "Use a code written small, as in 'da', 'sv' or 'sv-fi'")
