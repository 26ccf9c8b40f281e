"""From what pydantic and tomllib say to what an admin can act on: key, line, what is wrong, what to do."""

import difflib
import re
import typing
from collections.abc import Iterable
from datetime import date, datetime, time

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from telephony.errors import Mistake
from telephony.settings.fields import short
from telephony.settings.lines import Lines, Path, dotted

_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")

# error type -> (what it should be, how that is written)
_TYPES = {
    "string_type": ("a text", 'write it in quotes: "…"'),
    "int_type": ("a whole number", "write it without quotes and without a decimal point"),
    "float_type": ("a number", "write it without quotes"),
    "bool_type": ("true or false", "write true or false, without quotes"),
    "list_type": ("a list", "write it in square brackets: […]"),
    "dict_type": ("a table", "write it as a [section] of its own"),
    "model_type": ("a table", "write it as a [section] of its own, or in braces: {…}"),
    "model_attributes_type": ("a table", "write it as a [section] of its own, or in braces: {…}"),
}
_RANGES = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
    "greater_than": ("gt", "more than"),
    "less_than": ("lt", "less than"),
}
_EMPTY = ("is empty", "write what belongs there")
_PLAIN = {
    "finite_number": ("is not a finite number", "use an ordinary number"),
    "string_pattern_mismatch": ("is not the SHA-256 of a token", "use 64 digits 0-9 and small letters a-f"),
    "string_too_short": _EMPTY,
    "too_short": _EMPTY,  # of a value that has been looked at in another way first
}
_IS_A: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number with a decimal point"),
    (str, "a text"),
    (datetime, "a time"),
    (date, "a date"),
    (time, "a time"),
    (list, "a list"),
    (dict, "a table"),
)


def syntax_mistake(error: Exception) -> Mistake:
    """Say where a text stops being TOML; without a line where the parser gives none."""
    found = _AT.search(str(error))
    words = _AT.sub("", str(error)) if found else "cannot be read as TOML"
    line = int(found[1]) if found and found[1] else None
    where = f" in column {found[2]}" if found and found[2] else " at its end" if found else ""
    remedy = "a text needs quotes, a list needs ], a section is [in.brackets], and no key stands twice"
    return Mistake("", line, f"this is not TOML{where}: {words[:1].lower()}{words[1:]}", remedy)


def path_of(error: ErrorDetails) -> Path:
    """Return the key that an error is about; a table's bad name is about that table."""
    return tuple(part for part in error["loc"] if part != "[key]")


def mistakes_of(error: ValidationError, model: type[BaseModel], where: Lines) -> list[Mistake]:
    """Put every error into words."""
    return [
        Mistake(dotted(path_of(e)), where.near(path_of(e)), *_words(e, model)) for e in error.errors(include_url=False)
    ]


def _words(error: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    name = str(error["loc"][-1]) if error["loc"] else ""
    if kind == "policy":
        return context["message"], context["remedy"]
    if kind == "extra_forbidden":
        return _unknown(name, keys_of(model, path_of(error)[:-1]))
    if kind == "missing":
        return f"`{name}` is missing", f"add `{name} = …` here"
    if kind in _TYPES:
        what, how = _TYPES[kind]
        return f"must be {what}, and is {_is_a(value)}", how
    if kind in _RANGES:
        limit, words = _RANGES[kind]
        return f"{value} is out of range", f"use {words} {context[limit]:.10g}"
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(context["expected"]))
        return (
            f"{_shown(value)} is not one of them",
            f"use one of {_listed(allowed)}{did_you_mean(str(value), allowed)}",
        )
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "string_too_long":
        return "is too long", f"use at most {context['max_length']} characters"
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}", "see config.example.toml"


def _unknown(name: str, known: list[str]) -> tuple[str, str]:
    hint = did_you_mean(name, known)
    if not hint and f"{name}_file" in known:
        hint = f"; a secret stands in a file of its own: `{name}_file`"
    if not known:
        return "unknown key", "remove it"
    return "unknown key", f"remove it{hint}" if hint else f"remove it; known here: {', '.join(known)}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean `…`?" when something known is close to `name`, else ""."""
    close = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else ""


def keys_of(model: type[BaseModel], path: Path) -> list[str]:
    """Return the keys that a table of the file may hold; none when `path` is no table of the model."""
    here: object = model
    is_entry = False  # the name of an entry, or its number in a list, leads to the table that the field holds
    for part in path:
        if is_entry:
            is_entry = False
            continue
        fields = getattr(here, "model_fields", {})
        annotation = fields[part].annotation if part in fields else None
        is_entry = typing.get_origin(annotation) in (dict, list)
        here = _inside(annotation)
    return [field.alias or name for name, field in getattr(here, "model_fields", {}).items()]


def _inside(annotation: object) -> object:
    """Return the table that a field holds: itself, or one of it in a dict, a list or an optional."""
    inner = [a for a in typing.get_args(annotation) if a is not type(None)]
    return _inside(inner[-1]) if inner else annotation


def _is_a(value: object) -> str:
    return next((words for kind, words in _IS_A if isinstance(value, kind)), "something else")


def _shown(value: object) -> str:
    return short(value) if isinstance(value, str) else _is_a(value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
