"""What a policy file names and needs: secrets, tokens, prompts, people's numbers; and a file that is none."""

import os
from pathlib import Path

import pytest

from telephony.errors import Mistake
from telephony.settings import check, load
from tests.telephony.site_folder import CHIEF, SMALL, changed, no_prompt_missing, site


def _only(path: Path) -> Mistake:
    (mistake,) = check(path, no_prompt_missing)
    return mistake


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[site]\nzone = Europe\n", 2, "this is not TOML in column 8: invalid value"),
        ("[site]\nzone = 'x'\nzone = 'y'\n", 3, "this is not TOML in column 11: cannot overwrite a value"),
        ("[site]\nname = [1\n\n", 2, "this is not TOML at its end: unclosed array"),
        ("a = 2027-02-31\n", 1, "this is not TOML in column 5: invalid date"),
        ("a = " + "[" * 100_000, None, "cannot be read as TOML"),
        ("a = " + "1" * 5000, None, "cannot be read as TOML"),
    ],
)
def test_a_syntax_error_has_its_line(text: str, line: int | None, words: str, tmp_path: Path) -> None:
    """What is no TOML at all is one mistake, at the line where the parser stopped."""
    mistake = _only(site(tmp_path, text))
    assert (mistake.key, mistake.line) == ("", line)
    assert words in mistake.message


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    """Missing, a folder, not UTF-8, absurdly large, an impossible name: each is said, none is a crash."""
    assert "there is no such file" in _only(tmp_path / "nothing.toml").message
    assert "cannot be read" in _only(tmp_path).message
    assert "cannot be read" in _only(tmp_path / "a\0b").message
    path = tmp_path / "bagvagt.toml"
    path.write_bytes(b"[site]\nname = 'x'\n# \xe6\n")
    assert (_only(path).line, _only(path).message) == (3, "this line is not UTF-8")
    path.write_bytes(b"#" * 1_000_001)
    assert "larger than a policy" in _only(path).message


def test_a_file_from_notepad_is_read(tmp_path: Path) -> None:
    """A byte order mark and CRLF are no mistakes, and lines stay right."""
    path = site(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load(path).line_near("site.zone") == 2


@pytest.mark.parametrize(
    ("name", "mode", "content", "words"),
    [
        ("ami", 0o604, "s3cret", "can be read or changed by others"),
        ("ami", 0o660, "s3cret", "can be read or changed by others"),
        ("ami", 0o600, " \n", "is empty"),
        ("ami", 0o600, "a\nb", "more than one line"),
        ("ami", 0o600, "a\x00b", "more than one line, or control characters"),
        ("ami", 0o600, None, "there is no file secrets/ami"),
    ],
)
def test_a_secret_file_is_looked_at(name: str, mode: int, content: str | None, words: str, tmp_path: Path) -> None:
    """A secret that others can read, that is empty, missing, or no single line keeps the policy from loading."""
    path = site(tmp_path)
    secret = tmp_path / "secrets" / name
    secret.unlink()
    if content is not None:
        secret.write_text(content)
        os.chmod(secret, mode)  # noqa: PTH101 -- beside `write_text`, plainly
    mistake = _only(path)
    assert mistake.key == "pbx.ami_secret_file"
    assert words in mistake.message
    assert "s3cret" not in mistake.message


def test_a_secret_may_be_readable_by_its_group(tmp_path: Path) -> None:
    """root:bagvagt with mode 640 is how packages install secrets."""
    path = site(tmp_path)
    (tmp_path / "secrets" / "ami").chmod(0o640)
    assert check(path, no_prompt_missing) == ()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("112", "emergency or public service number"),
        ("+46112", "short number"),
        ("1177", "emergency or public service number"),
        ("+461177", "short number"),
        ("113", "emergency or public service number"),
        ("anonymous", "is not a phone number"),
        ("", None),
        ("+45 20 30 40 50", None),
        ("20304050", None),
        ("+47 406 00 000", None),
        ("+4512", "short number"),
        ("+999123456789", "is not a phone number"),
        ("+45203040501234", "not a number that is in use"),
        ("call me", "is not a phone number"),
        ("٢٠٣٠٤٠٥٠", "is not a phone number"),
    ],
)
def test_phone_numbers_of_people(number: str, words: str | None, tmp_path: Path) -> None:
    """Nobody's page goes to 112, a service number, or what is no number; a local number takes the country's code."""
    text = changed(SMALL, "people.anna", f'mqtt = "anna"\nsms = "{number}"')
    text = changed(text, "sms", 'apprise_url_file = "secrets/apprise"\nanswer_at = "the desk"')
    found = check(site(tmp_path, text))
    if words is None:
        assert found == ()
        return
    (mistake,) = found
    assert mistake.key == "people.anna.sms"
    assert words in mistake.message


