"""Make any recording into a prompt: 8 kHz mono, nothing in front, at one level for all prompts of a site."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from adapters.prompts.errors import PromptImportError
from adapters.prompts.header import RATE_HZ
from adapters.prompts.levels import (
    SILENCE_DBFS,
    Levelled,
    active_dbfs,
    level,
    noise_dbfs,
    remove_rumble,
    to_db,
    trim,
)
from adapters.prompts.library import check_language, check_name
from adapters.prompts.wav import Samples, write_atomically

MIN_S = 0.5
MAX_S = 60.0

_FORMATS = "WAV, FLAC, OGG, MP3 or AIFF"
_CLIPPED_SAMPLES = 20
_FULL_SCALE = 0.999
_CANCELLED_DB = 12.0
_STRONG_GAIN_DB = 20.0
_STRONG_LIMITING_DB = 6.0
_NOISY_DB = 25.0

_Channels = NDArray[np.float32]  # frames x channels


@dataclass(frozen=True, slots=True)
class Imported:
    """A prompt that was made from a recording.

    Attributes:
        path: The prompt's file.
        duration_s: How long it plays.
        gain_db: The gain that brought it to its level.
        trimmed_s: Silence that was cut, in front and behind together.
        warnings: What a person should know about the recording, in whole sentences; the prompt is usable.
    """

    path: Path
    duration_s: float
    gain_db: float
    trimmed_s: float
    warnings: tuple[str, ...]


def import_prompt(source: Path, name: str, language: str, folder: Path) -> Imported:
    """Convert a recording and put it in place as the site's own prompt, replacing an older one.

    Args:
        source: An audio file that libsndfile reads, of any rate and any number of channels, 0.5 to 60 s long.
        name: The prompt's name, for example `warning`.
        language: Its language, for example `da`.
        folder: The site's prompt folder; the prompt becomes `<folder>/<language>/<name>.wav`.

    Raises:
        PromptNameError: the name or the language could not be one.
        PromptImportError: the recording cannot be used, or the folder cannot be written; an old prompt stays.
    """
    check_name(name)
    check_language(language)
    channels, rate_hz = _read(source)
    mono, warnings = _to_mono(channels)
    if rate_hz < RATE_HZ:
        warnings.append(f"The recording has only {rate_hz} Hz and will sound muffled; record at 16 kHz or more.")
    centred = mono - np.mean(mono)  # an offset would become a knock at both ends of the resampled sound
    narrow = remove_rumble(soxr.resample(centred, rate_hz, RATE_HZ, quality="VHQ"))
    prompt, trimmed_s = _cut(source, narrow)
    levelled = level(prompt)
    warnings += _remarks(channels, narrow, levelled)
    path = folder / language / f"{name}.wav"
    try:
        write_atomically(path, levelled.samples)
    except OSError as error:
        raise PromptImportError(
            source,
            f"the prompt could not be written to {path} ({error.strerror})",
            "Make the folder writable for this user, or name another one",
        ) from error
    return Imported(
        path=path,
        duration_s=levelled.samples.size / RATE_HZ,
        gain_db=levelled.gain_db,
        trimmed_s=trimmed_s,
        warnings=tuple(warnings),
    )


def _read(source: Path) -> tuple[_Channels, int]:
    """The sound, frames by channels, and its rate in Hz."""
    try:
        if not source.stat().st_size:
            raise PromptImportError(source, "the file is empty", "Export or copy the recording again")
        with soundfile.SoundFile(source) as file:
            rate_hz: int = file.samplerate
            # Asked before reading, so that an evening's recording is refused without being held in memory.
            _check_length(source, file.frames / rate_hz)
            # One frame more than is allowed: a compressed file's header need not tell its length.
            sound = file.read(frames=int(MAX_S * rate_hz) + 1, dtype="float32", always_2d=True)
    except OSError as error:
        raise PromptImportError(
            source,
            f"cannot be opened ({error.strerror})",
            "Check the path, and that this user may read the file",
        ) from error
    # TypeError is soundfile's answer to a headerless .raw.
    except (soundfile.SoundFileError, TypeError) as error:
        raise PromptImportError(
            source,
            "is not an audio file that can be read here",
            f"Save the recording as {_FORMATS} and try again",
        ) from error
    _check_length(source, sound.shape[0] / rate_hz)
    if not np.all(np.isfinite(sound)):
        raise PromptImportError(
            source, "holds samples that are not numbers", "Export the recording again, as 16-bit WAV"
        )
    return sound, rate_hz


def _check_length(source: Path, length_s: float) -> None:
    if length_s < MIN_S:
        raise PromptImportError(
            source, f"lasts {length_s:.2f} s, shorter than {MIN_S} s", "Check that the recording is complete"
        )
    if length_s > MAX_S:
        raise PromptImportError(
            source, f"lasts longer than {MAX_S:.0f} s", "Cut it: a warning should be said in some six seconds"
        )


def _to_mono(channels: _Channels) -> tuple[Samples, list[str]]:
    """Mix all channels, unless they cancel each other, as a wrongly wired stereo microphone's do."""
    sound = channels.astype(np.float64)
    mixed: Samples = sound.mean(axis=1)
    powers = sound.var(axis=0)
    loudest = int(np.argmax(powers))
    alone_db = to_db(float(powers[loudest])) - 20 * np.log10(sound.shape[1])
    if to_db(float(mixed.var())) < alone_db - _CANCELLED_DB:
        return sound[:, loudest], [
            f"The channels cancel each other out; only channel {loudest + 1} was used. Listen to the result."
        ]
    return mixed, []


def _cut(source: Path, sound: Samples) -> tuple[Samples, float]:
    """The speech without the silence around it, and how many seconds were cut."""
    if active_dbfs(sound) <= SILENCE_DBFS:
        raise PromptImportError(source, "holds only silence", "Check the microphone and record again")
    speech = trim(sound)
    length_s = speech.size / RATE_HZ
    if length_s < MIN_S:
        raise PromptImportError(
            source,
            f"holds {length_s:.2f} s of sound between silences, shorter than {MIN_S} s",
            "Check that the recording is complete and that the voice is louder than the background",
        )
    return speech, (sound.size - speech.size) / RATE_HZ


def _remarks(channels: _Channels, whole: Samples, levelled: Levelled) -> list[str]:
    """What a listener would complain about, in whole sentences."""
    found = []
    clipped = int(np.count_nonzero(np.abs(channels) >= _FULL_SCALE))
    if clipped >= _CLIPPED_SAMPLES:
        found.append(f"The recording is overdriven ({clipped} samples at full scale); record it again, quieter.")
    if levelled.gain_db > _STRONG_GAIN_DB:
        found.append(f"The recording is very quiet and was raised by {levelled.gain_db:.0f} dB; move closer.")
    if levelled.limited_db > _STRONG_LIMITING_DB:
        found.append(
            f"Single peaks stand far above the voice and were pressed down by {levelled.limited_db:.0f} dB; "
            "listen for knocks."
        )
    above_noise_db = active_dbfs(whole) - noise_dbfs(whole)
    if above_noise_db < _NOISY_DB:
        found.append(
            f"The voice stands only {above_noise_db:.0f} dB above the quietest parts; "
            "listen for noise in the background."
        )
    return found
