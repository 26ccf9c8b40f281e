"""What an auditor reads instead of a name: that rules were kept can be seen without knowing who it was.

Somebody has one pseudonym within one incident, so that what happened can be followed, and another one in the next, so
that nobody's days can be put together. It is keyed (HMAC, RFC 2104): a list of the staff's names does not undo it.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

NAMED: Final = ("agent", "by", "whom")
"""What of an audit line names somebody."""
_PLACES: Final = ("address",)
_HEX: Final = 6
_DIGITS: Final = re.compile(r"\+?\d(?:[ ]?\d){6,}")


class Pseudonyms:
    """Makes them.

    Args:
        key: of the site, as `adapters.privacy.read_or_make_key` returns it.
    """

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"bagvagt: pseudonyms for auditors, version 1", "sha256")

    def of(self, scope: str, name: str) -> str:
        """Return what stands for a name within a scope; "" for nobody."""
        if not name:
            return ""
        mac = hmac.new(self._key, f"{scope}\n{name.casefold()}".encode(), hashlib.sha256)
        return f"person-{mac.hexdigest()[:_HEX]}"

    def line(self, content: Mapping[str, Any], incident: str) -> dict[str, Any]:
        """Return an audit line's content without names.

        Args:
            content: of the line.
            incident: what it belongs to. Who changes accounts is one person throughout; all else is one person a day.
        """
        scope = incident or ("access" if content.get("type") == "AccessChanged" else str(content.get("at", ""))[:10])
        masked: dict[str, Any] = {n: self.of(scope, str(value)) for n, value in content.items() if n in NAMED}
        if isinstance(changed := content.get("changed"), list):
            masked["changed"] = [self._change(one, scope) for one in changed]
        return {**{k: v for k, v in content.items() if k not in _PLACES}, **masked}

    def _change(self, change: Any, scope: str) -> Any:
        """Return a change without the name that the id of a proof begins with."""
        if not isinstance(change, dict) or change.get("kind") != "proof":
            return change
        person, _, channel = str(change.get("id")).rpartition("/")
        return {**change, "id": f"{self.of(scope, person)}/{channel}"}

    def text(self, text: str, scope: str, names: Iterable[str]) -> str:
        """Return a text without these names, and without the numbers of phones."""
        known = sorted((n for n in set(names) if n), key=len, reverse=True)
        if known:
            found = re.compile(r"(?<![\w-])(?:" + "|".join(map(re.escape, known)) + r")(?![\w-])", re.IGNORECASE)
            text = found.sub(lambda match: self.of(scope, match[0]), text)
        return _DIGITS.sub(lambda match: f"…{match[0][-2:]}", text)