def test_a_prompt_that_is_missing_in_a_used_language(tmp_path: Path) -> None:
    """Each prompt that may be played is asked for in every language that is used, and a gap stands at its key."""
    asked: list[tuple[Path | None, list[str], list[str]]] = []

    def missing(folder: Path | None, names: object, languages: object) -> list[tuple[str, str]]:
        asked.append((folder, list(names), list(languages)))  # type: ignore[call-overload]
        return [("closing", "en"), ("brief-takeover-warned", "da")]

    text = changed(SMALL, "queues.Int_1", 'language = "en"')
    text = changed(text, "handoff.chief", CHIEF.replace("}", ", confirm = true}"))
    text = changed(text, "prompts", 'languages = ["fi"]\nfolder = "secrets"')
    found = check(site(tmp_path, text), missing)
    assert asked == [
        (
            tmp_path / "secrets",
            ["warning", "closing", "brief-takeover", "brief-takeover-warned", "brief-chief", "brief-confirm"],
            ["da", "fi", "en"],
        )
    ]
    assert {(m.key, m.severity) for m in found} == {
        ("kinds.abuse.closing", "error"),
        ("handoff.colleague.brief", "error"),
    }
    assert all("bagvagt prompts import" in m.remedy for m in found)


HASH = "0" * 64


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (f'[[tokens]]\nname = "a"\nkind = "agent"\nagent = "x"\nsha256 = "{HASH}"\n', None),
        ("", None),
        ("[[tokens]\n", "secrets/tokens.toml, line 1: this is not TOML"),
        (f'[[tokens]]\nname = "a"\nkind = "agent"\nsha256 = "{HASH}"', "line 1, tokens[0].agent: a token of kind"),
        ('[[tokens]]\nname = "a"\nkind = "agent"\nagent = "x"\nsha256 = "s3cret"', "line 5, tokens[0].sha256: is not"),
        (f'[[tokens]]\nname = "a"\nkind = "person"\nperson = "cleo"\nsha256 = "{HASH}"', 'is for "cleo", who is not'),
        (
            (
                f'[[tokens]]\nname = "a"\nkind = "agent"\nagent = "x"\nsha256 = "{HASH}"\n'
                f'[[tokens]]\nname = "b"\nkind = "action_url"\nagent = "y"\nsha256 = "{HASH}"\n'
            ),
            "line 10, tokens[1].sha256: the same sha256 as token a",
        ),
    ],
)
def test_the_tokens_file(tokens: str, words: str | None, tmp_path: Path) -> None:
    """A mistake in the tokens file names that file and its line, and never shows a token."""
    path = site(tmp_path, changed(SMALL, "http", 'tokens_file = "secrets/tokens.toml"'))
    (tmp_path / "secrets" / "tokens.toml").write_text(tokens)
    if words is None:
        assert len(load(path).origin.tokens) == tokens.count("[[tokens]]")
        return
    mistake = _only(path)
    assert mistake.key == "http.tokens_file"
    assert words in mistake.message
    assert "s3cret" not in mistake.message
