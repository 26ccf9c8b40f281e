"""What goes over MQTT: JSON. Pure. `docs/mqtt.md` tells it to those who build the other end.

The structs are the source of `docs/schemas/page.schema.json`; a test holds the two together.
"""

import inspect
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from adapters.paging.messages import Purpose, purpose_of
from policies.actions import Notify
from policies.rules import Severity

PROBE = "_probe"
MOST_SAID_BYTES = 1024
MOST_NAME_CHARS = 80
MOST_MESSAGE_CHARS = 200

Name = Annotated[str, Meta(min_length=1, max_length=MOST_NAME_CHARS)]
MessageId = Annotated[str, Meta(min_length=1, max_length=MOST_MESSAGE_CHARS)]
When = Annotated[datetime, Meta(tz=True)]


class Said(StrEnum):
    """What a person can say to a page, by the last level of the topic."""

    ACKNOWLEDGE = "acknowledge"  # I take it
    PASS = "pass"  # noqa: S105 -- I cannot: the next one, please
    READ = "read"  # it is on the screen before me; no answer


class OpenPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="state", tag="open"):
    """Retained on page/<page>: nobody has taken it.

    Attributes:
        step: rung of the plan that was told last, from 0; -1 is the last resort.
        expires_at: after that, with nothing newer, do not sound an alarm because of this.
        signed: all of this as a JWT, with its topic.
    """

    page: str
    incident: str
    severity: Severity
    purpose: Purpose
    step: Annotated[int, Meta(ge=-1)]
    at: When
    expires_at: When
    signed: str = ""


class AnsweredPage(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="state", tag="answered"
):
    """Retained on page/<page> until it expires, and sent to person/<address>/page: somebody has it.

    Attributes:
        signed: all of this as a JWT, with its topic.
    """

    page: str
    incident: str
    by: str
    text: str = ""
    at: When
    expires_at: When
    signed: str = ""


class PersonPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="state", tag="open"):
    """Sent to person/<address>/page: take it, or it goes on to the next.

    Attributes:
        message: the same for every attempt; what was shown once need not ring twice.
        acknowledge: the topic for "I take it".
        pass: the topic for "I cannot".
        read: the topic for "it is on the screen".
        link: a screen where it can be taken too, "" for none.
        signed: all of this as a JWT, with its topic.
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
    pass_: str = msgspec.field(name="pass")
    read: str
    link: str = ""
    signed: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Sent by a person to page/<page>/acknowledge, or to page/<page>/pass."""

    by: Name


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Sent by a person's program to page/<page>/read."""

    message: MessageId


class AuditHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Retained on audit/head: the last hash of the audit trail.

    Attributes:
        signed: all of this as a JWT, with its topic.
    """

    head: str
    at: When
    signed: str = ""


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Retained on heartbeat: Bagvagt lives.

    Attributes:
        ok: whether protection is on, too.
        expires_at: with nothing newer by then, Bagvagt is away.
        head: the last hash of the audit trail, "" where it is not known.
        signed: all of this as a JWT, with its topic.
    """

    ok: bool
    at: When
    expires_at: When
    head: str = ""
    signed: str = ""


PageTopic = OpenPage | AnsweredPage
PersonTopic = PersonPage | AnsweredPage
Published = OpenPage | AnsweredPage | PersonPage | AuditHead | Heartbeat
P = TypeVar("P", bound=Published)


def encode(payload: Published) -> bytes:
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


def person_page(action: Notify, state: OpenPage, text: str, means: Mapping[Said, str], link: str) -> PersonPage:
    """Return a person's message, which repeats the page's `state`."""
    return PersonPage(
        **msgspec.structs.asdict(state),
        message=action.message,
        attempt=action.attempt,
        language=action.language,
        text=text,
        acknowledge=means[Said.ACKNOWLEDGE],
        pass_=means[Said.PASS],
        read=means[Said.READ],
        link=link,
    )


def read_page(payload: bytes) -> OpenPage | AnsweredPage | None:
    """Return a page's retained state; None when it is not one of ours."""
    try:
        state: PageTopic = msgspec.json.decode(payload, type=PageTopic)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return state


def read_by(payload: bytes) -> str:
    """Return who answers: from JSON with `by`, or from plain text that is the name.

    Raises:
        ValueError: it is neither; the text says why, and holds nothing of the payload.
    """
    name = _text(payload, Answer, "by").strip()
    if not name:
        raise ValueError("no name")
    if len(name) > MOST_NAME_CHARS:
        raise ValueError("name too long")
    return name


def read_seen(payload: bytes, page: str) -> str:
    """Return which of a page's messages was seen: from JSON with `message`, or from plain text that is its id.

    Raises:
        ValueError: it is neither, or not of this page.
    """
    message = _text(payload, Seen, "message")
    if len(message) > MOST_MESSAGE_CHARS or message.rpartition(".")[0] != page:
        raise ValueError("not a message of this page")
    return message


def _text(payload: bytes, kind: type[Answer] | type[Seen], name: str) -> str:
    if len(payload) > MOST_SAID_BYTES:
        raise ValueError("too long")
    try:
        text = payload.decode().strip()
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    if text.startswith(("{", "[")):
        try:
            text = getattr(msgspec.json.decode(text, type=kind), name)
        except msgspec.DecodeError:
            raise ValueError(f'not JSON with a text in "{name}"') from None
    if not text.isprintable():
        raise ValueError("not printable")
    return text


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of every payload."""
    types = (OpenPage, AnsweredPage, PersonPage, Answer, Seen, AuditHead, Heartbeat)
    refs, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    for definition in definitions.values():
        definition["description"] = inspect.cleandoc(definition["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What Bagvagt publishes and takes in over MQTT",
        "anyOf": list(refs),
        "$defs": definitions,
    }
