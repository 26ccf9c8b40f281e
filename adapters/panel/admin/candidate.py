"""A policy that somebody is writing: looked at as if it were loaded, and never put in force.

The files that it names are looked for where the policy in force stands, so that secrets need not be sent along. It is
read in a folder of its own, which has links to what stands beside the policy. A file elsewhere is looked at only if the
policy in force names it too: a browser must not be a way to ask what is on the machine.
"""

import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import Any, Final

from telephony.errors import ConfigError, Mistake
from telephony.settings import PromptsMissing, Settings, load
from telephony.settings.lines import dotted, index

MOST_CHARS: Final = 60_000
KeyPath = tuple[str | int, ...]


@contextmanager
def candidate(text: str, now: Settings, prompts_missing: PromptsMissing | None) -> Iterator[Settings]:
    """Give the settings that a text would become; they may be used inside the `with` only.

    Args:
        text: TOML.
        now: in force.
        prompts_missing: see `telephony.settings.load`.

    Raises:
        ConfigError: it would not be loaded; with every mistake.
    """
    place = now.origin.file
    elsewhere = _elsewhere(text, now)
    if elsewhere:
        raise ConfigError(place.name, elsewhere)
    with tempfile.TemporaryDirectory(prefix="bagvagt-candidate-") as folder:
        for beside in place.absolute().parent.iterdir():
            if beside.name != place.name:
                with suppress(OSError):
                    (Path(folder) / beside.name).symlink_to(beside)
        file = Path(folder) / place.name
        file.write_text(text, encoding="utf-8")
        yield load(file, prompts_missing)


def _elsewhere(text: str, now: Settings) -> tuple[Mistake, ...]:
    """Return a mistake for every file that stands elsewhere, and that the policy in force does not name."""
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError):
        return ()  # `load` says where it is no TOML
    # Every text: a key that names a file may be added without anybody thinking of this place.
    known = {name for _, name in _texts(now.model_dump(mode="json"))}
    where = index(text)
    return tuple(
        Mistake(dotted(at), where.near(at), "names a file elsewhere: a dry run does not look there", _REMEDY)
        for at, name in _texts(raw)
        if name not in known and (PurePath(name).is_absolute() or ".." in PurePath(name).parts)
    )


_REMEDY: Final = "name a file beside the policy, or run `bagvagt check` on the machine"


def _texts(table: Any, at: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    match table:
        case Mapping():
            for key, value in table.items():
                yield from _texts(value, (*at, key))
        case list():
            for number, value in enumerate(table):
                yield from _texts(value, (*at, number))
        case str():
            yield at, table
