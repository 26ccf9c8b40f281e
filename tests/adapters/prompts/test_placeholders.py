"""The prompts and tones that come with Bagvagt, read from the files as they are shipped."""

import tomllib
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from adapters.paging.voice_call import announcement
from adapters.prompts import library
from adapters.prompts.header import RATE_HZ
from adapters.prompts.levels import active_dbfs, peak_dbfs, speech_bounds, to_db
from adapters.prompts.library import PromptLibrary
from adapters.prompts.tones import TONES, render
from adapters.prompts.wav import Samples, read_samples
from policies.rules import Severity
from telephony.settings.reach import PAGE_PROMPTS

PROMPTS = Path(library.__file__).parent
LANGUAGES = ("da", "en", "fi", "nb", "sv")
LONGEST_S = {
    "warning": 6.2,
    "closing": 7.0,
    "brief-takeover": 4.5,
    "brief-takeover-warned": 4.5,
    "brief-chief": 4.5,
    "brief-confirm": 2.5,
    "break-over": 3.5,
    "page-acute": 3.0,
    "page-urgent": 3.2,
    "page-normal": 3.0,
    "page-drill": 3.0,
    "page-test": 3.5,
    "page-watch": 3.5,
    "page-keys": 4.5,
    "page-taken": 2.5,
    "page-passed": 3.0,
    "page-has-somebody": 4.0,
}
EVERY = [(name, language) for name in LONGEST_S for language in LANGUAGES]
REASONS = ("call", "no_call", "drill", "test", "watch")
AUDIBLE = sorted(set(TONES) - {"tone-pause"})
SHIPPED = PromptLibrary(None)


def texts() -> dict[str, dict[str, str]]:
    with (PROMPTS / "texts.toml").open("rb") as file:
        return tomllib.load(file)


def pulses_ms(samples: Samples) -> list[int]:
    """How long each pulse of a tone lasts, found by listening: runs of loud 5 ms frames."""
    powers = np.mean(samples[: samples.size // 40 * 40].reshape(-1, 40) ** 2, axis=1)
    loud = np.concatenate(([False], powers > 10**-3, [False]))
    edges = np.flatnonzero(np.diff(loud.astype(np.int8)))
    return [5 * int(end - start) for start, end in edges.reshape(-1, 2)]


def test_all_five_languages_are_there_and_nothing_else() -> None:
    """Every text has its file in all five languages, and no file is left over from a text that is gone."""
    expected = {f"{language}/{name}.wav" for name, language in EVERY}
    folder = PROMPTS / "placeholders"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == expected
    assert {(name, language) for name, by_language in texts().items() for language in by_language} == set(EVERY)
    assert SHIPPED.languages == LANGUAGES
    assert SHIPPED.problems(LONGEST_S, LANGUAGES) == ()


def test_no_two_texts_are_the_same() -> None:
    """A text pasted into the wrong language or prompt would be spoken as it stands."""
    spoken = [text for by_language in texts().values() for text in by_language.values()]
    assert len(set(spoken)) == len(spoken)


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_format_is_what_every_pbx_plays(name: str, language: str) -> None:
    """8 kHz, mono, 16-bit PCM, with the plain header: the sound begins at byte 44."""
    path = SHIPPED.find(name, language).path
    with wave.open(str(path), "rb") as file:
        assert file.getparams()[:3] == (1, 2, 8000)
        frames = file.getnframes()
    assert path.stat().st_size == 44 + 2 * frames
    assert path.read_bytes()[36:40] == b"data"


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_duration_is_short(name: str, language: str) -> None:
    """Nobody waits long for a prompt; a frightened agent least of all."""
    assert 1.0 <= SHIPPED.find(name, language).duration_s <= LONGEST_S[name]


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_sound_begins_at_once(name: str, language: str) -> None:
    """Something is heard within 40 ms, and what callers hear is well audible by then: silence is latency."""
    samples = read_samples(SHIPPED.find(name, language).path)
    floor_dbfs = -36 if name in {"warning", "closing"} else -46  # a brief may begin with a soft s or t
    assert to_db(float(np.mean(samples[:320] ** 2))) > floor_dbfs


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_level_peak_and_tail(name: str, language: str) -> None:
    """All prompts are equally loud, none is overdriven, and none keeps a call waiting at its end."""
    samples = read_samples(SHIPPED.find(name, language).path)
    assert active_dbfs(samples) == pytest.approx(-20, abs=0.3)
    assert peak_dbfs(samples) <= -3
    assert abs(np.mean(samples)) < 0.001
    _, end = speech_bounds(samples)
    assert samples.size - end <= 0.1 * RATE_HZ


def test_the_shipped_sound_stays_small() -> None:
    """The distribution carries less than 4.5 MB of sound."""
    assert sum(path.stat().st_size for path in PROMPTS.rglob("*.wav")) < 4_500_000


@pytest.mark.parametrize("name", TONES)
def test_tone_files_are_what_the_recipe_makes(name: str) -> None:
    """A changed recipe without new files would go unheard; rounding may differ by one step."""
    shipped = read_samples(SHIPPED.find_tone(name).path)
    assert np.max(np.abs(shipped - render(TONES[name]))) <= 1.5 / 32768


def test_the_pause_is_a_second_of_nothing() -> None:
    """What stands between two announcements is silence, and no longer than a breath."""
    pause = SHIPPED.find_tone("tone-pause")
    assert pause.duration_s == 1.0
    assert not np.any(read_samples(pause.path))


def test_every_prompt_of_a_page_call_is_shipped() -> None:
    """Whatever a call about a page may say can be said in all five languages."""
    assert SHIPPED.problems(PAGE_PROMPTS, LANGUAGES) == ()
    assert {announcement(reason, severity) for reason in REASONS for severity in Severity} < set(PAGE_PROMPTS)


@pytest.mark.parametrize("name", AUDIBLE)
def test_tone_is_short_loud_and_marked_as_final(name: str) -> None:
    """A tone is over within 400 ms, audible at once, no louder than speech, and no placeholder."""
    tone = SHIPPED.find_tone(name)
    samples = read_samples(tone.path)
    assert tone.duration_s <= 0.4
    assert not tone.is_placeholder
    assert to_db(float(np.mean(samples[:320] ** 2))) > -24
    assert peak_dbfs(samples) <= -3


def test_tones_are_told_apart_by_rhythm() -> None:
    """Two pulses, one long one, four short ones: as heard, not as written in the recipe."""
    heard = {name: pulses_ms(read_samples(SHIPPED.find_tone(name).path)) for name in AUDIBLE}
    assert {name: len(pulses) for name, pulses in heard.items()} == {
        "tone-accepted": 2,
        "tone-refused": 1,
        "tone-not-yet": 4,
    }
    longest_first = sorted((max(pulses) for pulses in heard.values()), reverse=True)
    assert all(longer >= 1.25 * shorter for longer, shorter in pairwise(longest_first)), heard
