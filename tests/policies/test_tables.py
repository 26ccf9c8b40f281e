from itertools import product
from typing import Any

import pytest

from policies.breaks import BREAKS, BreakCause, BreakState
from policies.guards import CALLS, CallCause, CallState
from policies.handoffs import HANDOFFS, HandoffCause, HandoffState
from policies.pages import PAGES, PageCause, PageState
from policies.proofs import PROOFS, ProofCause, ProofState
from policies.tables import IllegalTransitionError, Table

ALL = [
    (CALLS, CallState, CallCause),
    (HANDOFFS, HandoffState, HandoffCause),
    (BREAKS, BreakState, BreakCause),
    (PAGES, PageState, PageCause),
    (PROOFS, ProofState, ProofCause),
]


@pytest.mark.parametrize(("table", "states", "causes"), ALL, ids=lambda v: getattr(v, "name", ""))
def test_every_pair_is_either_a_row_or_an_error(table: Table[Any, Any], states: Any, causes: Any) -> None:
    """No pair is undefined: a row gives a state of the table, anything else raises and names the pair."""
    for state, cause in product(states, causes):
        if table.knows(state, cause):
            assert table.step(state, cause) in states
        else:
            with pytest.raises(IllegalTransitionError, match=f"{state.name}.*{cause.name}"):
                table.step(state, cause)


@pytest.mark.parametrize(("table", "states", "causes"), ALL, ids=lambda v: getattr(v, "name", ""))
def test_every_state_stands_in_its_table(table: Table[Any, Any], states: Any, causes: Any) -> None:
    """A state without a row of its own, even an empty one, was forgotten."""
    assert set(table.rows) == set(states)


def test_no_row_leads_from_acute_to_an_ending() -> None:
    """The latch, as literal rows: from ACUTE neither ENDING nor CLOSING can be reached but through OPEN, by two."""
    assert {c: s for c, s in CALLS.rows[CallState.ACUTE].items() if s is not CallState.ACUTE} == {
        CallCause.UNLATCHED: CallState.OPEN,
        CallCause.GONE: CallState.ENDED,
    }
    into_ending = {s for s, row in CALLS.rows.items() if CallState.ENDING in row.values()}
    assert into_ending == {CallState.OPEN, CallState.WARNED}


def test_no_row_ends_a_page_without_a_person() -> None:
    """Only ANSWERED leads to ANSWERED, from every state."""
    for row in PAGES.rows.values():
        assert {c for c, s in row.items() if s is PageState.ANSWERED} == {PageCause.ANSWERED}


def test_only_an_answer_proves_a_channel() -> None:
    """No row leads to PROVED but an answer; what a carrier says is not among the causes at all."""
    for row in PROOFS.rows.values():
        assert {c for c, s in row.items() if s is ProofState.PROVED} == {ProofCause.ANSWERED}


def test_the_diagram_has_every_row() -> None:
    """The picture in the docs is drawn from the table."""
    rows = sum(len(row) for row in CALLS.rows.values())
    assert CALLS.diagram().count("-->") == rows
