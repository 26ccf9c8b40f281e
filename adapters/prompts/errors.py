"""What can be wrong with a prompt. Each error carries its parts, and reads as one sentence with a remedy."""

from pathlib import Path


class PromptError(Exception):
    """Something is wrong with a prompt.

    Attributes:
        problem: What is wrong, as a clause.
        remedy: What a person can do about it, as a sentence.
    """

    def __init__(self, subject: str, problem: str, remedy: str) -> None:
        super().__init__(f"{subject}: {problem}. {remedy}")
        self.problem = problem
        self.remedy = remedy


class PromptNameError(PromptError):
    """A prompt's name or a language could not be the name of a file or folder of ours.

    Attributes:
        given: What was given.
    """

    def __init__(self, what: str, given: str, remedy: str) -> None:
        super().__init__(f"{what} {given!r}", "not allowed", remedy)
        self.given = given


class PromptMissingError(PromptError):
    """Neither the site nor Bagvagt has this prompt in this language.

    Attributes:
        name: The prompt's name.
        language: The language, or None for a tone.
        looked_in: The files that do not exist.
    """

    def __init__(self, name: str, language: str | None, looked_in: tuple[Path, ...]) -> None:
        where = f" in language {language!r}" if language else ""
        remedy = f"Looked for {', '.join(str(path) for path in looked_in)}. " + (
            f"Record one and run: bagvagt prompts import FILE --name {name} --language {language}"
            if language
            else "Use one of the tones that come with Bagvagt, or put a file there"
        )
        super().__init__(f"prompt {name!r}{where}", "no such prompt", remedy)
        self.name = name
        self.language = language
        self.looked_in = looked_in


class PromptFileError(PromptError):
    """A prompt's file is there but a PBX could not play it.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            str(path),
            problem,
            "Replace it by a WAV of 8 kHz, mono, 16 bit; 'bagvagt prompts import' makes one of any recording",
        )
        self.path = path


class PromptImportError(PromptError):
    """A recording could not be made into a prompt; nothing was written.

    Attributes:
        source: The recording.
    """

    def __init__(self, source: Path, problem: str, remedy: str) -> None:
        super().__init__(str(source), problem, remedy)
        self.source = source
