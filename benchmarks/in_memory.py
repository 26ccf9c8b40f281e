"""The benchmarks that need no PBX (AMI parsing, tracking, memory, journal), as results for the table.

Run: `python -m benchmarks.in_memory`. Each can be run by itself too, and then prints more: `benchmarks.ami_parse`,
`benchmarks.ami_tracker`, `benchmarks.tracker_memory`, `benchmarks.journal`.
"""

import asyncio
import re
import statistics
import subprocess
import sys

from benchmarks import ami_parse, ami_tracker, tracker_memory
from benchmarks.figures import Result, arguments, report


def printed(module: str, *arguments: str) -> str:
    """Run another benchmark; return what it prints."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=True)
    print(done.stdout)
    return done.stdout


async def tracking(rounds: int) -> Result:
    """Compare AMI bytes -> tracker state with panoramisk."""
    ami_tracker.check()
    rates = ami_parse.compare({"panoramisk": ami_parse.panoramisk, "bytes -> tracker": ami_tracker.tracked}, rounds)
    print(ami_parse.table(rates))
    theirs, ours = rates.values()
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    sides = [f"{statistics.median(side) / 1e3:,.0f}k/s" for side in (ours, theirs)]
    what = "AMI bytes to tracker state, events/s per core"
    return Result(what, sides[0], f"panoramisk {sides[1]}", ratio, ami_tracker.WANTED_RATIO, at_least=True)


def memory() -> Result:
    """Hold the tracker's memory against its bound."""
    found = re.search(r"([\d,]+) bytes per call", printed("benchmarks.tracker_memory"))
    assert found is not None
    each = float(found[1].replace(",", ""))
    most = tracker_memory.WANTED_BYTES
    return Result("memory per tracked call", f"{each:,.0f} B", f"bound {most:,.0f} B", each / most, 1.0)


def journal() -> Result:
    """Compare the journal's throughput with sqlite3 alone, which is told each entry by itself."""
    found = re.search(r"50 writers, entries/s\s+([\d,.]+)\s+([\d,.]+)\s+([\d.]+)x", printed("benchmarks.journal"))
    assert found is not None
    note = "nothing is promised; 50 writers, entries/s"
    return Result("journal beside sqlite3", found[2], found[1], float(found[3]), 1.0, at_least=True, note=note)


def main() -> None:
    """Measure all of them."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    report([asyncio.run(tracking(options.rounds)), memory(), journal()], options.results)


if __name__ == "__main__":
    main()
