"""What the checks share: the settings, where each key stands, and the mistakes found so far."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from telephony.errors import Mistake
from telephony.settings.fields import LOOPBACK
from telephony.settings.lines import Lines, dotted
from telephony.settings.lines import Path as KeyPath
from telephony.settings.model import Settings

PromptsMissing = Callable[[Path | None, Sequence[str], Sequence[str]], Sequence[tuple[str, str]]]
"""(the site's folder, names, languages) -> each (name, language) for which nothing can be played."""


@dataclass
class Look:
    """One look over a policy file whose keys have the right names and types, or were left out for having wrong ones.

    Attributes:
        settings: what could be read.
        raw: everything that stands in the file.
        lines: where.
        file: the policy file.
        broken: keys that have a mistake already; what follows from it is not reported again.
        prompts_missing: asked for prompts; None to leave that out.
        found: mistakes.
    """

    settings: Settings
    raw: dict[str, Any]
    lines: Lines
    file: Path
    broken: frozenset[KeyPath] = frozenset()
    prompts_missing: PromptsMissing | None = None
    found: list[Mistake] = field(default_factory=list)

    def wrong(self, path: KeyPath, message: str, remedy: str, severity: str = "error") -> None:
        """Note a mistake, unless it only follows from one that is known."""
        if any(path[: len(b)] == b or b[: len(path)] == path for b in self.broken):
            return
        self.found.append(Mistake(dotted(path), self.lines.near(path), message, remedy, severity))

    def doubtful(self, path: KeyPath, message: str, remedy: str) -> None:
        """Note something that is allowed and probably not meant."""
        self.wrong(path, message, remedy, "warning")

    def names(self, section: str) -> list[str]:
        """Return every name that the file gives in a section, with those that have mistakes."""
        table = self.raw.get(section)
        return list(table) if isinstance(table, dict) else []

    def knows(self, section: str, name: str) -> bool:
        """Tell whether the file names this; a section that is no table at all is taken to know everything."""
        return name in self.names(section) or (section,) in self.broken

    def is_broken(self, *path: str | int) -> bool:
        """Tell whether something at or below `path` has a mistake already."""
        return any(b[: len(path)] == path for b in self.broken)

    @property
    def has_links(self) -> bool:
        """Whether a message can hold a link that leads here from somebody's phone."""
        url = self.settings.panel.url
        return bool(url) and urlsplit(url).hostname not in LOOPBACK

    def resolve(self, name: str) -> Path:
        """Return a file that the policy names."""
        return self.file.parent / name
