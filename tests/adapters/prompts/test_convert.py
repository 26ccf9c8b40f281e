"""Recordings as people bring them, made into prompts."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from adapters.prompts.convert import Imported, import_prompt
from adapters.prompts.errors import PromptImportError, PromptNameError
from adapters.prompts.header import RATE_HZ
from adapters.prompts.levels import active_dbfs, level, peak_dbfs, to_db
from adapters.prompts.library import PromptLibrary
from adapters.prompts.wav import Samples, read_samples, write_atomically

CD_HZ = 44100


def voice(duration_s: float = 2.0, rate_hz: int = CD_HZ, rms_dbfs: float = -20) -> Samples:
    """Something like speech: a buzz with overtones, in syllables of 200 ms with 60 ms between them."""
    times_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    buzz = sum(np.sin(2 * np.pi * 140 * k * times_s + k) / k for k in range(1, 20))
    sound = np.asarray(buzz) * (np.mod(times_s, 0.26) < 0.2)
    loud = sound[sound != 0]
    scaled: Samples = sound / np.sqrt(np.mean(loud**2)) * 10 ** (rms_dbfs / 20)
    return scaled


def quiet(duration_s: float, rate_hz: int = CD_HZ) -> Samples:
    return np.zeros(round(duration_s * rate_hz))


def bring(
    tmp_path: Path,
    sound: NDArray[np.float64],
    rate_hz: int = CD_HZ,
    kind: str = "wav",
    subtype: str | None = None,
) -> Imported:
    """Save a sound as a person would, and import it as the Danish warning."""
    source = tmp_path / f"recording.{kind}"
    soundfile.write(source, sound, rate_hz, subtype=subtype)
    return import_prompt(source, "warning", "da", tmp_path / "prompts")


def lead_in_ms(samples: Samples) -> float:
    """How long it takes until a sample is louder than -40 dBFS."""
    return float(np.flatnonzero(np.abs(samples) > 0.01)[0]) / RATE_HZ * 1000


def assert_prompt(made: Imported, duration_s: float) -> Samples:
    """It is found as the site's own, at its level, begins at once, lasts as long as the voice."""
    found = PromptLibrary(made.path.parent.parent).find("warning", "da")
    assert (found.path, found.duration_s, found.is_placeholder) == (made.path, made.duration_s, False)
    samples = read_samples(made.path)
    assert active_dbfs(samples) == pytest.approx(-20, abs=0.3)
    assert peak_dbfs(samples) <= -3
    assert lead_in_ms(samples) <= 15
    assert duration_s - 0.03 <= made.duration_s <= duration_s + 0.1
    return samples


def test_stereo_cd_recording_with_silence_around_it(tmp_path: Path) -> None:
    """44.1 kHz stereo, 1.5 s in front, 2 s behind: only the voice stays, and the cut is told."""
    mono = np.concatenate([quiet(1.5), voice(2.0), quiet(2.0)])
    made = bring(tmp_path, np.column_stack([mono, mono]))
    assert_prompt(made, 2.0)
    assert made.trimmed_s == pytest.approx(3.44, abs=0.05)
    assert made.gain_db == pytest.approx(0, abs=1)
    assert made.warnings == ()


@pytest.mark.parametrize(("kind", "subtype"), [("flac", None), ("ogg", "VORBIS"), ("mp3", None), ("aiff", None)])
def test_compressed_and_other_files(tmp_path: Path, kind: str, subtype: str | None) -> None:
    """What a phone, a studio or a recorder saves is taken."""
    assert_prompt(bring(tmp_path, np.concatenate([quiet(0.5), voice()]), kind=kind, subtype=subtype), 2.0)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 48000, 96000])
def test_any_rate_keeps_pitch_and_length(tmp_path: Path, rate_hz: int) -> None:
    """The voice's pitch, 140 Hz, is the same afterwards: nothing is played too fast or too slow."""
    made = bring(tmp_path, voice(3.0, rate_hz), rate_hz)
    samples = assert_prompt(made, 3.0)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    assert np.argmax(spectrum) * RATE_HZ / samples.size == pytest.approx(140, abs=1)


def test_nothing_above_the_telephone_band_is_folded_into_it(tmp_path: Path) -> None:
    """A whistle at 6 kHz, which 8 kHz cannot carry, is not heard at 2 kHz instead."""
    sound = voice()
    sound = sound + 0.3 * np.sin(2 * np.pi * 6000 * np.arange(sound.size) / CD_HZ)
    samples = read_samples(bring(tmp_path, sound, subtype="FLOAT").path)
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    at_hz = np.fft.rfftfreq(samples.size, 1 / RATE_HZ)
    # 2,030 Hz is the middle between two overtones of the voice; the whistle would fold to exactly 2,000.
    folded = spectrum[(at_hz > 1995) & (at_hz < 2005)].max()
    assert to_db(folded / spectrum.max()) < -40


