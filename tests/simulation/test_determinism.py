"""The same seed gives the same run: a failing seed can be run again, on any machine."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.simulation.simulate import seeds, simulate

_PRINT = (
    "import hashlib; from tests.simulation.simulate import simulate; "
    "print(*(hashlib.sha256('\\n'.join(simulate(s).trace).encode()).hexdigest() for s in (5, 19)))"
)


def _digests() -> list[str]:
    return [hashlib.sha256("\n".join(simulate(seed).trace).encode()).hexdigest() for seed in (5, 19)]


def test_a_seed_gives_the_same_trace_in_another_process() -> None:
    """Two processes with different hash seeds print the same traces as this one, line for line."""
    here = _digests()
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", _PRINT],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        assert done.stdout.split() == here


def test_seeds_are_read_as_a_count_a_range_or_a_list() -> None:
    """What `make simulate SEEDS=…` takes."""
    assert seeds("3") == [0, 1, 2]
    assert seeds("7-9") == [7, 8, 9]
    assert seeds("4,2") == [4, 2]
    assert seeds("17,") == [17]
