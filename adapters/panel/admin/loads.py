"""The policy as it was loaded: its text, what is doubtful about it, and what came of the last reload.

Secrets stand in files that the policy names, so its text holds none; where somebody has put one all the same, into a
gateway's address or a comment, it is not shown.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from adapters.panel.admin.pseudonyms import Pseudonyms
from telephony.errors import ConfigError, Mistake
from telephony.ports import Clock
from telephony.settings import Settings

HIDDEN: Final = "•••"
_CALLED: Final = r"(?:password|passwd|secret|token|api[-_]?key|authorization|bearer)"
_VALUE: Final = r"(?:bearer|basic)\s+\S+|\"[^\"]*\"|'[^']*'|[^\s,}&]+"
_ASSIGNED: Final = re.compile(rf"(?i)(\b[\w.-]*{_CALLED}\b[\"']?\s*[=:]\s*)({_VALUE})")
_USERINFO: Final = re.compile(r"(\w://)[^/\s\"'@]+@")
_QUERY: Final = re.compile(r"([?&][\w.-]+=)(?!\{)[^&\s\"']+")
_SCOPE: Final = "policy"


class MistakePicture(BaseModel):
    """Something wrong or doubtful in a policy.

    Attributes:
        key: dotted, "" for the file as a whole.
        line: 1-based, None when the file leaves the key and its table out.
        message: what, in English.
        remedy: what to do.
        severity: "error", or "warning" for a doubt.
    """

    key: str
    line: int | None
    message: str
    remedy: str
    severity: str

    @classmethod
    def of(cls, mistake: Mistake) -> "MistakePicture":
        """Return it for the API."""
        return cls(
            key=mistake.key,
            line=mistake.line,
            message=mistake.message,
            remedy=mistake.remedy,
            severity=mistake.severity,
        )


class ReloadPicture(BaseModel):
    """What came of reading the policy anew.

    Attributes:
        at: when.
        accepted: it is in force; otherwise the one before stays.
        mistakes: why not, and what is doubtful.
    """

    at: datetime
    accepted: bool
    mistakes: list[MistakePicture] = []


class PolicyPicture(BaseModel):
    """The policy in force.

    Attributes:
        file: its place.
        version: short hash of its bytes.
        loaded_at: when it came into force.
        lines: its text; names are pseudonyms for an auditor. Empty when the file was changed while it was read.
        doubts: what is doubtful and was let pass.
        last_reload: None when it was not read anew since the start.
        names: whether names are shown.
    """

    file: str
    version: str
    loaded_at: datetime
    lines: list[str]
    doubts: list[MistakePicture]
    last_reload: ReloadPicture | None
    names: bool


@dataclass(slots=True)
class Loads:
    """What was loaded, and what came of the last reload.

    Attributes:
        settings: in force.
        text: of its file, "" when it could not be kept.
        loaded_at: when.
        last: the last reload, None before the first.

    Args:
        settings: with which the service starts.
        clock: the time.
    """

    settings: Settings
    clock: Clock
    text: str = ""
    loaded_at: datetime | None = None
    last: ReloadPicture | None = None

    def __post_init__(self) -> None:
        self._keep(self.settings)

    @property
    def zone(self) -> ZoneInfo:
        """The site's, in which times without one are meant."""
        return ZoneInfo(self.settings.site.zone)

    def loaded(self, settings: Settings) -> None:
        """Take in a policy that came into force by a reload."""
        self._keep(settings)
        self.last = ReloadPicture(
            at=self.clock.now(), accepted=True, mistakes=[MistakePicture.of(m) for m in settings.origin.warnings]
        )

    def refused(self, error: ConfigError) -> None:
        """Take in a policy that was refused."""
        mistakes = [MistakePicture.of(m) for m in error.mistakes]
        self.last = ReloadPicture(at=self.clock.now(), accepted=False, mistakes=mistakes)

    def picture(self, pseudonyms: Pseudonyms | None) -> PolicyPicture:
        """Return what is shown; without names when there are pseudonyms."""
        settings = self.settings
        text = without_secrets(self.text)
        found = [MistakePicture.of(m) for m in settings.origin.warnings]
        last = self.last
        if pseudonyms is not None:
            names = names_in(settings)
            text = pseudonyms.text(text, _SCOPE, names)
            found = [_nameless(m, pseudonyms, names) for m in found]
            if last is not None:
                kept = [_nameless(m, pseudonyms, names) for m in last.mistakes]
                last = last.model_copy(update={"mistakes": kept})
        return PolicyPicture(
            file=str(settings.origin.file),
            version=settings.origin.version,
            loaded_at=self.loaded_at or self.clock.now(),
            lines=text.splitlines(),
            doubts=found,
            last_reload=last,
            names=pseudonyms is None,
        )

    def _keep(self, settings: Settings) -> None:
        self.settings, self.loaded_at, self.text = settings, self.clock.now(), ""
        try:
            data = settings.origin.file.read_bytes()
        except OSError:
            return
        # The file may have been changed since it was loaded; then its text is not what is in force.
        if hashlib.sha256(data).hexdigest().startswith(settings.origin.version):
            self.text = data.decode("utf-8-sig")


def without_secrets(text: str) -> str:
    """Return a policy's text without what looks like a secret."""
    text = _ASSIGNED.sub(lambda found: f"{found[1]}{HIDDEN}", text)
    return _QUERY.sub(rf"\1{HIDDEN}", _USERINFO.sub(rf"\1{HIDDEN}@", text))


def names_in(settings: Settings) -> set[str]:
    """Return every name and address of a person that a policy holds."""
    people = {part for name, p in settings.people.items() for part in (name, *p.channels.values(), p.phone)}
    agents = {part for name, a in settings.agents.items() for part in (name, a.name, a.interface)}
    chiefs = {part for c in settings.handoff.chief.chain for part in (c.name, c.endpoint, c.agent)}
    return {name for name in people | agents | chiefs if name}


def _nameless(mistake: MistakePicture, pseudonyms: Pseudonyms, names: set[str]) -> MistakePicture:
    told = {f: pseudonyms.text(getattr(mistake, f), _SCOPE, names) for f in ("key", "message", "remedy")}
    return mistake.model_copy(update=told)
