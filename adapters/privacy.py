"""Caller numbers, as they leave the PBX adapter: a keyed hash plus the last two digits.

A plain hash of a phone number falls in minutes, since all numbers can be tried; so the hash is keyed (HMAC, RFC 2104),
and the key lives in a file of its own, outside the database. Whoever erases the key makes every tag meaningless.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

KEY_BYTES = 32
TAG_HEX = 16
WITHHELD = "withheld"
_ANONYMOUS = frozenset({"", "anonymous", "unknown", "<unknown>", "restricted", "unavailable"})


def read_or_make_key(file: Path) -> bytes:
    """Return the site's key; made at the first start, readable by the service alone.

    Raises:
        OSError: the file can be neither read nor made.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return bytes.fromhex(file.read_text(encoding="ascii").strip())
    key = secrets.token_bytes(KEY_BYTES)
    with os.fdopen(descriptor, "w", encoding="ascii") as made:
        made.write(key.hex() + "\n")
    return key


class CallerTag:
    """Callable: a caller's number -> what the rest of the service may know of it."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, number: str) -> str:
        """Return `<hash>:<last two digits>`, or "withheld"."""
        if number.strip().lower() in _ANONYMOUS:
            return WITHHELD
        digits = "".join(c for c in number if c.isdigit())
        mac = hmac.new(self._key, digits.encode() or number.encode(), hashlib.sha256).hexdigest()[:TAG_HEX]
        return f"{mac}:{digits[-2:]}"
