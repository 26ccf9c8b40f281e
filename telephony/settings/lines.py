"""Where in a TOML text each key stands: `tomllib` gives values without lines, and an admin needs the line.

Reads text that `tomllib` has accepted already, so it only has to follow the grammar (TOML 1.0), not to judge it.
"""

import contextlib
import re
from collections.abc import Mapping

Path = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"[ \t\r]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_PLAIN_VALUE = re.compile(r"[^,\]}#\n]*")
_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_STRINGS = (
    re.compile(r'"""(?:\\.|[^\\])*?"""(?:"{0,2}(?!"))', re.DOTALL),
    re.compile(r"'''.*?'''(?:'{0,2}(?!'))", re.DOTALL),
    re.compile(r'"(?:\\.|[^"\\\n])*"'),
    re.compile(r"'[^'\n]*'"),
)


class Lines:
    """The 1-based line of every key and table, by path: `("pages", "backup", "steps", 0, "wait_s")`."""

    def __init__(self, index: Mapping[Path, int]) -> None:
        self._index = index

    def at(self, path: Path) -> int | None:
        """Return the line of exactly this key, or None when it is not in the file."""
        return self._index.get(path)

    def near(self, path: Path) -> int | None:
        """Return the line of this key, else of the nearest table above it that is in the file, else None."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._index:
                return self._index[path[:length]]
        return None


def index(text: str) -> Lines:
    """Read `text`, which must be valid TOML.

    An index that cannot be completed is not worth a crash: what was read until then counts.
    """
    reading = _Reading(text)
    with contextlib.suppress(IndexError, RecursionError):  # not TOML after all, or absurd
        reading.document()
    return Lines(reading.found)


def dotted(path: Path) -> str:
    """Return a path as an admin writes it: `pages.backup.steps[0].wait_s`; odd names are quoted."""
    words = ""
    for part in path:
        if isinstance(part, int):
            words += f"[{part}]"
        else:
            words += ("." if words else "") + (part if _BARE.fullmatch(part) else f'"{_shown(part)}"')
    return words


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in name)


class _Reading:
    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.found: dict[Path, int] = {}
        self._arrays: dict[Path, int] = {}  # array of tables -> index of its latest table
        self._line = 1
        self._line_pos = 0

    def document(self) -> None:
        table: Path = ()
        while self._skip(_BLANK) < len(self.text):
            if self.text.startswith("[[", self.pos):
                table = self._header(2)
            elif self.text[self.pos] == "[":
                table = self._header(1)
            else:
                self._pair(table)

    def _header(self, brackets: int) -> Path:
        line = self._here()
        self.pos += brackets
        keys = self._keys()
        self._skip(_SPACE)
        self.pos += brackets
        path: Path = ()
        for key in keys[:-1]:
            path = self._latest((*path, key))
            self.found.setdefault(path, line)
        path = (*path, keys[-1])
        if brackets == 1:
            path = self._latest(path)
            self.found[path] = line  # a header of its own is a better place than a child's, seen before
            return path
        self.found.setdefault(path, line)
        self._arrays[path] = self._arrays.get(path, -1) + 1
        path = self._latest(path)
        self.found[path] = line
        return path

    def _latest(self, path: Path) -> Path:
        return (*path, self._arrays[path]) if path in self._arrays else path

    def _pair(self, table: Path) -> None:
        line = self._here()
        path = table
        for key in self._keys():
            path = (*path, key)
            self.found.setdefault(path, line)
        self._skip(_SPACE)
        self.pos += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACE)
            keys.append(self._key())
            self._skip(_SPACE)
            if self.text[self.pos] != ".":
                return keys
            self.pos += 1

    def _key(self) -> str:
        if self.text[self.pos] in "\"'":
            written = self._string()
            return _ESCAPED.sub(_unescape, written[1:-1]) if written[0] == '"' else written[1:-1]
        bare = _BARE.match(self.text, self.pos)
        if bare is None:
            raise IndexError
        self.pos = bare.end()
        return bare.group()

    def _value(self, path: Path) -> None:
        first = self.text[self.pos]
        if first in "\"'":
            self._string()
        elif first == "[":
            self._items(path, "]")
        elif first == "{":
            self._items(path, "}")
        else:
            self._skip(_PLAIN_VALUE)

    def _items(self, path: Path, close: str) -> None:
        self.pos += 1
        number = 0
        while self._skip(_BLANK) < len(self.text) and self.text[self.pos] != close:
            if close == "}":
                self._pair(path)
            else:
                self.found[*path, number] = self._here()
                self._value((*path, number))
            number += 1
            self._skip(_BLANK)
            if self.text[self.pos] == ",":
                self.pos += 1
        self.pos += 1

    def _string(self) -> str:
        for form in _STRINGS:
            found = form.match(self.text, self.pos)
            if found:
                self.pos = found.end()
                return found.group()
        raise IndexError

    def _skip(self, what: re.Pattern[str]) -> int:
        found = what.match(self.text, self.pos)
        if found:
            self.pos = found.end()
        return self.pos

    def _here(self) -> int:
        self._line += self.text.count("\n", self._line_pos, self.pos)
        self._line_pos = self.pos
        return self._line


def _unescape(found: re.Match[str]) -> str:
    digits = found[1] or found[2]
    if digits:
        return chr(int(digits, 16))
    return {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}.get(found[3], found[3])
