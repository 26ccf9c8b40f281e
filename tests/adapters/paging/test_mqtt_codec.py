"""Topics and payloads of MQTT, without a broker."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.paging.mqtt_codec import read_by, read_page, read_seen, schema
from adapters.paging.mqtt_topics import Topics

SCHEMA = Path(__file__).parents[3] / "docs" / "schemas" / "page.schema.json"
TOPICS = Topics("bagvagt/aarhus")


def test_the_documented_schema_is_the_one_that_is_spoken() -> None:
    """Proves that docs/schemas/page.schema.json is what the code encodes and takes in, to the last field."""
    assert json.loads(SCHEMA.read_text()) == schema()


@given(st.text(min_size=1))
def test_any_page_id_makes_one_level_and_comes_back(page: str) -> None:
    """Proves that a plan's name with a slash, wildcard or percent sign neither leaves its level nor gets lost."""
    try:
        page.encode()
    except UnicodeEncodeError:  # half a surrogate cannot be in a topic, nor in the journal
        return
    for said, topic in TOPICS.means(page).items():
        assert topic.count("/") == TOPICS.means("p")[said].count("/")
        assert not set(topic) & set("+#\0")
        assert TOPICS.page_of(topic) == (page, said)
    assert TOPICS.page_of(TOPICS.page(page)) == (page, None)


@pytest.mark.parametrize(
    "topic", ["bagvagt/aarhus/status", "bagvagt/aarhus/page/", "bagvagt/aarhus/page/p/other", "x/page/p/acknowledge"]
)
def test_other_topics_name_no_page(topic: str) -> None:
    """Proves that a message elsewhere is not taken for an answer."""
    assert TOPICS.page_of(topic) is None


@pytest.mark.parametrize("prefix", ["", "/a", "a/", "a/+/b", "#", "$SYS/a"])
def test_a_prefix_that_cannot_be_one_is_refused(prefix: str) -> None:
    """Proves that a wrong prefix is found at start."""
    with pytest.raises(ValueError, match="prefix"):
        Topics(prefix)


@pytest.mark.parametrize(
    ("payload", "by"),
    [
        (b'{"by": "Anna"}', "Anna"),
        (b'{"by": " S\xc3\xb8ren ", "from": "a newer client"}', "Søren"),
        (b"Anna\n", "Anna"),
        ("Søren Åkesson".encode(), "Søren Åkesson"),
    ],
)
def test_answers_that_count(payload: bytes, by: str) -> None:
    """Proves that JSON and plain text both say who."""
    assert read_by(payload) == by


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"  ",
        b'{"by": ""}',
        b'{"by": "  "}',
        b'{"by": 7}',
        b'{"who": "Anna"}',
        b'{"by": "Anna"',
        b"[]",
        b"\xff\xfe",
        b"Anna\x00",
        b"An\nna",
        b"x" * 81,
        b"x" * 2000,
        b'{"by": "' + b"x" * 81 + b'"}',
    ],
)
def test_answers_that_do_not(payload: bytes) -> None:
    """Proves that what names nobody is no person's answer, and that the reason does not repeat the payload."""
    with pytest.raises(ValueError, match=r"^[a-zA-Z0-9 \"-]+$") as caught:
        read_by(payload)
    assert "xxx" not in str(caught.value)


@pytest.mark.parametrize("payload", [b"p-1.0", b" p-1.0\n", b'{"message": "p-1.0", "by": "a newer client"}'])
def test_a_message_that_was_seen(payload: bytes) -> None:
    """Proves that JSON and plain text both say which."""
    assert read_seen(payload, "p-1") == "p-1.0"


@pytest.mark.parametrize(
    "payload", [b"", b"p-2.0", b"p-1", b'{"message": 7}', b'{"by": "p-1.0"}', b"p-1." + b"1" * 200]
)
def test_a_message_of_another_page_was_not(payload: bytes) -> None:
    """Proves that on one page's topic nothing can be said of another's message, nor of none."""
    with pytest.raises(ValueError, match=r"^[a-zA-Z0-9 \"-]+$"):
        read_seen(payload, "p-1")


@given(st.binary(max_size=200))
def test_nothing_that_is_published_breaks_the_reader(payload: bytes) -> None:
    """Proves that any bytes are a name or a message, or a ValueError; and either a page's state or None."""
    with contextlib.suppress(ValueError):
        assert read_by(payload).strip()
    with contextlib.suppress(ValueError):
        assert read_seen(payload, "p").startswith("p.")
    assert read_page(payload) is None
