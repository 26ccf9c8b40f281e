"""Links of messages: made from the site's key, known again without a store."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.paging.links import Links
from policies.events import Delivery
from policies.pages import Page, PageState, Told
from policies.proofs import Proof
from policies.rules import Contact, PagePlan, Severity
from policies.state import State

KEY = b"of the tests, and of nobody else"
LINKS = Links("https://vagt.example/", KEY)
AT = datetime(2027, 3, 28, 2, 30, tzinfo=UTC)


def told(message: str, person: str = "Anna") -> Told:
    return Told(message, person, "sms", "+4520304050", "da", 0, 0, 1, "a-1", Delivery.SENT, AT)


def page(id_: str, *messages: Told) -> Page:
    plan = PagePlan("backup", (), Contact("Alarm", ()))
    return Page(id_, "i-7", "call", plan, Severity.ACUTE, PageState.CALLING, 0, 0, AT, messages)


STATE = State(
    pages={"p-1": page("p-1", told("p-1.0"), told("p-1.1", "Bo")), "p-2": page("p-2", told("p-2.0", "Bo"))},
    proofs={
        "Anna/sms": Proof("Anna/sms", "Anna", "sms", "+4520304050", "da", page="t-1", told=told("t-1.0")),
        "Bo/sms": Proof("Bo/sms", "Bo", "sms", "+4520304051", "da"),
    },
)


def test_a_link_leads_to_its_own_message() -> None:
    """Proves that each message of a page, and of a test, has a link of its own that is known again."""
    for message in ("p-1.0", "p-1.1", "p-2.0", "t-1.0"):
        found = LINKS.find(LINKS(message).rpartition("/")[2], STATE)
        assert found is not None
        assert found.told.message == message
        of = found.of
        assert (of.id if isinstance(of, Page) else of.page) == message.rpartition(".")[0]


def test_a_link_is_short_and_of_plain_letters() -> None:
    """Proves that it fits into an SMS beside the alarm, has 80 bits, and no sign at which a phone would cut it off."""
    assert re.fullmatch(r"https://vagt\.example/t/[a-z2-7]{16}", LINKS("p-1.0"))


def test_a_token_that_was_read_out_in_capitals_is_the_same() -> None:
    """Proves that the case of its letters does not matter."""
    found = LINKS.find(LINKS.token("p-1.0").upper(), STATE)
    assert found is not None
    assert found.told.message == "p-1.0"


@given(st.text(max_size=40))
def test_nothing_else_leads_anywhere(token: str) -> None:
    """Proves that whatever stands after /t/, half a surrogate too, is either a message's token or nothing."""
    assert LINKS.find(token, STATE) is None


def test_another_site_another_purpose_another_message_another_token() -> None:
    """Proves that a token is worth nothing elsewhere: the form's is not the link's, and neither is the other site's."""
    others = {Links("https://vagt.example", KEY[::-1]).token("p-1.0"), LINKS.form("p-1.0"), LINKS.token("p-9.9")}
    assert len(others) == 3
    for token in others:
        assert LINKS.find(token, STATE) is None


@pytest.mark.parametrize("nowhere", ["", "/"])
def test_without_an_address_there_is_no_link(nowhere: str) -> None:
    """Proves that a site whose panel nobody reaches from outside sends no half links."""
    assert Links(nowhere, KEY)("p-1.0") == ""
