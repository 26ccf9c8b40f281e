"""Commits one entry after the other and prints each id once it is durable, until it is killed."""

import asyncio
import itertools
import sys

from adapters.store.journal import StoreJournal, open_journal
from tests.adapters.store.samples import full_entry

_WRITERS = 5


async def _commit(journal: StoreJournal, prefix: str) -> None:
    for number in itertools.count():
        id_ = f"{prefix}-{number}"
        await journal.commit(full_entry(id_))
        print(id_, flush=True)  # noqa: T201 -- what the parent reads


async def _main(url: str, name: str) -> None:
    async with open_journal(url) as journal, asyncio.TaskGroup() as tasks:
        for writer in range(_WRITERS):
            tasks.create_task(_commit(journal, f"{name}-{writer}"))


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
