"""The demo: a night shift on a simulated PBX, told on the terminal. Everything else is the product itself."""

from rich.console import Console

from adapters.demo.failing import DemoError

__all__ = ["DemoError", "show"]

MOST_PACE = 20.0
_INTRODUCTION = """\
BAGVAGT: the one on call who stands behind you when you answer the phone.

A Sunday night at a small helpline. The telephone system and its people are simulated. The service
beside it is the real one, with an MQTT broker, an SMS gateway and a journal on this machine, and
with a policy (demo.toml) whose times are short, so that the shift lasts two minutes.

  says         what callers say; it is acted
  PBX, hears   from the telephone system's own record, and from what each phone heard
  Bagvagt      what the service decided, with the rule of the policy that says so
  phone, SMS   what those on call received
  kept         a promise, just checked against all of these
"""


async def show(pace: float, *, play: bool = False, take_keys: bool) -> None:
    """Show the shift; then, with a person at the keys, let them play until they quit.

    Args:
        pace: 1.0 is about two minutes; 10.0 is ten times as fast. Outcomes are the same at any pace.
        play: leave the shift out and play at once.
        take_keys: a person is at the terminal.

    Raises:
        DemoError: the demo cannot begin, or something that it promises did not happen.
    """
    if not 0 < pace <= MOST_PACE:
        raise DemoError(f"The pace must be above 0 and at most {MOST_PACE:g}.")
    if play and not take_keys:
        raise DemoError("To play, the demo needs a terminal: here is nobody to press the keys.")
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(_INTRODUCTION, soft_wrap=True)
    from adapters.demo.showing import run  # noqa: PLC0415 -- takes seconds to load; there is something to read now

    await run(console, pace, play=play, take_keys=take_keys)
