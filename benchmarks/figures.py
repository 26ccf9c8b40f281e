"""What every benchmark reports: times of two sides, their ratios, and one line per promise for the table.

A result is a line of JSON in the file that `--results` names; `python -m benchmarks.figures FILE` makes the table.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Result:
    """One promise, and what was seen.

    Attributes:
        what: what was measured.
        ours: our figure, with its unit.
        other: the figure beside it, "" where there is none.
        value: what the target is held against: mostly ours / other.
        target: the most that it may be, or the least where `at_least`.
        at_least: more is better.
        note: how many samples, and what a reader must know.
    """

    what: str
    ours: str
    other: str
    value: float
    target: float
    at_least: bool = False
    note: str = ""

    @property
    def is_met(self) -> bool:
        """Tell whether the target is met; a figure that is not there meets none."""
        return self.value >= self.target if self.at_least else self.value <= self.target


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile: a value that was seen, and the largest one where the sample is small."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def ms(seconds: float) -> str:
    """Return seconds as milliseconds with a unit."""
    return f"{seconds * 1e3:.1f} ms"


def summary(name: str, seconds: Sequence[float]) -> str:
    """Return p50, p99 and max of times, in ms."""
    figures = "".join(f"{percentile(seconds, share) * 1e3:>8.1f}" for share in (0.5, 0.99, 1.0))
    return f"{name:<34}{len(seconds):>5}{figures}"


SUMMARY_HEAD = f"{'':<34}{'n':>5}{'p50':>8}{'p99':>8}{'max':>8}   (ms)"


def against(what: str, share: float, ours: Sequence[float], other: Sequence[float], target: float) -> Result:
    """Compare one percentile of two sides' times."""
    mine, theirs = percentile(ours, share), percentile(other, share)
    note = f"n={len(ours)}/{len(other)}"
    if len(ours) * (1 - share) < 1:
        note += "; so few that this is the largest"
    name = f"{what}, p{share * 100:.0f}"
    return Result(name, ms(mine), ms(theirs), mine / theirs, target, note=note)


def machine() -> str:
    """Return what a reader must know of the machine: its cores, and who else was at work."""
    load = " ".join(Path("/proc/loadavg").read_text().split()[:3])
    return f"{os.cpu_count()} cores, load average {load}"


def report(results: Iterable[Result], file: Path | None) -> None:
    """Print each result, and append it to the file."""
    for result in results:
        sign = "≥" if result.at_least else "≤"
        met = "pass" if result.is_met else "MISS"
        beside = f" beside {result.other}" if result.other else ""
        print(
            f"{met}  {result.what}: {result.ours}{beside}, {result.value:.2f} ({sign} {result.target:g})  {result.note}"
        )
        if file is not None:
            with file.open("a") as out:
                out.write(json.dumps(asdict(result)) + "\n")


def table(results: Iterable[Result]) -> str:
    """Return the results as a Markdown table."""
    lines = ["| what | ours | beside | ratio | target | | |", "|---|--:|--:|--:|--:|---|---|"]
    for r in results:
        target = f"{'≥' if r.at_least else '≤'} {r.target:g}"
        met = "pass" if r.is_met else "**MISS**"
        lines.append(f"| {r.what} | {r.ours} | {r.other} | {r.value:.2f} | {target} | {met} | {r.note} |")
    return "\n".join(lines)


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser with what all benchmarks take."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, help="append the results to this file, for the table")
    return parser


if __name__ == "__main__":
    found = [Result(**json.loads(line)) for name in sys.argv[1:] for line in Path(name).read_text().splitlines()]
    print(table(found))
