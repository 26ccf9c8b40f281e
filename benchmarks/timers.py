"""Durable timers by the hundred thousand: how late they fire as they come due, and all at once after a restart.

Run: `python -m benchmarks.timers [--timers N] [--over-s S] [--folder DIR]`. The real store and the real engine, with no
PBX and no carriers. The timers belong to pages that are over, so that each is a look, a decision and a durable commit
with its line in the audit chain, and nothing else; the state stays small.

Beside it, in the same run and folder, stands what a script would do: one thread that polls a SQLite table with an index
on the due time, and commits each timer by itself with a line of a log; and `asyncio.call_later`, which forgets
everything when it is killed. The store's disk decides most: a ratio holds where the figures do not.

While all are overdue after the restart, an acute key is pressed twice a second, and a new timer is set of a call (as
urgent as one of an acute page), and one of a page that is not acute.
"""

import asyncio
import contextlib
import gc
import resource
import sqlite3
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from adapters.clock import SystemClock
from adapters.paging.pager import ChannelPager
from adapters.store.journal import StoreJournal, open_journal
from benchmarks.figures import SUMMARY_HEAD, Result, arguments, machine, percentile, report, summary
from policies.actions import Action
from policies.events import BreakEnded, Event, TimerFired
from policies.model import AgentId, Does, KeyUse, Source, Timer
from policies.pages import Page, PageState
from policies.rules import Contact, KindRules, PagePlan, Policy, Rules, Severity
from policies.state import State
from telephony.engine import Engine
from telephony.ports import Entry

PLAN = PagePlan("backup", (), Contact("Bagvagt", (("none", "nowhere"),)))
SUICIDE = KeyUse("suicide", Does.FLAG, "suicide")
KIND = KindRules("suicide", latched=True, page="backup", severity=Severity.ACUTE)
RULES = Rules(version="bench", kinds={"suicide": KIND}, keys={"suicide": SUICIDE}, pages={"backup": PLAN})
EACH_ENTRY = 1000  # timers that are set in one entry
FRESH_EVERY_S = 0.5
KEY_S = 0.25  # the most that an acute key may wait behind the flood


class NoPbx:
    """A PBX that is away; nobody has a call."""

    async def run(self, _emit: Callable[[Any], None]) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()

    def __getattr__(self, name: str) -> Any:
        """Know of no calls, and do nothing."""
        return lambda *_: None if name == "last_call_of" else ()


@dataclass
class Fired:
    """When each timer fired; listens to the engine.

    Attributes:
        due: of each timer that is waited for, seconds since the epoch.
        late_s: by how much each was late.
        done: all have fired.
    """

    due: dict[str, float]
    late_s: dict[str, float] = field(default_factory=dict)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def decided(self, event: Event, _state: State, _actions: Iterable[Action]) -> None:
        """Take note of a timer: it is decided, and durable."""
        if isinstance(event, TimerFired) and event.timer.entity_id in self.due:
            self.note(event.timer.entity_id)

    def note(self, name: str) -> None:
        """Take note of a timer."""
        self.late_s[name] = time.time() - self.due[name]
        if len(self.late_s) == len(self.due):
            self.done.set()

    def of(self, prefix: str) -> list[float]:
        """Return how late those were whose names begin so."""
        return [late for name, late in self.late_s.items() if name.startswith(prefix)]


def dues(number: int, over_s: float) -> dict[str, float]:
    """Spread timers evenly, from a little later on."""
    begin = time.time() + 1.0 + number * 20e-6
    return {f"t{n:07d}": begin + over_s * n / number for n in range(number)}


def at(seconds: float) -> datetime:
    """Return seconds since the epoch as a time."""
    return datetime.fromtimestamp(seconds, UTC)


async def put(journal: StoreJournal, due: dict[str, float], entity: str = "page") -> None:
    """Set timers of pages, or of calls, that are over."""
    names = list(due)
    for first in range(0, len(names), EACH_ENTRY):
        mine = names[first : first + EACH_ENTRY]
        event = BreakEnded(id=f"put-{mine[0]}", at=at(time.time()), break_id="", by="bench")
        gone = [Page(name, "", "drill", PLAN, Severity.NORMAL, PageState.ANSWERED, 0, 0, event.at) for name in mine]
        timers = [(Timer(entity, name, "next"), at(due[name])) for name in mine]
        await journal.commit(Entry(event, dropped=gone, timers=timers))


