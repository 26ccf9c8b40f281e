"""Templates for gateways: `{to}`, `{text}` and so on, put in so that no value can change the structure around it.

A JSON template is parsed first and filled in string by string; a form is taken apart into fields first; a URL's values
are percent-encoded. So a quote, an ampersand or a line break in a value stays a part of that value. Filling in is one
step: braces in a value are not filled in again.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from policies.rules import Severity

CHANNEL = "sms"
_FIELD = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Sms:
    """One message.

    Attributes:
        to: the number in E.164, with "+".
        text: what it says.
        id: the same for every attempt.
        sender: name or number.
        receipts: address at which the gateway says what became of it, "" for none.
        severity: how urgent.
    """

    to: str
    text: str
    id: str
    sender: str
    receipts: str = ""
    severity: Severity = Severity.NORMAL

    def values(self) -> dict[str, str]:
        """Return what the placeholders stand for; `to_digits` is `to` without its "+", which some gateways want."""
        return {
            "to": self.to,
            "to_digits": self.to.removeprefix("+"),
            "text": self.text,
            "id": self.id,
            "from": self.sender,
            "receipts": self.receipts,
        }


_EXAMPLE = Sms(to="+4520304050", text="text", id="id", sender="from")


class Content(StrEnum):
    """How a body is written."""

    JSON = "json"
    FORM = "form"


def fill_url(template: str, sms: Sms) -> str:
    """Return the URL with percent-encoded values.

    Raises:
        ValueError: an unknown placeholder.
    """
    return _fill(template, sms, lambda value: quote(value, safe=""))


class Body:
    """A body's template.

    Args:
        template: JSON text, or `field=value&field=value`, with placeholders in the values; "" for no body.
        content: which of the two.

    Raises:
        ValueError: it is not what `content` says, or has an unknown placeholder.
    """

    def __init__(self, template: str, content: Content) -> None:
        self._content = content
        self._parts: Any = None
        if template:
            self._parts = _parse_json(template) if content is Content.JSON else _parse_form(template)
        self.fill(_EXAMPLE)

    def fill(self, sms: Sms) -> tuple[bytes, str] | None:
        """Return (body, content type); None for no body."""
        if self._parts is None:
            return None
        if self._content is Content.JSON:
            return json.dumps(_fill_tree(self._parts, sms)).encode(), "application/json"
        fields = [(name, _fill(value, sms)) for name, value in self._parts]
        return urlencode(fields).encode(), "application/x-www-form-urlencoded"


def _parse_json(template: str) -> Any:
    try:
        return json.loads(template)
    except json.JSONDecodeError as error:
        raise ValueError(f"the body is not JSON: {error.msg} at line {error.lineno}") from None


def _parse_form(template: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(template.strip(), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise ValueError("the body is not a form: field=value&field=value") from None


def _fill_tree(part: Any, sms: Sms) -> Any:
    if isinstance(part, str):
        return _fill(part, sms)
    if isinstance(part, list):
        return [_fill_tree(item, sms) for item in part]
    if isinstance(part, dict):
        return {name: _fill_tree(item, sms) for name, item in part.items()}
    return part


def _fill(template: str, sms: Sms, write: Callable[[str], str] = str) -> str:
    values = sms.values()

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            raise ValueError(f"unknown placeholder {{{name}}}; known are {', '.join(f'{{{v}}}' for v in values)}")
        return write(values[name])

    return _FIELD.sub(value, template)
