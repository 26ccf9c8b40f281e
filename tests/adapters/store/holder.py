"""Holds a store: commits an entry for each line that it is given, says how that went, and when it is fenced out."""

import asyncio
import sys

from adapters.store.errors import StoreError
from adapters.store.journal import StoreJournal, open_journal
from tests.adapters.store.samples import full_entry


def _say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201 -- what the parent reads


async def _commit_what_comes(journal: StoreJournal) -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            await journal.commit(full_entry(line.strip()))
        except StoreError as error:
            _say(type(error).__name__)
        else:
            _say("committed", line.strip())


async def _main(url: str, lease_s: float) -> None:
    async with open_journal(url, lease_s=lease_s) as journal:
        _say("holds")
        work = asyncio.create_task(_commit_what_comes(journal))
        ends = asyncio.create_task(journal.fenced())
        done, _ = await asyncio.wait([work, ends], return_when=asyncio.FIRST_COMPLETED)
        if ends in done:
            _say("fenced")
        await work
        ends.cancel()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], float(sys.argv[2])))
