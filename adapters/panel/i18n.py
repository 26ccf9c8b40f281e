"""The panel's words in five languages: gettext catalogues, compiled in memory at the first use of a language.

English is the source: its words stand in the templates and in `policies.reasons`. `scripts/translations` keeps the
others complete.
"""

from collections.abc import Mapping
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Final

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALES: Final = Path(__file__).with_name("locales")
DOMAIN: Final = "bagvagt"
SOURCE: Final = "en"
LANGUAGES: Final[Mapping[str, str]] = {
    "da": "Dansk",
    "sv": "Svenska",
    "fi": "Suomi",
    "nb": "Norsk bokmål",
    "en": "English",
}
"""Two letters, and what the language calls itself."""

_TIMES_AS_IN: Final = {"en": "en_GB"}  # a plain "en" would write 2:30 PM


def catalogue(language: str) -> Path:
    """Return where a language's catalogue stands."""
    return LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def known(language: str) -> str:
    """Return `language` when there are words in it, else English."""
    return language if language in LANGUAGES else SOURCE


@cache
def translations(language: str) -> NullTranslations:
    """Return a language's words; those of English stand in the source."""
    if known(language) == SOURCE:
        return NullTranslations()
    with catalogue(language).open("rb") as file:
        read = read_po(file, locale=language, domain=DOMAIN)
    compiled = BytesIO()
    write_mo(compiled, read)
    compiled.seek(0)
    return GNUTranslations(compiled)


@cache
def locale(language: str) -> Locale:
    """Return how a language writes times."""
    return Locale.parse(_TIMES_AS_IN.get(known(language), known(language)))
