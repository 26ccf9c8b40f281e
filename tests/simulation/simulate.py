# ruff: noqa: T201 -- printing is what a command is for
"""Runs one seed, or many: `python -m tests.simulation.simulate 200`, `… 17`, `… 100-199`, `… 3,17,99`."""

import logging
import sys
from dataclasses import dataclass

import structlog

from tests.simulation.faults import Faults
from tests.simulation.loop import run_virtual
from tests.simulation.oracle import Oracle
from tests.simulation.simulation import Run, Simulation
from tests.simulation.story import Story


@dataclass(frozen=True)
class Outcome:
    """How one run went.

    Attributes:
        run: what happened.
        findings: what was wrong, each with its rule.
        trace: every line, the world's and the people's.
    """

    run: Run
    findings: list[str]
    trace: list[str]


async def _play(seed: int, faults: Faults | None) -> Outcome:
    sim = Simulation(seed, faults)
    await Story(sim).tell()
    sim.close_books()
    oracle = Oracle(sim)
    world = [f"{t:10.3f} world {r.what} {r.leg} {r.by} {r.detail} {list(r.legs)}" for t, r in oracle.history]
    decided = [
        f"{t:10.3f} decided {type(e.event).__name__} {e.event.id} {e.outcome} {_moves(e)}" for t, e in sim.disk.log
    ]
    told = [
        f"{a.at:10.3f} pager {a.notify.page} {a.notify.step} {a.notify.address} {a.delivery}"
        for a in sim.carriers.attempts
    ]
    for r_what in oracle.history:
        sim.run.seen[f"world {r_what[1].what} {r_what[1].by if r_what[1].by == 'service' else ''}".strip()] += 1
    trace = sorted([*sim.run.trace, *world, *decided, *told], key=lambda line: float(line[:10]))
    return Outcome(sim.run, oracle.findings(), trace)


def _moves(entry: object) -> str:
    changed = [f"{type(x).__name__}:{x.state}" for x in getattr(entry, "changed", ())]
    actions = [type(a).__name__ for a in getattr(entry, "actions", ())]
    told = [str(t.reason) for t in getattr(entry, "told", ())]
    return f"{changed} {actions} {told}"


def simulate(seed: int, faults: Faults | None = None) -> Outcome:
    """Run one seed to its end. The same seed gives the same trace, on any machine."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        return run_virtual(_play(seed, faults))
    finally:
        structlog.configure(**before)


def seeds(text: str) -> list[int]:
    """Read "200" as the seeds 0 to 199, "100-199" as a range, "3,17" as a list."""
    if "," in text:
        return [int(part) for part in text.split(",") if part]
    if "-" in text:
        first, last = text.split("-")
        return list(range(int(first), int(last) + 1))
    return list(range(int(text)))


def main(text: str) -> int:
    """Run seeds; print the trace of the first that fails, and how to run it again."""
    failed = []
    for seed in seeds(text):
        outcome = simulate(seed)
        if outcome.findings:
            failed.append(seed)
            print(f"seed {seed} ({outcome.run.drawn})", *outcome.findings, sep="\n  ")
            if len(failed) == 1:
                print(*outcome.trace, sep="\n", file=sys.stderr)
    print(f"{len(seeds(text))} runs, {len(failed)} failed")
    if failed:
        print(f"again: scripts/simulate {','.join(map(str, failed))},")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "100"))
