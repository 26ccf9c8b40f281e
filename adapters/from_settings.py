"""Adapters, as a policy file asks for them."""

from collections.abc import Sequence
from pathlib import Path

from adapters.http.access import Token, TokenKind, Tokens
from adapters.prompts.library import PromptLibrary
from telephony.settings import Settings


def prompts_missing(folder: Path | None, names: Sequence[str], languages: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Fits `telephony.settings.PromptsMissing`: what could not be played, missing or damaged."""
    library = PromptLibrary(folder)
    return [(n, lang) for n in names for lang in languages if library.problems([n], [lang])]


def prompt_library(settings: Settings) -> PromptLibrary:
    """Return the site's prompts, with the placeholders behind them."""
    folder = settings.prompts.folder
    return PromptLibrary(settings.path(folder) if folder else None)


def store_url(settings: Settings) -> str:
    """Return the journal's place as SQLAlchemy writes it."""
    return f"sqlite:///{settings.path(settings.store.path).absolute()}"


def tokens(settings: Settings) -> Tokens:
    """Return the tokens of the policy's token file."""
    return Tokens(Token(t.name, TokenKind(t.kind), t.sha256, t.agent or t.person) for t in settings.origin.tokens)
