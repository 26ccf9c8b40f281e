"""The end of the demo: what the audit trail holds, and whether its chain is unbroken."""

import json
from collections import Counter

from rich.table import Table
from sqlalchemy import select

from adapters.demo.failing import DemoError
from adapters.demo.stage import Stage
from adapters.store.audit import verify
from adapters.store.chain import Head
from adapters.store.database import open_engine
from adapters.store.schema import AUDIT

_WORDS = {
    "KeyPressed": "keys, each with its answer and the rule",
    "AnnouncementFinished": "warnings, with the evidence",
    "ReleaseFinished": "calls ended, each by a permit",
    "PauseFinished": "breaks begun",
    "UnpauseFinished": "breaks over",
    "Notified": "alarm messages, and what the carriers said",
    "PageAnswered": "alarms answered by a person",
    "PbxConnected": "readings of the telephone system",
}


def show_trail(stage: Stage, published: Head | None) -> None:
    """Verify the chain, and show what it holds.

    Args:
        stage: whose.
        published: the head before the service died; the chain must pass through it.

    Raises:
        DemoError: the chain is broken.
    """
    url = stage.service.url
    verified = verify(url, published)
    if verified.first_bad is not None:
        raise DemoError(f"the audit chain is broken at line {verified.first_bad}: {verified.why}")
    engine = open_engine(url, writes=False)
    try:
        with engine.begin() as connection:
            kinds = Counter(json.loads(row.line)["type"] for row in connection.execute(select(AUDIT.c.line)))
    finally:
        engine.dispose()
    table = Table(title="The audit trail of this shift", title_justify="left", min_width=60)
    table.add_column("lines", justify="right")
    table.add_column("about")
    for kind, words in _WORDS.items():
        if kinds[kind]:
            table.add_row(str(kinds[kind]), words)
    rest = sum(n for kind, n in kinds.items() if kind not in _WORDS)
    table.add_row(str(rest), "calls, timers, and the rest")
    table.add_section()
    table.add_row(str(verified.count), f"in all; chain verified, unbroken; head {verified.head.hash[:16]}…")
    stage.narrator.table(table)
