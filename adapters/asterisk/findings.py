"""What `bagvagt pbx-check` finds, in words for an admin."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes:
        severity: "error" (something will not work), "warning", or "unseen" (these rights do not show it).
        what: what is so.
        remedy: what to do.
    """

    severity: str
    what: str
    remedy: str = ""


def some(names: list[str], most: int = 5) -> str:
    """Return the first few, and how many there are besides."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