@contextlib.asynccontextmanager
async def engine(journal: StoreJournal, fired: Fired) -> AsyncIterator[Engine]:
    """Run the engine over a store."""
    clock = SystemClock()
    made = Engine(
        policy=Policy(RULES),
        pbx=NoPbx(),
        pager=ChannelPager({}, clock),
        journal=journal,
        clock=clock,
        listeners=(fired,),
    )
    running = asyncio.create_task(made.run())
    await made.ready.wait()
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def ours_in_time(url: str, number: int, over_s: float) -> list[float]:
    """Let timers come due over some seconds; return how late each was."""
    async with open_journal(url) as journal:
        fired = Fired(dues(number, over_s))
        await put(journal, fired.due)
        async with engine(journal, fired):
            await fired.done.wait()
    return list(fired.late_s.values())


@dataclass
class Restart:
    """What a restart with everything overdue took.

    Attributes:
        open_s: until the store was open.
        all_s: from there until the last had fired.
        keys_s: how long acute keys waited for their answers, meanwhile.
        urgent_s: how late new timers of a call were; those of acute pages go with them.
        other_s: how late new timers of other pages were.
    """

    open_s: float = 0.0
    all_s: float = 0.0
    keys_s: list[float] = field(default_factory=list)
    urgent_s: list[float] = field(default_factory=list)
    other_s: list[float] = field(default_factory=list)


async def ours_overdue(url: str, number: int) -> Restart:
    """Set timers, and start anew when all are overdue."""
    found = Restart()
    past = time.time() - 600
    due = {f"t{n:07d}": past + n * 1e-3 for n in range(number)}
    async with open_journal(url) as journal:
        await put(journal, due)
    gc.collect()
    began = time.monotonic()
    async with open_journal(url) as journal:
        found.open_s = time.monotonic() - began
        fired = Fired(due)
        async with engine(journal, fired) as made:
            began = time.monotonic()
            meanwhile = asyncio.create_task(_press_and_set(made, journal, fired, found))
            while len(fired.of("t")) < number:  # noqa: ASYNC110 -- the new ones come and go meanwhile
                await asyncio.sleep(FRESH_EVERY_S)
            found.all_s = time.monotonic() - began
            meanwhile.cancel()
            await asyncio.gather(meanwhile, return_exceptions=True)
            await fired.done.wait()
    found.urgent_s, found.other_s = fired.of("urgent"), fired.of("other")
    return found


async def _press_and_set(made: Engine, journal: StoreJournal, fired: Fired, found: Restart) -> None:
    for number in range(10**6):
        soon = time.time() + FRESH_EVERY_S / 2
        for name, entity in (("urgent", "call"), ("other", "page")):
            one = {f"{name}{number}": soon}
            fired.due |= one
            await put(journal, one, entity)
        began = time.monotonic()
        await made.press(AgentId(f"agent{number}"), SUICIDE, Source.HTTP)
        found.keys_s.append(time.monotonic() - began)
        await asyncio.sleep(FRESH_EVERY_S)


