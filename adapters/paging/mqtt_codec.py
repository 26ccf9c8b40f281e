"""What goes over MQTT: topics, and JSON. Pure. `docs/mqtt.md` tells it to those who build the other end.

The structs are the source of `docs/schemas/page.schema.json`; a test holds the two together.
"""

import inspect
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, unquote

import msgspec
from msgspec import Meta

from adapters.paging.messages import Purpose, purpose_of
from policies.actions import Notify
from policies.rules import Severity

PROBE = "_probe"
MOST_ACKNOWLEDGE_BYTES = 1024
MOST_NAME_CHARS = 80

Name = Annotated[str, Meta(min_length=1, max_length=MOST_NAME_CHARS)]
When = Annotated[datetime, Meta(tz=True)]


class OpenPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="state", tag="open"):
    """Retained on page/<page>: nobody has taken it.

    Attributes:
        step: rung of the plan that was told last, from 0; -1 is the last resort.
        expires_at: after that, with nothing newer, do not sound an alarm because of this.
    """

    page: str
    incident: str
    severity: Severity
    purpose: Purpose
    step: Annotated[int, Meta(ge=-1)]
    at: When
    expires_at: When


class AnsweredPage(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="state", tag="answered"
):
    """Retained on page/<page> until it expires, and sent to person/<address>/page: somebody has it."""

    page: str
    incident: str
    by: str
    text: str = ""
    at: When
    expires_at: When


class PersonPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="state", tag="open"):
    """Sent to person/<address>/page: take it, or it goes on to the next.

    Attributes:
        message: the same for every attempt; what was shown once need not ring twice.
        acknowledge: the topic for the answer.
    """

    page: str
    incident: str
    severity: Severity
    purpose: Purpose
    step: Annotated[int, Meta(ge=-1)]
    at: When
    expires_at: When
    message: str
    attempt: Annotated[int, Meta(ge=1)]
    language: str
    text: str
    acknowledge: str


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """Sent by a person to page/<page>/acknowledge."""

    by: Name


class AuditHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Retained on audit/head: the last hash of the audit trail."""

    head: str
    at: When


PageTopic = OpenPage | AnsweredPage
PersonTopic = PersonPage | AnsweredPage


def encode(payload: OpenPage | AnsweredPage | PersonPage | AuditHead) -> bytes:
    """Return JSON, UTF-8."""
    return msgspec.json.encode(payload)


def open_page(action: Notify, at: datetime, expires_at: datetime) -> OpenPage:
    """Return the state of the page that a message belongs to."""
    return OpenPage(
        page=action.page,
        incident=action.incident,
        severity=action.severity,
        purpose=purpose_of(action.reason),
        step=action.step,
        at=at,
        expires_at=expires_at,
    )


def person_page(action: Notify, state: OpenPage, text: str, acknowledge: str) -> PersonPage:
    """Return a person's message, which repeats the page's `state`."""
    return PersonPage(
        **msgspec.structs.asdict(state),
        message=action.message,
        attempt=action.attempt,
        language=action.language,
        text=text,
        acknowledge=acknowledge,
    )


def read_page(payload: bytes) -> OpenPage | AnsweredPage | None:
    """Return a page's retained state; None when it is not one of ours."""
    try:
        state: PageTopic = msgspec.json.decode(payload, type=PageTopic)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return state


def read_acknowledge(payload: bytes) -> str:
    """Return who acknowledges: from JSON with `by`, or from plain text that is the name.

    Raises:
        ValueError: it is neither; the text says why, and holds nothing of the payload.
    """
    if len(payload) > MOST_ACKNOWLEDGE_BYTES:
        raise ValueError("too long")
    try:
        text = payload.decode().strip()
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    if text.startswith(("{", "[")):
        try:
            text = msgspec.json.decode(text, type=Acknowledgement).by.strip()
        except msgspec.DecodeError:
            raise ValueError('not JSON with a name in "by"') from None
    if not text:
        raise ValueError("no name")
    if len(text) > MOST_NAME_CHARS:
        raise ValueError("name too long")
    if not text.isprintable():
        raise ValueError("name not printable")
    return text


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of every payload."""
    types = (OpenPage, AnsweredPage, PersonPage, Acknowledgement, AuditHead)
    refs, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    for definition in definitions.values():
        definition["description"] = inspect.cleandoc(definition["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What Bagvagt publishes and takes in over MQTT",
        "anyOf": list(refs),
        "$defs": definitions,
    }


class Topics:
    """The topics under a prefix.

    Raises:
        ValueError: the prefix cannot be one.
    """

    def __init__(self, prefix: str) -> None:
        if not prefix or prefix.startswith(("/", "$")) or prefix.endswith("/") or set(prefix) & set("+#\0"):
            raise ValueError(f"{prefix!r} cannot be a prefix of MQTT topics")
        self._prefix = prefix
        self.status = f"{prefix}/status"
        self.audit_head = f"{prefix}/audit/head"
        self.any_page = f"{prefix}/page/+"
        self.any_acknowledge = f"{prefix}/page/+/acknowledge"
        self.probes = (
            self.page(PROBE),
            self.acknowledge(PROBE),
            self.person(PROBE),
            f"{prefix}/audit/{PROBE}",
        )

    def page(self, page: str) -> str:
        """Return where a page's state is retained."""
        return f"{self._prefix}/page/{_level(page)}"

    def acknowledge(self, page: str) -> str:
        """Return where a page is acknowledged."""
        return f"{self.page(page)}/acknowledge"

    def person(self, address: str) -> str:
        """Return where one person is told."""
        return f"{self._prefix}/person/{_level(address)}/page"

    def page_of(self, topic: str) -> tuple[str, bool] | None:
        """Return the page that a topic names, and whether it is its acknowledge topic; None for other topics."""
        start = f"{self._prefix}/page/"
        if not topic.startswith(start):
            return None
        page, _, rest = topic.removeprefix(start).partition("/")
        if not page or rest not in ("", "acknowledge"):
            return None
        return unquote(page), rest == "acknowledge"


def _level(name: str) -> str:
    """Return a name as one level of a topic: what means something in topics is percent-encoded, letters stay."""
    return "".join(c if c.isprintable() and c not in "/+#%" else quote(c, safe="") for c in name)
