"""kill -9 in the middle of commits: everything that was acknowledged is there, and nothing by halves."""

import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from adapters.store.audit import verify
from adapters.store.journal import open_journal
from tests.adapters.store.samples import T0, break_of, pause_of

_ROUNDS = 4
_ROOT = Path(__file__).parents[3]


def _killed_after(lines: int, url: str, name: str) -> set[str]:
    """Run a committer, kill it once it has printed `lines` ids; return all the ids that it acknowledged."""
    command = [sys.executable, "-m", "tests.adapters.store.committer", url, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as child:
        assert child.stdout is not None
        acknowledged = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        acknowledged += child.stdout.readlines()
    assert child.returncode == -signal.SIGKILL
    return {line.strip() for line in acknowledged if line.endswith("\n")}


async def test_a_killed_service_loses_no_acknowledged_entry(url: str, path: Path) -> None:
    """Four kills in a row on one store: acknowledged entries stand, others stand whole or not at all."""
    acknowledged: set[str] = set()
    for number in range(_ROUNDS):
        acknowledged |= _killed_after(20 + 7 * number, url, f"k{number}")
        assert verify(url).first_bad is None
    assert len(acknowledged) >= 20 * _ROUNDS
    async with open_journal(url) as journal:
        found = await journal.recover()
        timers = {t.entity_id for t in await journal.due_timers(T0.replace(year=2100))}
    with sqlite3.connect(path) as store:
        lines = {json.loads(line)["event"] for (line,) in store.execute("SELECT line FROM audit")}
    assert acknowledged <= lines
    assert lines == timers == set(found.state.breaks)
    assert set(found.open_actions) == {pause_of(id_) for id_ in lines}
    assert dict(found.state.breaks) == {id_: break_of(id_) for id_ in lines}
