"""The course of the demo: the shift, the audit trail, and then the keys in a person's hands."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from rich.console import Console

from adapters.demo.cues import STORIES
from adapters.demo.entrance import entrance
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
            async with stage(console, pace) as made, _keys(made, take_keys=take_keys) as keys:
                await _all(made, keys, play=play)
        except DemoError as error:
            said = f" The service's log: {' / '.join(errors[:3])}" if errors else ""
            raise DemoError(f"The demo failed: {error}.{said}") from error


async def _all(made: Stage, keys: _Keys | None, *, play: bool) -> None:
    if not play and not await _shift(made, keys):
        return
    if keys is not None:
        made.send_home()
        await Play(made, keys).run()


async def _shift(made: Stage, keys: _Keys | None) -> bool:
    """Show the shift, until its end or somebody's turn; returns False when the person at the keys leaves."""
    shift = asyncio.create_task(Shift(made).run(), name="shift")
    turn = asyncio.create_task(_turn(made), name="turn")
    leaves = asyncio.create_task(_leaves(made, keys), name="leaves")
    try:
        await asyncio.wait({shift, turn, leaves}, return_when=asyncio.FIRST_COMPLETED)
        if made.turn.is_set():  # also when what they did made the shift go another way than is written
            await turn
            made.narrator.note("The shift gives way to you.")
            return True
        if not shift.done():
            made.narrator.note("You quit before the end of the shift.")
            return False
        shift.result()
    finally:
        for task in (shift, turn, leaves):
            task.cancel()
        await asyncio.gather(shift, turn, leaves, return_exceptions=True)
    made.chronicle.sounds()
    show_trail(made, made.head_at_death)
    made.narrator.note(f"{STORIES} of {STORIES} stories happened as promised.")
    return True


async def _turn(made: Stage) -> None:
    """Return once somebody wants to act, and the service is there for it."""
    await made.turn.wait()
    await made.alive.wait()


async def _leaves(made: Stage, keys: _Keys | None) -> None:
    """Return when the person at the keys wants to leave; never when there is none."""
    while keys is not None:
        pressed = await keys.get()
        if pressed == "q":
            return
        if pressed == "p":
            made.turn.set()
        else:
            made.narrator.note("(Your turn comes after the shift. p begins it at once; q quits.)")
    await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def _keys(made: Stage, *, take_keys: bool) -> AsyncIterator[_Keys | None]:
    """Give a person the keys of the terminal, and the screens in a browser; None, and neither, when there is none."""
    if not take_keys:
        yield None
        return
    from adapters.demo.keys import single_keys  # noqa: PLC0415 -- terminals only

    async with single_keys() as keys, entrance(made):
        yield keys
