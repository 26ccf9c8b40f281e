"""The tokens file: who may press keys and answer pages over HTTP. It holds hashes; the tokens themselves are nowhere.

```toml
[[tokens]]
name = "desk-phone-7"
kind = "action_url"      # "agent": a screen; "action_url": a desk phone; "person": answers pages
agent = "agent7"         # for "agent" and "action_url"
sha256 = "…"             # SHA-256 of the token, 64 hexadecimal digits
```

A token is 32 random bytes, so a plain SHA-256 is enough: there is nothing to guess.
"""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from telephony.errors import Mistake
from telephony.settings import fields as f
from telephony.settings import lines
from telephony.settings.wording import mistakes_of, syntax_mistake


class Token(f.Strict):
    """One token.

    Attributes:
        name: for people and the audit trail.
        kind: what it is for.
        agent: whose keys it presses.
        person: who answers pages with it.
        sha256: hash of the token, see `token_hash`.
    """

    name: f.Name
    kind: Literal["agent", "action_url", "person"]
    agent: f.OptionalName = ""
    person: f.OptionalName = ""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _TokensFile(f.Strict):
    tokens: list[Token] = Field(default_factory=list)


def token_hash(token: str) -> str:
    """Return what the tokens file holds for `token`."""
    return hashlib.sha256(token.encode()).hexdigest()


def read_tokens(file: Path) -> tuple[tuple[Token, ...], list[Mistake]]:
    """Read a tokens file that exists; the mistakes' keys and lines are those of that file.

    Raises:
        OSError: it cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        return (), [syntax_mistake(error)]
    where = lines.index(text)
    try:
        tokens = tuple(_TokensFile.model_validate(raw).tokens)
    except ValidationError as error:
        return (), mistakes_of(error, _TokensFile, where)
    return tokens, _contradictions(tokens, where)


def _contradictions(tokens: tuple[Token, ...], where: lines.Lines) -> list[Mistake]:
    found = []
    seen: dict[str, str] = {}
    for number, token in enumerate(tokens):
        needs = "person" if token.kind == "person" else "agent"
        path: lines.Path = ("tokens", number)
        if not getattr(token, needs):
            message = f'a token of kind "{token.kind}" belongs to nobody'
            found.append(Mistake(lines.dotted((*path, needs)), where.near(path), message, f"add `{needs} = …`"))
        for what, value in (("name", token.name), ("sha256", token.sha256)):
            if value in seen:
                message = f"the same {what} as token {seen[value]}"
                line = where.near((*path, what))
                found.append(Mistake(lines.dotted((*path, what)), line, message, "make a new token"))
            seen[value] = token.name
    return found
