"""Templates cannot be broken out of."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.paging.sms_template import Body, Content, Sms, fill_url

VALUE = st.text(st.characters(exclude_categories=["Cs"]))
NASTY = 'x", "to": "+4599999999\\\r\n{to}&to=%2B4599999999#{id}'


@given(text=VALUE, id_=VALUE, sender=VALUE)
def test_a_json_body_keeps_its_structure(text: str, id_: str, sender: str) -> None:
    """Proves that no value changes any other field of a JSON body, or its own."""
    body = Body(
        '{"m": [{"to": "{to}", "n": "{to_digits}"}], "t": "<{text}>", "i": "{id}", "f": "{from}", "k": 1}', Content.JSON
    )
    filled = body.fill(Sms("+4520304050", text, id_, sender))
    assert filled is not None
    assert json.loads(filled[0]) == {
        "m": [{"to": "+4520304050", "n": "4520304050"}],
        "t": f"<{text}>",
        "i": id_,
        "f": sender,
        "k": 1,
    }


@given(text=VALUE)
def test_a_form_keeps_its_fields(text: str) -> None:
    """Proves that no value adds a field to a form."""
    filled = Body("to={to}&message={text}&flash=0", Content.FORM).fill(Sms("+4520304050", text, "", ""))
    assert filled is not None
    fields = parse_qs(filled[0].decode(), keep_blank_values=True, strict_parsing=True)
    assert fields == {"to": ["+4520304050"], "message": [text], "flash": ["0"]}


@given(text=VALUE)
def test_a_url_keeps_its_parts(text: str) -> None:
    """Proves that no value reaches another part of a URL."""
    parts = urlsplit(fill_url("https://gw.example/send?to={to}&text={text}", Sms("+4520304050", text, "", "")))
    assert (parts.netloc, parts.path, parts.fragment) == ("gw.example", "/send", "")
    assert parse_qs(parts.query, keep_blank_values=True) == {"to": ["+4520304050"], "text": [text]}


def test_the_usual_attack() -> None:
    """Proves that quotes, line breaks, ampersands and placeholders in a value are letters."""
    filled = Body('{"to": "{to}", "text": "{text}"}', Content.JSON).fill(Sms("+4520304050", NASTY, "secret", ""))
    assert filled is not None
    assert json.loads(filled[0]) == {"to": "+4520304050", "text": NASTY}


@pytest.mark.parametrize(
    ("template", "content", "match"),
    [
        ('{"to": "{number}"}', Content.JSON, "unknown placeholder {number}"),
        ('{"to": {to}}', Content.JSON, "not JSON"),
        ("to", Content.FORM, "not a form"),
        ("to={number}", Content.FORM, "unknown placeholder"),
    ],
)
def test_a_template_that_cannot_work_is_found_at_start(template: str, content: Content, match: str) -> None:
    """Proves that a mistake in a template shows when it is loaded, not at night."""
    with pytest.raises(ValueError, match=match):
        Body(template, content)
