"""The line index: where each key stands, for every way in which TOML lets one write it."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.settings.lines import Lines, dotted, index
from telephony.settings.lines import Path as KeyPath
from tests.telephony.site_folder import EXAMPLE, SMALL

WAYS = '''\
title = "x" # not = a key
[a]
b = 1
"quoted.key" = 2
'literal key' = 3
"esc\\u0061ped" = 4
[a.c.d]
e.f.g = 5
text = """
[not.a.header]
x = 1
"""
after = 6
literal = \'\'\'
[nor.this] """
\'\'\'
[[list]]
n = 1
[[list]]
n = 2
[list.sub]
k = 3
[[list.inner]]
m = 4
[[list.inner]]
m = 5
[arrays]
flat = [1, 2,
  3, # ]
  4]
tables = [
  {p = 1, q = "}"},
  {p = 2, r = {s = [
    7]}},
]
time = 2027-03-28T02:30:00
last = "a # b" # c
'''

ROWS: list[tuple[KeyPath, int | None]] = [
    (("title",), 1),
    (("a",), 2),
    (("a", "b"), 3),
    (("a", "quoted.key"), 4),
    (("a", "literal key"), 5),
    (("a", "escaped"), 6),
    (("a", "c"), 7),
    (("a", "c", "d"), 7),
    (("a", "c", "d", "e"), 8),
    (("a", "c", "d", "e", "f", "g"), 8),
    (("a", "c", "d", "text"), 9),
    (("not", "a", "header"), None),
    (("a", "c", "d", "x"), None),
    (("a", "c", "d", "after"), 13),
    (("nor", "this"), None),
    (("list",), 17),
    (("list", 0), 17),
    (("list", 0, "n"), 18),
    (("list", 1), 19),
    (("list", 1, "n"), 20),
    (("list", 1, "sub", "k"), 22),
    (("list", 1, "inner", 0, "m"), 24),
    (("list", 1, "inner", 1, "m"), 26),
    (("list", 0, "inner"), None),
    (("arrays", "flat", 1), 28),
    (("arrays", "flat", 2), 29),
    (("arrays", "flat", 3), 30),
    (("arrays", "tables", 0, "q"), 32),
    (("arrays", "tables", 1, "p"), 33),
    (("arrays", "tables", 1, "r", "s", 0), 34),
    (("arrays", "time"), 36),
    (("arrays", "last"), 37),
]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(("path", "line"), ROWS, ids=lambda v: dotted(v) if isinstance(v, tuple) else str(v))
def test_every_way_of_writing_a_key_has_its_line(path: KeyPath, line: int | None, newline: str) -> None:
    """Dotted and quoted keys, arrays of tables, inline tables, strings over lines: each key's own line, or none."""
    assert index(WAYS.replace("\n", newline)).at(path) == line


def test_what_is_absent_falls_back_to_the_nearest_table() -> None:
    """A key that is left out is shown at its table, a table that is left out at the one above, else nowhere."""
    lines = index(WAYS)
    assert lines.near(("list", 1, "sub", "missing", "too")) == 21
    assert lines.near(("list", 1, "missing")) == 19
    assert lines.near(("nothing", "at", "all")) is None


def test_a_header_that_comes_after_its_child_wins() -> None:
    """`[a.b]` before `[a]`: the table `a` is where its own header stands."""
    lines = index("[a.b]\nx = 1\n[a]\ny = 2\n")
    assert (lines.at(("a",)), lines.at(("a", "b")), lines.at(("a", "b", "x"))) == (3, 1, 2)


def _paths(value: Any, at: KeyPath = ()) -> list[KeyPath]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, below in inner for path in ((*at, key), *_paths(below, (*at, key)))]


@pytest.mark.parametrize("text", [WAYS, SMALL, EXAMPLE.read_text(encoding="utf-8")], ids=["ways", "small", "example"])
def test_every_key_that_tomllib_sees_has_a_line_that_names_it(text: str) -> None:
    """Nothing is missing from the index, and the line that it gives holds the key (or begins the item)."""
    lines, written = index(text), text.splitlines()
    for path in _paths(tomllib.loads(text)):
        line = lines.at(path)
        assert line is not None, path
        if isinstance(path[-1], str) and path[-1] != "escaped":
            assert path[-1] in written[line - 1], path


_KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=6)


@given(
    st.recursive(
        st.integers() | st.booleans() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
        max_leaves=12,
    ).filter(lambda v: isinstance(v, dict))
)
def test_any_document_is_indexed_whole(document: dict[str, Any]) -> None:
    """For any keys and any nesting, tomllib and the index see the same paths."""
    text = "\n".join(f"{_written(key)} = {_inline(value)}" for key, value in document.items())
    assert tomllib.loads(text) == document
    lines: Lines = index(text)
    assert all(lines.at(path) is not None for path in _paths(document))
    for number, key in enumerate(document, 1):
        above = text.split("\n")[: number - 1]
        assert lines.at((key,)) == len(above) + 1


def _written(text: str) -> str:
    body = "".join(c if c.isascii() and c.isalnum() else f"\\U{ord(c):08x}" for c in text)
    return f'"{body}"'


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_written(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(v) for v in value) + "]"
    return _written(value) if isinstance(value, str) else str(value).lower()


def test_a_text_that_is_not_toml_does_not_raise() -> None:
    """The index is asked for valid TOML only; anything else gives what was read until then."""
    assert index("a = 1\n= [[").at(("a",)) == 1
    assert index(Path(__file__).read_text(encoding="utf-8")).at(("nothing",)) is None
