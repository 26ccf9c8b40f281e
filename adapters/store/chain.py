"""The audit chain: each line carries the hash of the one before. Pure; `audit` reads it from a store.

hash = SHA-256(hash of the line before, as bytes, + the line's own bytes). The line is canonical JSON (sorted keys, no
spaces, ASCII) and names its own place and time, so that a line cannot be moved either. What the chain alone cannot show
is an end that was cut off, or written anew in full: for that the head is published, and given to `check`.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

GENESIS = "0" * 64
"""What the first line has before it."""
_WRITE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


class Head(NamedTuple):
    """The end of the chain.

    Attributes:
        seq: how many lines there are.
        hash: of the last one, in hex.
    """

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Read a head as `str` writes it.

        Raises:
            ValueError: it is none.
        """
        seq, _, hash_ = text.strip().partition(":")
        if len(hash_) != len(GENESIS) or set(hash_) - set("0123456789abcdef"):
            raise ValueError("not a head of the audit chain", text)
        return cls(int(seq), hash_)


EMPTY = Head(0, GENESIS)


class Link(NamedTuple):
    """One line of the chain, as it is stored.

    Attributes:
        seq: its place, from 1.
        at: when, as the line says it.
        line: canonical JSON.
        prev_hash: hash of the line before.
        hash: of this one.
    """

    seq: int
    at: str
    line: str
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check of the whole chain found.

    Attributes:
        count: how many lines hold, from the first.
        head: the last of those.
        first_bad: the first place that does not hold, None when all do.
        why: what is wrong there.
    """

    count: int
    head: Head
    first_bad: int | None
    why: str


def link(head: Head, at: str, content: dict[str, Any]) -> Link:
    """Return the line that follows `head`."""
    line = canonical({**content, "seq": head.seq + 1, "at": at})
    return Link(head.seq + 1, at, line, head.hash, digest(head.hash, line))


def canonical(content: dict[str, Any]) -> str:
    """Return the one way to write `content`."""
    return _WRITE(content)


def digest(prev_hash: str, line: str) -> str:
    """Return the hash of a line, in hex."""
    return hashlib.sha256(bytes.fromhex(prev_hash) + line.encode()).hexdigest()


def check(links: Iterable[Link], expected: Head | None = None) -> Verified:
    """Check a chain.

    Args:
        links: in the order of `seq`.
        expected: a head that was published; the chain must pass through it.
    """
    head = EMPTY
    for one in links:
        why = _wrong(one, head)
        if why:
            return Verified(head.seq, head, min(one.seq, head.seq + 1), why)
        if expected is not None and expected.seq == one.seq and expected.hash != one.hash:
            return Verified(head.seq, head, one.seq, "is not the line that was published: the chain was written anew")
        head = Head(one.seq, one.hash)
    if expected is not None and head.seq < expected.seq:
        return Verified(head.seq, head, head.seq + 1, f"the end is cut off: {expected.seq} lines were published")
    return Verified(head.seq, head, None, "")


def _wrong(one: Link, head: Head) -> str:
    if one.seq > head.seq + 1:
        return "lines are missing" if one.seq > head.seq + 2 else "a line is missing"
    if one.seq < head.seq + 1:
        return "a line before the first"
    if one.prev_hash != head.hash:
        return "does not follow the line before: one of the two was changed, moved, put in or taken out"
    try:
        if digest(head.hash, one.line) != one.hash:
            return "was changed"
        content = json.loads(one.line)
        placed = (content["seq"], content["at"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return "is not a line of this chain"
    return "" if placed == (one.seq, one.at) else "was moved: the line names another place or time"
