"""Many pages, and kill -9 at random moments: none is lost.

Run: `python -m tests.soak.soak [--pages N] [--seed S]`, or `make soak-pages`. The driver outlives the service, with the
carrier and its people; it opens pages, counts those that the service has confirmed as committed, kills it, writes
rows into the store that nobody can read, and starts it again. What was seen is held against what must be (`oracle`).
"""

import argparse
import asyncio
import json
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.soak.carrier import Carrier
from tests.soak.oracle import faults
from tests.soak.poison import Poison, poison

_ROOT = Path(__file__).parents[2]
_AT_ONCE_MOST = 150  # pages that nobody has answered yet
_ACUTE_EACH = 5
_POISONED = 0.5  # of the lives
_CARRIER_DIES = 0.3
_END_S = 90.0  # how long the last pages may take: two rounds of rungs, and some last resorts


@dataclass
class Soak:
    """One run.

    Attributes:
        accepted: incidents whose page the service has confirmed.
        poisoned: rows that were written or damaged.
        reported: (what, id) that the service said it could not read.
        starts_s: from each start of the process to its being ready.
        kills: how many.
        rss_mib: the most that the service had at an orderly end.
    """

    pages: int
    seed: int
    folder: Path
    accepted: set[str] = field(default_factory=set)
    poisoned: list[Poison] = field(default_factory=list)
    reported: set[tuple[str, str]] = field(default_factory=set)
    starts_s: list[float] = field(default_factory=list)
    kills: int = 0
    rss_mib: float = 0.0

    def __post_init__(self) -> None:
        self._chance = Random(self.seed)
        self.carrier = Carrier(str(self.folder / "carrier"), self.seed)
        self._store = self.folder / "journal.db"
        self._began_s = time.time()
        self._moved_s = time.monotonic()
        self._asked = 0
        self._ended: set[str] = set()
        self._heard: Callable[[str], None] = lambda _what: None
        self._is_ready = asyncio.Event()

    @property
    def url(self) -> str:
        """Address of the store."""
        return f"sqlite:///{self._store}"

    async def run(self) -> list[str]:
        """Run it; return what is wrong."""
        await self.carrier.start()
        try:
            while len(self.accepted) < self.pages:
                await self._life()
                self._poison()
                if time.monotonic() - self._moved_s > _END_S:
                    raise RuntimeError("pages come to no end, so that no more are opened", len(self.accepted))
            await self._last_life()
        finally:
            await self.carrier.close()
        return faults(self.url, self.carrier.seen, self.accepted, self.poisoned, self.reported)

    # --- Lives of the service ----------------------------------------------------------------------------------------

    async def _life(self) -> None:
        """Start the service, open pages, and kill it: at some time, or in the middle of something."""
        struck = asyncio.Event()
        what = self._chance.choice(["arrived", "accepted", "settled", "answered", "time", "start"])
        left = self._chance.randint(1, 40 + self.pages // 10)  # lives are longer where there are more pages
        dies_s = self._chance.uniform(0.05, 0.5) if self._chance.random() < _CARRIER_DIES else 0.0

        def heard(seen: str) -> None:
            nonlocal left
            left -= seen == what
            if left <= 0:
                struck.set()

        self._heard, self.carrier.on_arrival = heard, lambda: heard("arrived")
        process, listening = await self._start()
        within_s = (
            self._chance.uniform(0.05, 1.0) if what == "start" else self._chance.uniform(0.5, 3.0 + self.pages / 2000)
        )
        if what != "start":
            await self._is_ready.wait()
        feeding = asyncio.create_task(self._feed(process, dies_s))
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await struck.wait()
        feeding.cancel()
        self._must_live(process)
        process.kill()
        self.kills += 1
        await asyncio.gather(process.wait(), listening, feeding, return_exceptions=True)
        self.carrier.seen.killed()

    async def _last_life(self) -> None:
        """Let it come to its end: nobody is killed, and everybody answers sooner or later."""
        process, listening = await self._start()
        async with asyncio.timeout(_END_S):
            while self._calling():
                self._must_live(process)
                await asyncio.sleep(0.2)
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.gather(process.wait(), listening)

    def _must_live(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            said = (self.folder / "service.log").read_text(encoding="utf-8").splitlines()
            raise RuntimeError("the service ended by itself", *said[-5:])

    async def _start(self) -> tuple[asyncio.subprocess.Process, asyncio.Task[None]]:
        self._is_ready.clear()
        began = time.monotonic()
        with (self.folder / "service.log").open("a") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.soak.child", self.url, str(self.folder / "carrier"), str(self._began_s)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=_ROOT,
            )
        return process, asyncio.create_task(self._listen(process, began))

    async def _listen(self, process: asyncio.subprocess.Process, began: float) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            with suppress(ValueError):  # cut in the middle
                self._hear(json.loads(line), began)
        self._is_ready.set()  # whoever waits for it learns that there is nothing to wait for

    def _hear(self, said: dict[str, Any], began: float) -> None:
        match said:
            case {"accepted": incident}:
                self.accepted.add(incident)
                self._moved_s = time.monotonic()
            case {"settled": action, "how": how}:
                self.carrier.settled(action, how)
            case {"answered": page}:
                self.carrier.heard(page)
                self._ended.add(self.carrier.seen.incidents.get(page, ""))
            case {"ready": _, "unreadable": rows}:
                self.reported.update((what, id_) for what, id_ in rows)
                self.starts_s.append(time.monotonic() - began)
                self._is_ready.set()
            case {"rss_mib": rss}:
                self.rss_mib = max(self.rss_mib, rss)
        self._heard(next(iter(said)))

    async def _feed(self, process: asyncio.subprocess.Process, dies_s: float) -> None:
        """Open pages, as many at a time as people can cope with; let the carrier die for a while."""
        assert process.stdin is not None
        asked: set[str] = set()
        while len(self.accepted) < self.pages:
            while len((asked | self.accepted) - self._ended) < min(_AT_ONCE_MOST, self.pages // 8):
                self._asked += 1
                incident = f"i{self._asked:06d}"
                asked.add(incident)
                severity = "ACUTE" if self._asked % _ACUTE_EACH == 0 else "NORMAL"
                process.stdin.write(json.dumps([incident, severity]).encode() + b"\n")
            await asyncio.sleep(0.05)
            if dies_s:
                await self.carrier.die()
                try:
                    await asyncio.sleep(dies_s)
                finally:
                    await self.carrier.start()
                dies_s = 0.0

    # --- The store between two lives ---------------------------------------------------------------------------------

    def _poison(self) -> None:
        if not self._store.exists() or not self.starts_s:
            return
        if self._chance.random() < _POISONED:
            made = poison(self._store, len(self.poisoned), Random(f"{self.seed}/{self.kills}"))
            if made is not None:
                self.poisoned.append(made)
                self.carrier.lost(made.id)

    def _calling(self) -> int:
        poisoned = {one.id for one in self.poisoned}
        with closing(sqlite3.connect(f"file:{self._store}?mode=ro", uri=True)) as db:
            rows = db.execute(
                "SELECT id FROM entity WHERE kind = 'page' AND \"over\" = 0 AND state <> 'answered'"
            ).fetchall()
        return sum(id_ not in poisoned for (id_,) in rows)

    def summary(self) -> str:
        """Return what happened, in a line or two."""
        arrived = self.carrier.seen.arrived
        twice = sum(n > 1 for n in arrived.values())
        return (
            f"{len(self.accepted)} pages, {self.kills} kills, {len(self.poisoned)} poisoned rows; {len(arrived)} "
            f"messages arrived, {twice} of them more than once; {time.time() - self._began_s:.0f} s, slowest start "
            f"{max(self.starts_s, default=0):.2f} s, service {self.rss_mib:.0f} MiB, "
            f"driver {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
        )


async def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bagvagt-soak-") as folder:
        soak = Soak(options.pages, options.seed, Path(folder))
        wrong = await soak.run()
        print(soak.summary())  # noqa: T201 -- what was asked for
        for line in wrong:
            print(f"WRONG: {line}")  # noqa: T201
        if wrong:
            print(f"again: python -m tests.soak.soak --pages {options.pages} --seed {options.seed}")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
