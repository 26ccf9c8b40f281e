"""The whole of a policy file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field, PrivateAttr

from telephony.errors import Mistake
from telephony.settings import fields as f
from telephony.settings import policy, reach, rota, surroundings
from telephony.settings.lines import Lines, dotted
from telephony.settings.lines import Path as KeyPath
from telephony.settings.tokens import Token


@dataclass(frozen=True, slots=True)
class Origin:
    """Where settings came from.

    Attributes:
        file: the policy file.
        version: short hash of its bytes.
        lines: where each key stands in it.
        tokens: from the tokens file.
        warnings: what is doubtful and was let pass.
    """

    file: Path
    version: str
    lines: Lines
    tokens: tuple[Token, ...] = ()
    warnings: tuple[Mistake, ...] = ()


class Settings(f.Strict):
    """A policy file that was read. One that came from `load` has no mistakes in it.

    Environment variables do not count: what is in force stands in the file, where an auditor finds it.
    """

    site: surroundings.Site
    pbx: surroundings.Pbx = surroundings.Pbx()
    store: surroundings.Store = surroundings.Store()
    http: surroundings.Http = surroundings.Http()
    panel: surroundings.Panel = surroundings.Panel()
    prompts: surroundings.Prompts = surroundings.Prompts()
    mqtt: surroundings.Mqtt | None = None
    sms: reach.Sms | None = None
    voice: reach.Voice = reach.Voice()
    email: reach.Email | None = None
    heartbeat: reach.Heartbeat | None = None
    watch: list[reach.Watch] = Field(default_factory=list)
    kinds: dict[f.Name, policy.Kind] = Field(default_factory=dict)
    keys: dict[f.Name, policy.Key] = Field(default_factory=dict)
    presses: policy.Presses = policy.Presses()
    handoff: policy.Handoffs = policy.Handoffs()
    breaks: policy.Breaks = policy.Breaks()
    office_hours: policy.Hours = policy.Hours()
    people: dict[f.Name, policy.Person] = Field(default_factory=dict)
    rotas: dict[f.Name, rota.Rota] = Field(default_factory=dict)
    pages: dict[f.Name, policy.Plan] = Field(default_factory=dict)
    proofs: policy.Proofs | None = None
    agents: dict[f.Name, policy.Agent] = Field(default_factory=dict)
    queues: dict[f.QueueName, policy.Queue] = Field(default_factory=dict)

    _origin: Origin = PrivateAttr(default=Origin(Path(), "", Lines({})))

    @property
    def origin(self) -> Origin:
        """Where this came from."""
        return self._origin

    def with_origin(self, origin: Origin) -> "Settings":
        """Return the same settings, said to come from `origin`."""
        made = self.model_copy()
        made._origin = origin  # noqa: SLF001 -- of the same class
        return made

    def kept(self, update: Mapping[str, object], warnings: tuple[Mistake, ...]) -> "Settings":
        """Return the same settings with some sections replaced, and further warnings."""
        made = self.model_copy(update=dict(update))
        made._origin = replace(self._origin, warnings=(*self._origin.warnings, *warnings))  # noqa: SLF001 -- of the same class
        return made

    def path(self, name: str) -> Path:
        """Return a file named in the policy; names are relative to the policy file's folder."""
        return self._origin.file.parent / name

    def secret(self, name: str) -> str:
        """Read a one-line secret.

        Raises:
            OSError: it cannot be read; `load` has looked, so it has changed since.
        """
        return self.path(name).read_text(encoding="utf-8").strip()

    def line_near(self, key: str) -> int | None:
        """Return the line of a dotted key such as `kinds.abuse.wait_s`, else of the nearest table above it."""
        return self._origin.lines.near(tuple(key.split(".")))

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language in which callers may be spoken to, the site's first."""
        further = (
            *self.prompts.languages,
            *(q.language for q in self.queues.values() if q.language),
            *(a.language for a in self.agents.values() if a.language),
        )
        return tuple(dict.fromkeys((self.site.language, *further)))

    @property
    def media_base(self) -> str:
        """Address, without a slash at its end, at which the PBX fetches prompts."""
        if self.pbx.media_base:
            return self.pbx.media_base.rstrip("/")
        host = f"[{self.http.host}]" if ":" in self.http.host else self.http.host
        return f"http://{host}:{self.http.port}/prompts"


__all__ = ["KeyPath", "Origin", "Settings", "dotted"]