def test_quiet_recording_is_raised_and_reported(tmp_path: Path) -> None:
    """-50 dBFS comes out as loud as all others; the person is told to move closer."""
    made = bring(tmp_path, voice(rms_dbfs=-50), subtype="PCM_24")
    assert_prompt(made, 2.0)
    assert made.gain_db == pytest.approx(30, abs=1)
    assert any("very quiet" in warning for warning in made.warnings)


def test_overdriven_recording_is_lowered_and_reported(tmp_path: Path) -> None:
    """A recording that hits the ceiling is made usable, and the person is told to record again."""
    made = bring(tmp_path, np.clip(voice(rms_dbfs=-2), -1, 1))
    assert_prompt(made, 2.0)
    assert made.gain_db < -10
    assert any("overdriven" in warning for warning in made.warnings)


def test_knocks_are_limited_and_the_voice_keeps_its_level(tmp_path: Path) -> None:
    """A knock 20 dB above the voice is pressed under -3 dBFS without taking the voice down."""
    sound = voice(rms_dbfs=-30)
    for at_s in (0.55, 1.1):
        start = int(at_s * CD_HZ)
        sound[start : start + 60] = 0.9 * np.hanning(60)
    made = bring(tmp_path, sound)
    samples = assert_prompt(made, 2.0)
    assert any("Single peaks" in warning for warning in made.warnings)
    assert active_dbfs(samples[12000:]) == pytest.approx(-20, abs=1)


def test_limiter_stays_away_where_plain_gain_is_enough() -> None:
    """A voice with modest peaks is only multiplied: its shape is untouched."""
    sound = voice(rate_hz=RATE_HZ, rms_dbfs=-33)
    levelled = level(sound)
    assert levelled.limited_db == 0
    assert np.allclose(levelled.samples, sound * 10 ** (levelled.gain_db / 20))


def test_constant_offset_is_removed_and_not_taken_for_sound(tmp_path: Path) -> None:
    """A cheap sound card's offset neither stays, nor hides the silence in front."""
    made = bring(tmp_path, np.concatenate([quiet(1.0), voice(2.0, rms_dbfs=-25)]) + 0.2)
    samples = assert_prompt(made, 2.0)
    assert abs(np.mean(samples)) < 0.001


def test_rumble_is_removed_and_not_taken_for_the_voice(tmp_path: Path) -> None:
    """A ventilator's 30 Hz, as loud as the voice, neither stays nor sets the level."""
    sound = np.concatenate([quiet(1.0), voice(2.0)])
    rumble = 0.14 * np.sin(2 * np.pi * 30 * np.arange(sound.size) / CD_HZ)
    samples = read_samples(bring(tmp_path, sound + rumble).path)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size))) ** 2
    at_hz = np.fft.rfftfreq(samples.size, 1 / RATE_HZ)
    assert to_db(spectrum[(at_hz > 25) & (at_hz < 35)].max() / spectrum.max()) < -25
    assert active_dbfs(samples) == pytest.approx(-20, abs=0.3)


def test_background_noise_in_front_is_trimmed(tmp_path: Path) -> None:
    """Silence is relative: a humming office 22 dB below the voice is cut off all the same."""
    rng = np.random.default_rng(7)
    sound = np.concatenate([quiet(1.0), voice(2.0), quiet(1.0)])
    # Noise of -35 dBFS up to 22 kHz leaves -42 dBFS below 4 kHz.
    made = bring(tmp_path, sound + rng.normal(0, 10 ** (-35 / 20), sound.size))
    assert made.trimmed_s == pytest.approx(1.94, abs=0.1)
    assert any("noise in the background" in warning for warning in made.warnings)


def test_mouse_click_before_the_voice_is_cut_off(tmp_path: Path) -> None:
    """The click that started the recorder is not where the prompt begins."""
    sound = np.concatenate([quiet(1.0), voice(2.0)])
    sound[4410:4510] = 0.2
    assert_prompt(bring(tmp_path, sound), 2.0)


def test_pauses_inside_stay(tmp_path: Path) -> None:
    """A pause between two sentences is part of what is said."""
    made = bring(tmp_path, np.concatenate([voice(1.0), quiet(0.8), voice(1.0)]))
    assert_prompt(made, 2.8)


def test_channels_that_cancel_each_other_are_not_mixed(tmp_path: Path) -> None:
    """A microphone wired the wrong way round in one channel would mix to silence."""
    mono = voice()
    made = bring(tmp_path, np.column_stack([mono, -mono]))
    assert_prompt(made, 2.0)
    assert any("cancel" in warning for warning in made.warnings)


