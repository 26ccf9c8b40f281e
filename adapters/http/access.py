"""Who may ask for what: tokens, source addresses, and limits that never delay an acute key.

Only hashes of tokens are kept. A token is looked up by its hash, so that comparing takes the same time for all.

Two limits stand side by side. `presses_per_minute` counts what one token does. Guessing is counted by source address:
after too many wrong tokens the address is answered 429 whatever it sends, save for a token that has already been used
from there (agents behind one address are not locked out by one who guesses) and for an acute key with a right token.
"""

import hashlib
import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic

GUESSES_PER_MINUTE = 6.0
GUESSES_AT_ONCE = 20


class TokenKind(StrEnum):
    """What a token is for."""

    AGENT = "agent"  # presses keys for one agent, by POST
    ACTION_URL = "action_url"  # presses keys for one agent, by GET from a desk phone
    PERSON = "person"  # acknowledges pages, ends breaks, agrees to open a latch


@dataclass(frozen=True, slots=True)
class Token:
    """A token, as the policy's token file has it.

    Attributes:
        name: of the token, for the log.
        kind: what it is for.
        sha256: hex digest of the secret.
        owner: the agent's id, or for a person's token who it is.
    """

    name: str
    kind: TokenKind
    sha256: str
    owner: str = ""


def digest(secret: str) -> str:
    """Return what stands in the token file for `secret`."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


class Tokens:
    """The tokens in force."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._by_digest = {t.sha256: t for t in tokens}

    def find(self, secret: str, *kinds: TokenKind) -> Token | None:
        """Return the token with this secret, if it is of one of `kinds`."""
        token = self._by_digest.get(digest(secret))
        return token if token is not None and token.kind in kinds else None

    def add(self, token: Token) -> None:
        """Put one more in force."""
        self._by_digest[token.sha256] = token

    def drop(self, sha256: str) -> None:
        """Take one out of force."""
        self._by_digest.pop(sha256, None)


class Allowed:
    """Source addresses, as CIDR networks."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(n) for n in networks]

    def __contains__(self, address: str) -> bool:
        try:
            source = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(source, ipaddress.IPv6Address) and source.ipv4_mapped is not None:
            source = source.ipv4_mapped  # an IPv4 phone, seen by a socket that listens on IPv6
        return any(source in n for n in self._networks)


class RateLimit:
    """A token bucket for each source; what is in it fills up with time.

    Args:
        per_s: how many a second may go on for ever.
        burst: how many at once.
        now_s: a monotonic clock, seconds.
    """

    MOST_SOURCES = 10_000

    def __init__(self, per_s: float, burst: int, now_s: Callable[[], float] = monotonic) -> None:
        self.per_s = per_s
        self.burst = burst
        self._now_s = now_s
        self._left: dict[str, tuple[float, float]] = {}

    def wait_s(self, source: str) -> float:
        """Return after how many seconds `source` may take one; 0 when it may now."""
        return max(0.0, (1 - self._now(source)) / self.per_s)

    def take(self, source: str) -> float:
        """Take one from the bucket of `source`. Returns 0, or after how many seconds it may be tried again."""
        left = self._now(source)
        self._left.pop(source, None)
        self._left[source] = (left - 1 if left >= 1 else left, self._now_s())
        if len(self._left) > self.MOST_SOURCES:
            del self._left[next(iter(self._left))]
        return 0.0 if left >= 1 else (1 - left) / self.per_s

    def give_back(self, source: str) -> None:
        """Put back what was taken for something that does not count."""
        if source in self._left:
            self._left[source] = (min(float(self.burst), self._now(source) + 1), self._now_s())

    def _now(self, source: str) -> float:
        now = self._now_s()
        left, at = self._left.get(source, (float(self.burst), now))
        return min(float(self.burst), left + (now - at) * self.per_s)


class Access:
    """Who may, and how often. Survives a reload of the policy; the buckets stay as full as they are.

    Args:
        tokens: of the policy's token file.
        networks: from which action URLs are taken.
        presses_per_minute: of one token or session.
        now_s: a monotonic clock, seconds.

    Attributes:
        issued: tokens that were made in the panel.
    """

    MOST_KNOWN = 10_000

    def __init__(
        self,
        tokens: Tokens,
        networks: Iterable[str],
        presses_per_minute: int,
        now_s: Callable[[], float] = monotonic,
    ) -> None:
        self.issued = Tokens([])
        self.tokens = tokens
        self.action_urls = Allowed(networks)
        self._uses = RateLimit(presses_per_minute / 60, presses_per_minute, now_s)
        self._guesses = RateLimit(GUESSES_PER_MINUTE / 60, GUESSES_AT_ONCE, now_s)
        self._known: dict[tuple[str, str], None] = {}

    def replace(self, tokens: Tokens, networks: Iterable[str], presses_per_minute: int) -> None:
        """Put what a reloaded policy says in force."""
        self.tokens = tokens
        self.action_urls = Allowed(networks)
        self._uses.per_s, self._uses.burst = presses_per_minute / 60, presses_per_minute

    def find(self, secret: str, *kinds: TokenKind) -> Token | None:
        """Return the token with this secret, if it is of one of `kinds`."""
        return self.tokens.find(secret, *kinds) or self.issued.find(secret, *kinds)

    def wrong(self, address: str) -> float:
        """Count a wrong token. Returns 0, or after how many seconds this address may try again."""
        return self._guesses.take(address)

    def right(self, token: Token, address: str) -> float:
        """Count one use of a token that exists; not to be asked for an acute key. Returns as `wrong`."""
        pair = (address, token.sha256)
        wait_s = 0.0 if pair in self._known else self._guesses.wait_s(address)
        wait_s = wait_s or self._uses.take(token.sha256)
        if not wait_s:
            self.know(token, address)
        return wait_s

    def know(self, token: Token, address: str) -> None:
        """Remember that this token was used from this address."""
        self._known.pop((address, token.sha256), None)
        self._known[address, token.sha256] = None
        if len(self._known) > self.MOST_KNOWN:
            del self._known[next(iter(self._known))]
