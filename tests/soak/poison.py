"""Rows that nobody can read, written into the store between two lives of the service."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

_AT = "2027-03-27 20:00:00.000000"


@dataclass(frozen=True, slots=True)
class Poison:
    """One such row.

    Attributes:
        what: as the service must report it.
        id: likewise.
        incident: of a page that must be opened anew; "" for what is no page.
    """

    what: str
    id: str
    incident: str = ""


def poison(store: Path, number: int, chance: Random) -> Poison | None:
    """Write one; None where there was nothing to damage."""
    with closing(sqlite3.connect(store)) as db, db:
        match chance.choice(["page", "damaged page", "message", "timer", "timer of nothing"]):
            case "page":
                made = Poison("page", f"p-poison{number}-soak", f"poison{number}")
                page = ("page", made.id, "calling", '{"id": 7}', made.incident, _AT, _AT, 0)
                db.execute("INSERT INTO entity VALUES (?, ?, ?, ?, ?, ?, ?, ?)", page)
            case "damaged page":
                return _damaged(db, chance)
            case "message":
                made = Poison("Notify", f"poison{number}")
                intent = (made.id, "Notify", "{half", "poison", _AT)
                db.execute("INSERT INTO intent (id, kind, body, event_id, created_at) VALUES (?, ?, ?, ?, ?)", intent)
            case "timer":
                made = Poison("timer", f"poison{number}")
                db.execute("INSERT INTO timer VALUES ('page', ?, 'next', 'whenever', 0)", (made.id,))
            case _:
                made = Poison("timer", f"poison{number}")
                db.execute("INSERT INTO timer VALUES ('nothing', ?, 'next', ?, 1)", (made.id, _AT))
    return made


def _damaged(db: sqlite3.Connection, chance: Random) -> Poison | None:
    calling = "SELECT id, incident FROM entity WHERE kind = 'page' AND \"over\" = 0 AND state <> 'answered'"
    found = db.execute(calling).fetchall()
    if not found:
        return None
    id_, incident = chance.choice(found)
    db.execute("UPDATE entity SET body = '' WHERE kind = 'page' AND id = ?", (id_,))
    return Poison("page", id_, incident)