class Plain:
    """A thread that polls a table."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("CREATE TABLE timer (name TEXT PRIMARY KEY, due REAL NOT NULL)")
        self._db.execute("CREATE INDEX due ON timer (due)")
        self._db.execute("CREATE TABLE log (seq INTEGER PRIMARY KEY, at REAL, line TEXT)")

    def run(self, due: dict[str, float]) -> list[float]:
        """Set the timers, fire each when it is due; return how late each was."""
        late_s: list[float] = []
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO timer VALUES (?, ?)", due.items())
        self._db.execute("COMMIT")
        while len(late_s) < len(due):
            now = time.time()
            found = self._db.execute("SELECT name FROM timer WHERE due <= ? ORDER BY due LIMIT 32", (now,)).fetchall()
            for (name,) in found:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute("DELETE FROM timer WHERE name = ?", (name,))
                self._db.execute("INSERT INTO log (at, line) VALUES (?, ?)", (now, f"fired {name}"))
                self._db.execute("COMMIT")
                late_s.append(time.time() - due[name])
            if not found:
                time.sleep(0.001)
        return late_s


async def in_thread(plain: Plain, due: dict[str, float]) -> list[float]:
    """Run the plain side in a thread of its own."""
    found: list[list[float]] = []
    thread = threading.Thread(target=lambda: found.append(plain.run(due)))
    thread.start()
    await asyncio.to_thread(thread.join)
    return found[0]


async def call_later(number: int, over_s: float) -> list[float]:
    """Let asyncio's own timers come due over some seconds."""
    loop = asyncio.get_running_loop()
    fired = Fired(dues(number, over_s))
    for name, due in fired.due.items():
        loop.call_later(due - time.time(), fired.note, name)
    await fired.done.wait()
    return list(fired.late_s.values())


def _beside(what: str, share: float, ours: Sequence[float], other: Sequence[float]) -> Result:
    mine, theirs = percentile(ours, share), percentile(other, share)
    name = f"{what}, {'max' if share == 1 else f'p{share * 100:.0f}'}"
    note = f"nothing is promised; n={len(ours)}"
    return Result(name, f"{mine:.3f} s", f"plain sqlite3 {theirs:.3f} s", mine / theirs, 1.0, note=note)


async def main() -> None:
    """Measure."""
    parser = arguments(__doc__)
    parser.add_argument("--timers", type=int, default=100_000)
    parser.add_argument("--over-s", type=float, help="how long they take to come due; by default 500 in a second")
    parser.add_argument("--folder", type=Path, help="on the disk that is meant")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    number = options.timers
    over_s = options.over_s or number / 500
    print(f"{number:,} timers, coming due over {over_s:g} s; {machine()}")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        plain = Plain(Path(folder, "plain.db"))
        theirs = await in_thread(plain, dues(number, over_s))
        ours = await ours_in_time(f"sqlite:///{folder}/journal.db", number, over_s)
        bare = await call_later(number, over_s)
        print(SUMMARY_HEAD)
        for name, late_s in (("call_later", bare), ("plain sqlite3", theirs), ("ours", ours)):
            print(summary(f"late, {name}", late_s))
        began = time.monotonic()
        past = time.time() - 600
        await in_thread(plain, {f"o{n:07d}": past + n * 1e-3 for n in range(number)})
        plain_s = time.monotonic() - began
        restart = await ours_overdue(f"sqlite:///{folder}/restart.db", number)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"restart: open after {restart.open_s:.2f} s, the last fired after {restart.all_s:.1f} s; peak {peak:.0f} MiB"
    )
    for name, late_s in (("acute key", restart.keys_s), ("urgent timer", restart.urgent_s), ("other", restart.other_s)):
        print(summary(f"meanwhile: {name}", late_s))
    each = f"{number / restart.all_s:,.0f}/s"
    key = percentile(restart.keys_s, 0.99)
    urgent = percentile(restart.urgent_s, 0.99)
    beside = f"plain sqlite3 {plain_s:.1f} s"
    overdue = f"{number:,} overdue timers at a restart, until the last has fired"
    report(
        [
            *(_beside(f"{number:,} timers, lateness", share, ours, theirs) for share in (0.5, 0.99, 1.0)),
            Result(overdue, f"{restart.all_s:.1f} s", beside, restart.all_s / plain_s, 5.0, note=each),
            Result("meanwhile: acute key to its answer, p99", f"{key:.3f} s", "", key, KEY_S, note="s"),
            Result("meanwhile: a new urgent timer, p99 late", f"{urgent:.3f} s", "", urgent, KEY_S, note="s"),
            Result("open a store with all of them", f"{restart.open_s:.2f} s", "", restart.open_s, 2.0, note="s"),
        ],
        options.results,
    )


if __name__ == "__main__":
    asyncio.run(main())
