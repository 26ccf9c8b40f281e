"""G.711 A-law, tones and small wav files. Audio here is 8 kHz mono: numpy float64 in -1 … 1."""

import wave
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

RATE_HZ = 8_000
FRAME = 160  # samples in 20 ms
Audio: TypeAlias = npt.NDArray[np.float64]


def _expanded() -> npt.NDArray[np.int32]:
    """The 256 values of A-law as 16-bit samples (ITU-T G.711, table 1a: 13 bits, left-justified)."""
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = np.where(exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int32)


_EXPANDED = _expanded()
# Encoding by look-up: for every 16-bit sample the A-law code whose value is nearest.
_ORDER = np.argsort(_EXPANDED, kind="stable")
_SORTED = _EXPANDED[_ORDER]
_COMPRESSED = _ORDER[np.searchsorted((_SORTED[:-1] + _SORTED[1:]) / 2, np.arange(-32768, 32768), side="right")].astype(
    np.uint8
)
SILENCE = bytes([int(_COMPRESSED[32768])]) * FRAME


def from_alaw(data: bytes) -> Audio:
    """Decodes A-law."""
    return _EXPANDED[np.frombuffer(data, dtype=np.uint8)] / 32768.0


def to_alaw(audio: Audio) -> bytes:
    """Encodes as A-law; what is above full scale is clipped."""
    samples = np.clip(np.rint(audio * 32768.0), -32768, 32767).astype(np.int32)
    return _COMPRESSED[samples + 32768].tobytes()


def tone(hz: float, seconds: float = 1.0, level_dbfs: float = -12.0) -> Audio:
    """A sine of this frequency, duration and peak level. Loops without a click when hz * seconds is whole."""
    n = round(seconds * RATE_HZ)
    made: Audio = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * hz * np.arange(n) / RATE_HZ)
    return made


def spoken(seed: int, seconds: float = 2.0, level_dbfs: float = -9.0) -> Audio:
    """Something like speech: band-limited noise in syllables, loud at once, different for each seed."""
    random = np.random.default_rng(seed)
    n = round(seconds * RATE_HZ)
    spectrum = np.fft.rfft(random.standard_normal(n))
    frequency = np.fft.rfftfreq(n, 1 / RATE_HZ)
    spectrum[(frequency < 300) | (frequency > 3000)] = 0
    noise = np.fft.irfft(spectrum, n)
    syllables = np.repeat(random.uniform(0.4, 1.0, n // 1200 + 1), 1200)[:n]
    made: Audio = noise * syllables
    return made * (10 ** (level_dbfs / 20) / float(np.max(np.abs(made))))


def write_wav(path: Path, audio: Audio) -> None:
    """Writes 16-bit mono at 8 kHz: what Asterisk plays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.clip(np.rint(audio * 32768), -32768, 32767).astype("<i2").tobytes())


def read_wav(path: Path) -> Audio:
    """Reads a 16-bit mono wav of 8 kHz.

    Raises:
        ValueError: it is of another kind.
    """
    with wave.open(str(path), "rb") as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, RATE_HZ):
            raise ValueError(f"{path}: not 16-bit mono at 8 kHz")
        made: Audio = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2") / 32768.0
        return made