def test_voice_in_one_channel_only(tmp_path: Path) -> None:
    """One microphone in a stereo or a six-channel file comes out at the same level, without a complaint."""
    silent = np.zeros(voice().size)
    for others in (1, 5):
        made = bring(tmp_path, np.column_stack([*[silent] * others, voice()]))
        assert_prompt(made, 2.0)
        assert made.warnings == ()


def test_low_rate_is_reported(tmp_path: Path) -> None:
    """A 6 kHz recording is taken with a remark."""
    made = bring(tmp_path, voice(rate_hz=6000), 6000)
    assert_prompt(made, 2.0)
    assert any("muffled" in warning for warning in made.warnings)


@pytest.mark.parametrize(
    ("sound", "says"),
    [
        (quiet(0), "shorter than 0.5 s"),
        (voice(0.4), "lasts 0.40 s, shorter than 0.5 s"),
        (np.concatenate([quiet(1), voice(0.2), quiet(1)]), "of sound between silences, shorter than 0.5 s"),
        (voice(61, 8000), "lasts longer than 60 s"),
        (quiet(2), "only silence"),
        (np.full(2 * CD_HZ, 0.3), "only silence"),
        (np.full(2 * CD_HZ, np.nan), "not numbers"),
    ],
    ids=["no-frames", "short", "short-voice", "long", "silent", "offset-only", "nan"],
)
def test_unusable_recordings_are_refused_and_the_old_prompt_stays(tmp_path: Path, sound: Samples, says: str) -> None:
    """The error names the file and what is wrong; the prompt in use is not touched."""
    old = tmp_path / "prompts" / "da" / "warning.wav"
    write_atomically(old, voice(1.0, RATE_HZ))
    before = old.read_bytes()
    with pytest.raises(PromptImportError, match=says) as caught:
        bring(tmp_path, sound, 8000 if sound.size > 10 * CD_HZ else CD_HZ, subtype="FLOAT")
    assert str(tmp_path / "recording.wav") in str(caught.value)
    assert caught.value.remedy
    assert old.read_bytes() == before


@pytest.mark.parametrize(
    ("file_name", "content", "says"),
    [
        ("empty.wav", b"", "the file is empty"),
        ("letter.docx", b"PK\x03\x04 this is no sound" * 50, "not an audio file"),
        ("voice.m4a", b"\0\0\0\x20ftypM4A " + bytes(2000), "WAV, FLAC, OGG, MP3 or AIFF"),
        ("dump.raw", bytes(16000), "not an audio file"),
        ("missing.wav", None, "cannot be opened"),
    ],
)
def test_files_that_are_no_sound_are_refused(tmp_path: Path, file_name: str, content: bytes | None, says: str) -> None:
    """Each says what it is and what to do, and nothing is written."""
    source = tmp_path / file_name
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(PromptImportError, match=says) as caught:
        import_prompt(source, "warning", "da", tmp_path / "prompts")
    assert caught.value.source == source
    assert not (tmp_path / "prompts").exists()


def test_folder_given_as_a_recording(tmp_path: Path) -> None:
    """A folder is refused with a sentence, not a traceback."""
    with pytest.raises(PromptImportError):
        import_prompt(tmp_path, "warning", "da", tmp_path / "prompts")


def test_prompt_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file where the folder should be: the error says which path could not be written."""
    (tmp_path / "prompts").write_text("in the way")
    with pytest.raises(PromptImportError, match="could not be written") as caught:
        bring(tmp_path, voice())
    assert str(tmp_path / "prompts") in str(caught.value)


@pytest.mark.parametrize(("name", "language"), [("../../evil", "da"), ("warning", ".."), ("a/b", "da"), ("", "da")])
def test_names_are_checked_before_anything_is_read(tmp_path: Path, name: str, language: str) -> None:
    """No recording is written outside the prompt folder, whatever it shall be called."""
    with pytest.raises(PromptNameError):
        import_prompt(tmp_path / "missing.wav", name, language, tmp_path / "prompts")
    assert list(tmp_path.iterdir()) == []


def test_failed_write_keeps_the_old_prompt_and_no_leftovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full in the middle: callers go on hearing the old, whole prompt."""
    made = bring(tmp_path, voice())
    before = made.path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(PromptImportError, match="No space left"):
        bring(tmp_path, voice(3.0))
    assert made.path.read_bytes() == before
    assert [path.name for path in made.path.parent.iterdir()] == ["warning.wav"]


def test_long_file_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An evening's recording is refused by its header, not after a gigabyte has been read."""

    def read(*_args: object, **_options: object) -> None:
        pytest.fail("the sound was read")

    monkeypatch.setattr(soundfile.SoundFile, "read", read)
    with pytest.raises(PromptImportError, match="longer than 60 s"):
        bring(tmp_path, quiet(61, 8000), 8000)
