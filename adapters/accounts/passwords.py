"""Passwords: argon2id (RFC 9106), in a thread, two at a time, and the same time for names that do not exist."""

import asyncio
import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from adapters.accounts.errors import AccessRefusedError

SHORTEST = 12
LONGEST = 200
"""In characters. Longer ones would be work for the service and for nobody's safety."""
_DIFFERENT = 5
_AT_ONCE = 2  # hashing takes a core each: keys and calls go first

# RFC 9106 §4, second choice, with one lane: more lanes would take cores from the calls.
HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)


def refuse(password: str, name: str) -> None:
    """Look whether `password` may be the one of account `name`.

    Raises:
        AccessRefusedError: it may not.
    """
    folded = plain(password).casefold()
    if len(folded) < SHORTEST:
        raise AccessRefusedError("password-short", f"The password needs at least {SHORTEST} characters")
    if len(folded) > LONGEST:
        raise AccessRefusedError("password-long", f"The password may have at most {LONGEST} characters")
    if name and folded.replace(name.casefold(), "").strip("0123456789!.-_ ") == "":
        raise AccessRefusedError("password-name", "The password must be more than the account's name")
    if len(set(folded)) < _DIFFERENT:
        raise AccessRefusedError("password-simple", f"The password needs at least {_DIFFERENT} different characters")


def plain(password: str) -> str:
    """Return the one form of what was typed: an å is one sign on one keyboard, and two on another (NFC)."""
    return unicodedata.normalize("NFC", password)


class Passwords:
    """Hashes and verifies.

    Args:
        hasher: with its costs; a hash that was made with others is made anew at the next login.
    """

    def __init__(self, hasher: PasswordHasher = HASHER) -> None:
        self._hasher = hasher
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._nobodys = ""

    @property
    def turns(self) -> asyncio.Semaphore:
        """Held by who counts attempts, so that no more are under way than are counted."""
        return self._turns

    async def hash(self, password: str) -> str:
        """Return what is kept of a password."""
        return await asyncio.to_thread(self._hasher.hash, plain(password))

    async def verify(self, kept: str, password: str) -> bool:
        """Tell whether `password` is the one of which `kept` was kept; "" takes as long, and is nobody's."""
        if not self._nobodys:  # before the first answer of either kind, so that it gives nothing away
            self._nobodys = await self.hash(secrets.token_urlsafe())
        given = plain(password[: LONGEST + 1])
        return await asyncio.to_thread(self._verify, kept or self._nobodys, given) and bool(kept)

    def is_dated(self, kept: str) -> bool:
        """Tell whether a hash was made with other costs than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, kept: str, given: str) -> bool:
        try:
            return self._hasher.verify(kept, given)
        except (VerificationError, InvalidHashError):
            return False
