"""Which key of the keyboard stands for which key of the policy."""

from collections.abc import Iterable, Mapping
from typing import Final

IN_ORDER: Final = ("F8", "F9", "F10", "F7", "F6", "F4", "F2")
"""Given to the policy's keys in their order. Left to the browser: F1 help, F3 find, F5 reload, F11 full screen, F12."""


def hotkeys(keys: Iterable[str], own: Mapping[str, str]) -> Mapping[str, str]:
    """Return the hotkey of each key, "" for none.

    Args:
        keys: names of the policy's keys, in its order.
        own: what the site has chosen, "" for none; the others get what is left of `IN_ORDER`.
    """
    free = iter([hotkey for hotkey in IN_ORDER if hotkey not in own.values()])
    return {key: own[key] if key in own else next(free, "") for key in keys}
