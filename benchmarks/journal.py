"""What a commit to the journal costs, beside plain sqlite3 with the same pragmas, the same tables and the same rows.

Run: `python benchmarks/journal.py [--rounds N] [--folder DIR]`. The sides take turns within each round, and a ratio is
taken within its round, since a disk's fsync varies far more than anything that is measured here. The folder should be
on the disk that is meant; a tmpfs has no fsync to wait for, and shows the cost of the code alone.

- one writer: time of one commit, from the call to the moment at which the caller goes on.
- 50 writers: entries per second; the plain side has one thread, commits each entry by itself, and is told so twice:
  once so, and once with all entries of a round of 50 in one transaction, which is the most that grouping can give.
"""

import argparse
import asyncio
import itertools
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, insert
from sqlalchemy.dialects import sqlite

from adapters.store.batch import Batch, rows_of
from adapters.store.chain import EMPTY
from adapters.store.journal import StoreJournal, open_journal
from adapters.store.migrate import upgrade
from adapters.store.schema import AUDIT, ENTITY, INTENT, TIMER
from policies.actions import Pause
from policies.breaks import Break, BreakState
from policies.events import BreakEnded
from policies.model import AgentId, Timer
from telephony.ports import Entry

WRITERS = 50
T0 = datetime(2027, 3, 28, 0, 30, tzinfo=UTC)
_ids = itertools.count()

Figures = dict[str, float]


def entry() -> Entry:
    """Make an entry as a key makes them: an entity, an intent, a timer, an audit line."""
    id_ = f"01JZ{next(_ids):022d}"
    agent = AgentId("agent7")
    return Entry(
        BreakEnded(id=id_, at=T0, break_id=id_, by="chief"),
        changed=[Break(id_, agent, f"i-{id_}", T0, T0 + timedelta(minutes=10), BreakState.ASKED)],
        actions=[Pause(id=f"{id_}/0", break_id=id_, agent=agent, reason=f"bagvagt:{id_}")],
        timers=[(Timer("break", id_, "over"), T0)],
    )


class Plain:
    """The same rows by sqlite3 alone: encoded beforehand, statements prepared, no thread, no future."""

    def __init__(self, path: Path) -> None:
        upgrade(f"sqlite:///{path}")
        self._db = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        self._batch = Batch(EMPTY, {})
        self._dialect = sqlite.dialect(paramstyle="named")

    def rows(self, one: Entry) -> list[tuple[str, dict[str, object]]]:
        """Encode an entry into statements with their parameters."""
        self._batch.add(rows_of(one))
        made: list[tuple[str, dict[str, object]]] = []
        for table, row in (
            (ENTITY, next(reversed(self._batch.entities.values()))),
            (INTENT, self._batch._intents[-1]),  # noqa: SLF001 -- the very rows that the journal writes
            (TIMER, {"entity": "break", "entity_id": one.event.id, "what": "over", "due_at": T0}),
            (AUDIT, self._batch._links[-1]._asdict()),  # noqa: SLF001
        ):
            compiled = insert(table).compile(dialect=self._dialect, column_keys=list(row))
            bound = {name: self._bound(table.c[name], value) for name, value in row.items()}
            made.append((str(compiled), bound))
        return made

    def _bound(self, column: Column[Any], value: object) -> object:
        process = column.type.dialect_impl(self._dialect).bind_processor(self._dialect)
        return process(value) if process else value

    def commit(self, entries: Sequence[list[tuple[str, dict[str, object]]]]) -> None:
        """Commit encoded entries in one transaction."""
        self._db.execute("BEGIN IMMEDIATE")
        for rows in entries:
            for statement, row in rows:
                self._db.execute(statement, row)
        self._db.execute("COMMIT")


def plain_side(plain: Plain, commits: int) -> Figures:
    """Measure sqlite3."""
    took: list[float] = []
    for rows in [plain.rows(entry()) for _ in range(commits)]:
        start = time.perf_counter()
        plain.commit([rows])
        took.append(time.perf_counter() - start)
    encoded = [plain.rows(entry()) for _ in range(commits)]
    start = time.perf_counter()
    for rows in encoded:
        plain.commit([rows])
    alone = time.perf_counter() - start
    encoded = [plain.rows(entry()) for _ in range(commits)]
    start = time.perf_counter()
    for first in range(0, commits, WRITERS):
        plain.commit(encoded[first : first + WRITERS])
    grouped = time.perf_counter() - start
    return {**_latency(took), "rate": commits / alone, "rate, grouped": commits / grouped}


async def journal_side(journal: StoreJournal, commits: int) -> Figures:
    """Measure the journal, encoding included."""
    took: list[float] = []
    for one in [entry() for _ in range(commits)]:
        start = time.perf_counter()
        await journal.commit(one)
        took.append(time.perf_counter() - start)

    async def writer(mine: list[Entry]) -> None:
        for one in mine:
            await journal.commit(one)

    entries = [entry() for _ in range(commits)]
    start = time.perf_counter()
    await asyncio.gather(*(writer(entries[n::WRITERS]) for n in range(WRITERS)))
    rate = commits / (time.perf_counter() - start)
    return {**_latency(took), "rate": rate, "rate, grouped": rate}


def _latency(took: list[float]) -> Figures:
    quantiles = statistics.quantiles(took, n=100)
    return {"p50 ms": quantiles[49] * 1e3, "p99 ms": quantiles[98] * 1e3}


def table(plain: list[Figures], journal: list[Figures]) -> str:
    """Return the figures as text: medians over the rounds, and the median of the rounds' ratios."""
    lines = [f"{'':<34}{'sqlite3':>12}{'journal':>12}{'ratio':>8}{'(min':>8}{'max)':>8}"]
    names = {
        "p50 ms": "one writer, p50, ms",
        "p99 ms": "one writer, p99, ms",
        "rate": "50 writers, entries/s",
        "rate, grouped": "  beside 50 in one transaction",
    }
    for key, name in names.items():
        ratios = [ours[key] / theirs[key] for ours, theirs in zip(journal, plain, strict=True)]
        sides = "".join(f"{statistics.median(f[key] for f in side):>12,.2f}" for side in (plain, journal))
        lines.append(
            f"{name:<34}{sides}{statistics.median(ratios):>7.2f}x{min(ratios):>7.2f}x{max(ratios):>7.2f}x",
        )
    return "\n".join(lines)


async def _main(rounds: int, commits: int, folder: Path | None) -> None:
    plain_rounds: list[Figures] = []
    journal_rounds: list[Figures] = []
    with tempfile.TemporaryDirectory(dir=folder) as made:
        plain = Plain(Path(made, "plain.db"))
        async with open_journal(f"sqlite:///{made}/journal.db") as journal:
            for number in range(rounds + 1):
                theirs, ours = plain_side(plain, commits), await journal_side(journal, commits)
                if number:  # the first one warms up
                    plain_rounds.append(theirs)
                    journal_rounds.append(ours)
    print(f"journal commits, {rounds} rounds of {commits}; an entry is four rows in four tables")
    print(table(plain_rounds, journal_rounds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--commits", type=int, default=500)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    asyncio.run(_main(args.rounds, args.commits, args.folder))
