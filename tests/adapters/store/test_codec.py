"""Everything that is journaled comes back equal."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.store.codec import ACTIONS, ENTITIES, decode_action, decode_entity, encode, key_of
from adapters.store.errors import StoreCorruptError
from policies import actions
from policies.actions import Action, Release
from policies.state import Entity
from telephony.ports import LostRelease
from tests.adapters.store.samples import guard_of, permit_for

_TIMES = st.datetimes(timezones=st.just(UTC), allow_imaginary=False)
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def any_of(record: type[Any]) -> st.SearchStrategy[Any]:
    """Return any `record`, nested ones included; times are UTC, numbers finite."""
    st.register_type_strategy(datetime, _TIMES)
    st.register_type_strategy(float, _NUMBERS)
    return st.from_type(record)


_UNSEALED = [cls for cls in ACTIONS.values() if cls is not Release]


def _through_json(body: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps(body))
    return read


@given(st.one_of([any_of(cls) for cls in ENTITIES.values()]))
@settings(max_examples=200, deadline=None)
def test_any_entity_comes_back_equal(entity: Entity) -> None:
    """Every kind of entity, with any content, survives JSON: enums, UTC times, tuples, nested records."""
    kind, _ = key_of(entity)
    back = decode_entity(kind, _through_json(encode(entity)))
    assert back == entity
    assert type(back) is type(entity)
    assert back.state is entity.state


@pytest.mark.parametrize("cls", _UNSEALED, ids=lambda cls: cls.__name__)
def test_any_action_comes_back_equal(cls: type[Action]) -> None:
    """Every type of action but `Release`, with any content, survives JSON."""

    @given(any_of(cls))
    @settings(max_examples=50, deadline=None)
    def comes_back(action: Action) -> None:
        assert decode_action(cls.__name__, _through_json(encode(action))) == action

    comes_back()


def test_no_action_is_unknown_to_the_codec() -> None:
    """An action type that somebody adds to the core and forgets here would be lost in a restart."""
    known = {a for a in vars(actions).values() if isinstance(a, type) and issubclass(a, Action)}
    assert set(ACTIONS.values()) == known - {Action}


def test_a_release_comes_back_as_data_with_its_evidence_kept() -> None:
    """A permit is never rebuilt; what was heard stays in the store."""
    release = Release(id="e1/0", permit=permit_for("e1", "1700000000.1"))
    body = _through_json(encode(release))
    assert decode_action("Release", body) == LostRelease("e1/0", release.permit.call, "e1")
    assert body["permit"]["heard"][0]["packets"] == 300
    assert "seal" not in body["permit"]


def test_a_field_that_went_is_ignored_and_a_new_one_takes_its_default() -> None:
    """A store written by another version of the record still reads."""
    guard = guard_of("1.1")
    body = encode(guard) | {"colour": "red"}
    del body["tries"]
    assert decode_entity("call", body) == guard


@pytest.mark.parametrize(
    ("kind", "body"),
    [("ghost", {}), ("call", {"call": "1.1"}), ("page", []), ("break", {"state": "asleep"})],
)
def test_what_cannot_be_read_is_an_error(kind: str, body: Any) -> None:
    """Nothing is dropped silently: an unreadable entity is reported as damage."""
    with pytest.raises(StoreCorruptError):
        decode_entity(kind, body)


@pytest.mark.parametrize(("kind", "body"), [("Fly", {}), ("Release", {"id": "x"}), ("Pause", {"id": 1}), ("Pause", [])])
def test_an_action_that_cannot_be_read_is_an_error(kind: str, body: Any) -> None:
    """Likewise for actions."""
    with pytest.raises(StoreCorruptError):
        decode_action(kind, body)
