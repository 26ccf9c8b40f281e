"""Five languages, complete: what is said in English is said in each of the others, with the same placeholders."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Message

import adapters.panel.i18n
from adapters.panel.i18n import LANGUAGES, SOURCE, catalogue, known, locale, translations
from policies.reasons import SENTENCES

ROOT = Path(adapters.panel.i18n.__file__).parents[2]
SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / "scripts" / "translations"))
problems: Callable[[str], list[str]] = SCRIPT["problems"]
wrong: Callable[[Message], list[str]] = SCRIPT["wrong"]
OTHERS = sorted(set(LANGUAGES) - {SOURCE})


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_missing_fuzzy_unused_or_has_other_placeholders(language: str) -> None:
    """The templates and the core's sentences are extracted anew, and held against the catalogue."""
    assert problems(language) == []


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (Message("Open", "Åbn"), []),
        (Message("Open", ""), ["has no translation"]),
        (Message("Open", "Åbn", flags=["fuzzy"]), ["is fuzzy"]),
        (Message("%(who)s has it", "%(hvem)s har den"), ["has other placeholders"]),
        (Message("in {seconds} s", "om lidt"), ["has other placeholders"]),
        (Message(("%(num)d call", "%(num)d calls"), ("%(num)d samtale", "")), ["has no translation"]),
        (Message(("%(num)d call", "%(num)d calls"), ("%(num)d samtale", "samtaler")), ["has other placeholders"]),
    ],
)
def test_the_check_finds_what_is_wrong(message: Message, what: list[str]) -> None:
    """Each kind of mistake, and none where there is none."""
    assert wrong(message) == what


def test_what_is_no_longer_said_and_what_is_new_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue that was not kept up is named, message by message."""
    text = catalogue("da").read_text(encoding="utf-8").replace('msgid "Help"\n', 'msgid "Hilfe"\n')
    file = tmp_path / "da" / "LC_MESSAGES" / "bagvagt.po"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(adapters.panel.i18n, "LOCALES", tmp_path)
    found = problems("da")
    assert any("'Help' is missing" in text for text in found)
    assert any("'Hilfe' is said nowhere" in text for text in found)


@pytest.mark.parametrize("language", OTHERS)
def test_the_cores_sentences_are_said_in_each_language(language: str) -> None:
    """Compiled in memory, from the file that is committed."""
    words = translations(language)
    assert all(words.gettext(sentence) != sentence for sentence in SENTENCES.values())


def test_one_and_many() -> None:
    """The plural is the language's own."""
    fi = translations("fi")
    said = [fi.ngettext("%(num)d warning heard", "%(num)d warnings heard", n) for n in (1, 2)]
    assert said == ["%(num)d varoitus kuultu", "%(num)d varoitusta kuultu"]


@pytest.mark.parametrize(("given", "language"), [("fi", "fi"), ("en", "en"), ("de", "en"), ("", "en"), ("../x", "en")])
def test_a_language_without_words_is_english(given: str, language: str) -> None:
    """Whatever an account or a browser says, no file is looked for by it."""
    assert known(given) == language
    assert translations(given) is translations(given)
    assert locale(given).language == language
