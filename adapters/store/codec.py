"""Entities and actions to and from what a JSON column holds.

Bodies are read back by type: enums, tuples, nested records and UTC times come out equal to what went in. A field that
is added later needs a default; a field that went is ignored. A `Release` is written in full and never rebuilt: its
permit was for once, so what comes back is a `LostRelease`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from adapters.store.errors import StoreCorruptError
from policies import actions
from policies.actions import Action, Release
from policies.breaks import Break
from policies.guards import Guard
from policies.handoffs import Handoff
from policies.model import CallId
from policies.pages import Page
from policies.proofs import Proof
from policies.rules import Rules
from policies.state import Entity
from telephony.ports import LostRelease

Body = dict[str, Any]

ENTITIES: Mapping[str, type[Entity]] = {"call": Guard, "handoff": Handoff, "break": Break, "page": Page, "proof": Proof}
"""The kinds, in the words that `policies.model.Timer.entity` uses."""

_KINDS: Mapping[type[Entity], str] = {cls: kind for kind, cls in ENTITIES.items()}

ACTIONS: Mapping[str, type[Action]] = {
    cls.__name__: cls
    for cls in (
        actions.Announce,
        actions.StopAnnouncement,
        actions.Release,
        actions.Retrieve,
        actions.Ring,
        actions.StopRinging,
        actions.Leave,
        actions.Pause,
        actions.Unpause,
        actions.Notify,
        actions.StandDown,
        actions.ReplyTo,
        actions.StartTimer,
        actions.CancelTimer,
        actions.Tell,
    )
}


def key_of(entity: Entity) -> tuple[str, str]:
    """Return an entity's kind and id."""
    return _KINDS[type(entity)], entity.call if isinstance(entity, Guard) else entity.id


def incident_of(entity: Entity) -> str | None:
    """Return the incident that an entity belongs to; a handoff and a proof belong to none."""
    return None if isinstance(entity, (Handoff, Proof)) else entity.incident


def encode(record: Entity | Action | Rules) -> Body:
    """Return what the JSON column takes."""
    body: Body = msgspec.to_builtins(record, str_keys=True)
    return body


def decode_rules(body: Body) -> Rules:
    """Return a version of the policy.

    Raises:
        StoreCorruptError: the body does not fit.
    """
    try:
        return msgspec.convert(body, Rules, str_keys=True)
    except msgspec.ValidationError as error:
        raise StoreCorruptError("reading a policy from the journal", str(error)) from error


def decode_entity(kind: str, body: Body) -> Entity:
    """Return the entity.

    Raises:
        StoreCorruptError: the kind is unknown, or the body does not fit.
    """
    try:
        return msgspec.convert(body, ENTITIES[kind])
    except (KeyError, msgspec.ValidationError) as error:
        raise StoreCorruptError(f"reading a {kind!r} from the journal", str(error)) from error


def decode_action(kind: str, body: Body) -> Action | LostRelease:
    """Return the action; a `LostRelease` for a `Release`.

    Raises:
        StoreCorruptError: the kind is unknown, or the body does not fit.
    """
    try:
        if kind == Release.__name__:
            return LostRelease(body["id"], CallId(body["permit"]["call"]), body["permit"]["id"])
        return msgspec.convert(body, ACTIONS[kind])
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise StoreCorruptError(f"reading a {kind!r} from the journal", str(error)) from error
