"""Which file is played for a prompt."""

import os
from pathlib import Path

import numpy as np
import pytest

from adapters.prompts.errors import PromptFileError, PromptMissingError, PromptNameError
from adapters.prompts.header import RATE_HZ
from adapters.prompts.library import PromptLibrary
from adapters.prompts.wav import Samples, encode, write_atomically


def hum(duration_s: float) -> Samples:
    tone: Samples = 0.1 * np.sin(2 * np.pi * 300 * np.arange(round(duration_s * RATE_HZ)) / RATE_HZ)
    return tone


def test_placeholder_without_a_folder_of_the_site() -> None:
    """A fresh installation speaks, and says that it is a machine's voice."""
    found = PromptLibrary(None).find("warning", "da")
    assert found.is_placeholder
    assert found.path.parts[-3:] == ("placeholders", "da", "warning.wav")
    assert found.duration_s == pytest.approx((found.path.stat().st_size - 44) / 16000)


def test_own_recording_wins_for_its_language_only(tmp_path: Path) -> None:
    """The site's Danish warning is used; its Swedish one is still the placeholder."""
    write_atomically(tmp_path / "da" / "warning.wav", hum(1.25))
    library = PromptLibrary(tmp_path)
    own = library.find("warning", "da")
    assert (own.path, own.duration_s, own.is_placeholder) == (tmp_path / "da" / "warning.wav", 1.25, False)
    assert library.find("warning", "sv").is_placeholder


def test_new_recording_is_used_from_the_next_look_up_on(tmp_path: Path) -> None:
    """Nobody has to restart the service to get a new warning heard."""
    library = PromptLibrary(tmp_path / "not-there-yet")
    assert library.find("closing", "fi").is_placeholder
    write_atomically(tmp_path / "not-there-yet" / "fi" / "closing.wav", hum(2.0))
    assert library.find("closing", "fi").duration_s == 2.0


def test_languages_are_those_with_a_prompt(tmp_path: Path) -> None:
    """The site's own languages join ours; an empty folder, a stray one and the tones are no languages."""
    write_atomically(tmp_path / "se" / "warning.wav", hum(1))
    write_atomically(tmp_path / "tones" / "tone-refused.wav", hum(0.2))
    write_atomically(tmp_path / "Old Files" / "warning.wav", hum(1))
    (tmp_path / "de").mkdir()
    assert PromptLibrary(tmp_path).languages == ("da", "en", "fi", "nb", "se", "sv")


def test_missing_prompt_names_the_places_and_the_remedy(tmp_path: Path) -> None:
    """The error tells an admin what was looked for, where, and the command that mends it."""
    with pytest.raises(PromptMissingError, match="bagvagt prompts import FILE --name office --language da") as caught:
        PromptLibrary(tmp_path).find("office", "da")
    assert (caught.value.name, caught.value.language) == ("office", "da")
    assert caught.value.looked_in[0] == tmp_path / "da" / "office.wav"
    assert caught.value.looked_in[1].parts[-3:] == ("placeholders", "da", "office.wav")


def test_missing_lists_each_pair_once(tmp_path: Path) -> None:
    """Only what nobody has is listed, in the order asked."""
    write_atomically(tmp_path / "de" / "warning.wav", hum(1))
    problems = PromptLibrary(tmp_path).problems(["warning", "office"], iter(["de", "da"]))
    missing = [(p.name, p.language) for p in problems if isinstance(p, PromptMissingError)]
    assert missing == [("office", "de"), ("office", "da")]
    assert len(problems) == len(missing)


def test_problems_reports_damaged_and_missing_together(tmp_path: Path) -> None:
    """A check before going live finds both kinds, and does not call a damaged prompt missing."""
    (tmp_path / "da").mkdir()
    (tmp_path / "da" / "warning.wav").write_bytes(b"")
    library = PromptLibrary(tmp_path)
    assert [type(error) for error in library.problems(["warning", "office"], ["da"])] == [
        PromptFileError,
        PromptMissingError,
    ]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../warning",
        "da/warning",
        "warning.wav",
        "Warning",
        "warning\n",
        "warning\0",
        "-warning",
        "wårning",
        "war ning",
        "/etc/passwd",
        "..\\warning",
        "w" * 65,
    ],
)
def test_names_that_could_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    """No name reaches a file outside the prompt folders, though one lies in wait there."""
    write_atomically(tmp_path / "warning.wav", hum(1))
    library = PromptLibrary(tmp_path / "own")
    with pytest.raises(PromptNameError):
        library.find(name, "da")
    with pytest.raises(PromptNameError):
        library.find_tone(name)
    with pytest.raises(PromptNameError):
        library.problems([name], ["da"])


@pytest.mark.parametrize("language", ["", "..", ".", "../own", "da/..", "DA", "da\n", "tones", "d", "da-", "/"])
def test_languages_that_could_leave_the_folder_are_refused(tmp_path: Path, language: str) -> None:
    """As for names; and the tones' folder is not a language."""
    write_atomically(tmp_path / "tones" / "warning.wav", hum(1))
    with pytest.raises(PromptNameError):
        PromptLibrary(tmp_path).find("warning", language)


CD_QUALITY = encode(hum(1))[:24] + (44100).to_bytes(4, "little") + encode(hum(1))[28:]
ENDLESS = encode(hum(1))[:40] + b"\xff\xff\xff\x7f" + encode(hum(1))[44:]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty or cut short"),
        (b"RIFF", "empty or cut short"),
        (b"ID3 not a wav file at all, but quite long", "cannot be read as a WAV"),
        (CD_QUALITY, "44100 Hz"),
        (encode(hum(1))[:-2000], "cut short"),
        (ENDLESS, "cut short"),
        (encode(hum(0)), "no sound"),
    ],
    ids=["empty", "stub", "other", "cd-quality", "truncated", "endless", "no-sound"],
)
def test_damaged_recording_is_reported_never_passed_over(tmp_path: Path, content: bytes, says: str) -> None:
    """A file that a PBX could not play to its end is an error, though a placeholder would be there."""
    path = tmp_path / "da" / "warning.wav"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(PromptFileError, match=says) as caught:
        PromptLibrary(tmp_path).find("warning", "da")
    assert caught.value.path == path
    assert "bagvagt prompts import" in str(caught.value)


@pytest.mark.parametrize("kind", ["folder", "dangling"])
def test_what_is_no_file_is_reported(tmp_path: Path, kind: str) -> None:
    """A folder or a link to nowhere under a prompt's name is an error, not a crash."""
    path = tmp_path / "da" / "warning.wav"
    path.parent.mkdir()
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "gone.wav")
    with pytest.raises(PromptFileError, match="cannot be read"):
        PromptLibrary(tmp_path).find("warning", "da")


def test_site_may_have_its_own_tones(tmp_path: Path) -> None:
    """A tone of the site's wins; one that nobody has is an error."""
    write_atomically(tmp_path / "tones" / "tone-refused.wav", hum(0.3))
    library = PromptLibrary(tmp_path)
    assert library.find_tone("tone-refused").path == tmp_path / "tones" / "tone-refused.wav"
    assert library.find_tone("tone-accepted").path.parts[-2:] == ("tones", "tone-accepted.wav")
    with pytest.raises(PromptMissingError, match="tone-unknown"):
        library.find_tone("tone-unknown")


def test_written_prompt_is_readable_for_the_pbx_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Another user's PBX reads it; no temporary file stays."""
    path = tmp_path / "da" / "warning.wav"
    write_atomically(path, hum(1))
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(path.parent) == ["warning.wav"]  # noqa: PTH208 - hidden files count, and names are enough
