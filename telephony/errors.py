"""What can go wrong, as types. Fields, not formatted strings: whoever catches one can act on it.

Not allowed by policy is no error: it is a decision, see `policies.gate.Refused`.
"""

from dataclasses import dataclass, field


class BagvagtError(Exception):
    """Everything that this service raises on purpose."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong in a policy file.

    Attributes:
        key: dotted path of the key in the file, for example `kinds.abuse.warnings`.
        line: 1-based line in the file, or None when the key is absent and so is its table.
        message: what is wrong, in an admin's words.
        remedy: what to do about it.
        severity: "error" keeps the policy from being loaded; "warning" does not.
    """

    key: str
    line: int | None
    message: str
    remedy: str
    severity: str = "error"


class ConfigError(BagvagtError):
    """A policy file cannot be used. Raised before anything connects; the old policy stays in force."""

    def __init__(self, file: str, mistakes: tuple[Mistake, ...]) -> None:
        self.file = file
        self.mistakes = mistakes
        super().__init__(file, mistakes)

    def __str__(self) -> str:
        return "\n".join(f"{self.file}:{m.line or 1}: {m.key}: {m.message} ({m.remedy})" for m in self.mistakes)


@dataclass
class PbxError(BagvagtError):
    """Something between us and the PBX.

    Attributes:
        action: what was asked of the PBX, in its own words (`Redirect`, `POST /channels`).
        detail: what it, or the operating system, said.
    """

    action: str
    detail: str = ""

    def __post_init__(self) -> None:
        super().__init__(self.action, self.detail)

    def __str__(self) -> str:
        return f"{self.action}: {self.detail or type(self).__name__}"


class PbxUnreachableError(PbxError):
    """Nothing was sent; it may be tried again."""


class PbxTimeoutError(PbxError):
    """Sent, and no answer came: the outcome is unknown. Look, never resend."""


@dataclass
class PbxRejectedError(PbxError):
    """The PBX said no.

    Attributes:
        fields: the reply's own fields.
    """

    fields: dict[str, str] = field(default_factory=dict)


class PbxProtocolError(PbxError):
    """The PBX said something that its protocol does not allow."""


class LegGoneError(PbxError):
    """The leg hung up meanwhile. An everyday race, not a fault."""


@dataclass
class DeliveryDeferredError(BagvagtError):
    """A message was not taken now and may be tried again (network, gateway 5xx, 429).

    Attributes:
        channel: "mqtt", "sms" …
        detail: what the other side said.
        retry_after_s: when the other side named a time.
    """

    channel: str
    detail: str
    retry_after_s: float | None = None

    def __post_init__(self) -> None:
        super().__init__(self.channel, self.detail)


@dataclass
class DeliveryRefusedError(BagvagtError):
    """A message will never be taken as it is (bad address, bad credentials): trying again cannot help.

    Attributes:
        channel: "mqtt", "sms" …
        detail: what the other side said.
    """

    channel: str
    detail: str

    def __post_init__(self) -> None:
        super().__init__(self.channel, self.detail)
