"""Reads a policy file: all of it, or every mistake in it.

Two passes. First names and types, by the models. What is wrong there is left out, so that the second pass,
contradictions and files, can still run over the rest: an admin gets one list, not one mistake after the other.
"""

import copy
import hashlib
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from telephony.errors import ConfigError, Mistake
from telephony.settings import carriers, checks, files, lines, panel, people, reach_checks, rota_checks
from telephony.settings.lines import Path as KeyPath
from telephony.settings.look import Look, PromptsMissing
from telephony.settings.model import Origin, Settings
from telephony.settings.wording import mistakes_of, path_of, syntax_mistake

MOST_BYTES = 1_000_000

# Stand in for keys that must be given and are missing or wrong, while the rest is checked. Never in force.
_STAND_INS: dict[KeyPath, str] = {("site", "zone"): "UTC", ("site", "language"): "en", ("site", "country"): ""}


def load(path: Path, prompts_missing: PromptsMissing | None = None) -> Settings:
    """Read the policy file at `path`; `origin.warnings` of what is returned are worth showing.

    Args:
        path: the file.
        prompts_missing: looks for prompts in the languages that are used; None leaves that out.

    Raises:
        ConfigError: with every mistake, and every warning.
    """
    settings, found = _read(path, prompts_missing)
    if settings is None or any(m.severity == "error" for m in found):
        raise ConfigError(str(path), tuple(found))
    return settings


def check(path: Path, prompts_missing: PromptsMissing | None = None) -> tuple[Mistake, ...]:
    """Return everything wrong or doubtful in the policy file, in the order of its lines."""
    return tuple(_read(path, prompts_missing)[1])


def _read(path: Path, prompts_missing: PromptsMissing | None) -> tuple[Settings | None, list[Mistake]]:
    text, version, mistake = _text(path)
    if mistake is not None:
        return None, [mistake]
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        return None, [_syntax(error, text)]
    where = lines.index(text)
    settings, found, broken = _shape(raw, where)
    if settings is None:
        return None, found
    look = Look(settings, raw, where, path, broken, prompts_missing)
    checks.check(look)
    people.check(look)
    rota_checks.check(look)
    carriers.check(look)
    reach_checks.check(look)
    panel.check(look)
    tokens = files.check(look)
    found = sorted([*found, *look.found], key=lambda m: (m.line or 0, m.key))
    warnings = tuple(m for m in found if m.severity == "warning")
    return settings.with_origin(Origin(path, version, where, tokens, warnings)), found


def _text(path: Path) -> tuple[str, str, Mistake | None]:
    """Return the file's text and version, or what keeps it from being read."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return "", "", Mistake("", None, "there is no such file", "name the policy file, as in config.example.toml")
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        return "", "", Mistake("", None, f"cannot be read: {words}", "let the service's user read it")
    if len(data) > MOST_BYTES:
        return "", "", Mistake("", None, "is larger than a policy can be", "name the policy file itself")
    try:
        text = data.decode("utf-8-sig")  # Notepad writes a byte order mark
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return "", "", Mistake("", line, "this line is not UTF-8", "save the file in the encoding UTF-8")
    return text, hashlib.sha256(data).hexdigest()[:12], None


def _syntax(error: Exception, text: str) -> Mistake:
    mistake = syntax_mistake(error)
    if mistake.line is not None or "at its end" not in mistake.message:
        return mistake
    last = text.rstrip().count("\n") + 1
    return Mistake(mistake.key, last, mistake.message, mistake.remedy)


def _shape(raw: dict[str, Any], where: lines.Lines) -> tuple[Settings | None, list[Mistake], frozenset[KeyPath]]:
    """Return what fits the models, with what does not left out, and the mistakes."""
    rest = copy.deepcopy(raw)
    found: dict[str, Mistake] = {}
    broken: set[KeyPath] = set()
    for _ in range(10):  # what is left out may be missed by what holds it, and so on up; the file is not deeper
        try:
            return Settings.model_validate(rest), list(found.values()), frozenset(broken)
        except ValidationError as error:
            for mistake, path in zip(
                mistakes_of(error, Settings, where), map(path_of, error.errors(include_url=False)), strict=True
            ):
                if not any(path[: len(b)] == b or b[: len(path)] == path for b in broken):
                    found[mistake.key] = mistake
            for detail in error.errors(include_url=False):
                path = path_of(detail)
                broken.add(path)
                _leave_out(rest, path, missing=detail["type"] == "missing")
    return None, list(found.values()), frozenset(broken)


def _leave_out(rest: dict[str, Any], path: KeyPath, *, missing: bool) -> None:
    """Take a key out of the values: a whole list where one item is wrong, and the table that cannot do without."""
    if path in _STAND_INS:
        site = rest.setdefault("site", {})
        site[path[-1]] = _STAND_INS[path]
        return
    if path == ("site",):
        rest["site"] = {key[1]: value for key, value in _STAND_INS.items()}
        return
    names = path[:-1] if missing else path
    until = next((n for n, part in enumerate(names) if isinstance(part, int)), len(names))
    table: Any = rest
    for part in names[: until - 1]:
        table = table.get(part) if isinstance(table, dict) else None
    if isinstance(table, dict):
        table.pop(names[until - 1], None)
