"""The course of the demo: the shift, the audit trail, and then the keys in a person's hands."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from rich.console import Console

from adapters.demo.cues import STORIES
from adapters.demo.failing import DemoError
from adapters.demo.play import Play
from adapters.demo.quiet import quietly
from adapters.demo.shift import Shift
from adapters.demo.stage import Stage, stage
from adapters.demo.trail import show_trail

_Keys = asyncio.Queue[str]


async def run(console: Console, pace: float, *, play: bool, take_keys: bool) -> None:
    """Show it; the arguments, and what it raises, are those of `adapters.demo.show`."""
    with quietly() as errors:
        try:
            async with stage(console, pace) as made, _keys(take_keys=take_keys) as keys:
                await _all(made, keys, play=play)
        except DemoError as error:
            said = f" The service's log: {' / '.join(errors[:3])}" if errors else ""
            raise DemoError(f"The demo failed: {error}.{said}") from error


async def _all(made: Stage, keys: _Keys | None, *, play: bool) -> None:
    if not play and not await _shift(made, keys):
        return
    if keys is not None:
        await Play(made, keys).run()


async def _shift(made: Stage, keys: _Keys | None) -> bool:
    """Show the shift; returns False when the person at the keys has left before its end."""
    shift = asyncio.create_task(Shift(made).run(), name="shift")
    leaves = asyncio.create_task(_leaves(made, keys), name="leaves")
    try:
        await asyncio.wait({shift, leaves}, return_when=asyncio.FIRST_COMPLETED)
        if not shift.done():
            made.narrator.note("You quit before the end of the shift.")
            return False
        shift.result()
    finally:
        shift.cancel()
        leaves.cancel()
        await asyncio.gather(shift, leaves, return_exceptions=True)
    made.chronicle.sounds()
    show_trail(made, made.head_at_death)
    made.narrator.note(f"{STORIES} of {STORIES} stories happened as promised.")
    return True


async def _leaves(made: Stage, keys: _Keys | None) -> None:
    """Return when the person at the keys wants to leave; never when there is none."""
    while keys is not None:
        if await keys.get() == "q":
            return
        made.narrator.note("(Your turn comes after the shift; q quits.)")
    await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def _keys(*, take_keys: bool) -> AsyncIterator[_Keys | None]:
    if not take_keys:
        yield None
        return
    from adapters.demo.keys import single_keys  # noqa: PLC0415 -- terminals only

    async with single_keys() as keys:
        yield keys
