"""How loud speech is, where it begins and ends, and how to bring it to a wanted level. Pure arithmetic.

Levels are in dBFS: 0 dB is a full-scale square wave, so that a level and a peak compare directly. The
*active* level counts the frames in which somebody speaks and leaves the pauses out, as ITU-T P.56 does: a
prompt with long pauses must not come out louder than one without.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from adapters.prompts.header import RATE_HZ
from adapters.prompts.wav import Samples

TARGET_DBFS = -20.0
PEAK_DBFS = -3.0
SILENCE_DBFS = -60.0  # below this nobody hears anything over a telephone

_FLOOR = 1e-12
_ACTIVE_MARGIN_DB = 15.9  # ITU-T P.56 (12/2011): what is further below the active level is not speech
_LEVEL_FRAME = RATE_HZ * 20 // 1000
_EDGE_FRAME = RATE_HZ * 5 // 1000
_EDGE_SPAN = 10  # frames, 50 ms; half of them must be loud, so that a mouse click is not taken for speech
_EDGE_MIN_DB, _EDGE_MAX_DB = 30.0, 16.0  # the edge lies between so many dB below the active level
_ABOVE_NOISE_DB = 8.0
_NOISE_PERCENTILE = 5
_TAIL = RATE_HZ * 60 // 1000  # a voice that dies away is not cut off
_FADE_IN = RATE_HZ * 2 // 1000
_FADE_OUT = RATE_HZ * 20 // 1000
_LIMITER_REACH = RATE_HZ * 5 // 1000
_LIMITER_ROUNDS = 8
_LEVEL_TOLERANCE_DB = 0.1
_HIGH_PASS_HZ = 80.0


@dataclass(frozen=True, slots=True)
class Levelled:
    """Speech at its wanted level.

    Attributes:
        samples: The sound.
        gain_db: The plain gain that was given.
        limited_db: How far the limiter pressed the highest peak down; 0 where it had nothing to do.
    """

    samples: Samples
    gain_db: float
    limited_db: float


def to_db(power: float) -> float:
    """A mean square as a level in dBFS."""
    return float(10 * np.log10(max(power, _FLOOR)))


def peak_dbfs(samples: Samples) -> float:
    """The highest sample's level in dBFS."""
    return to_db(float(np.max(np.abs(samples), initial=0.0)) ** 2)


def active_dbfs(samples: Samples) -> float:
    """The mean level, in dBFS, of the 20 ms frames that hold speech."""
    powers = _powers(samples, _LEVEL_FRAME)
    active = powers[powers > 10 ** (SILENCE_DBFS / 10)]
    if not active.size:
        return to_db(float(np.mean(powers))) if powers.size else to_db(0.0)
    margin: float = 10 ** (-_ACTIVE_MARGIN_DB / 10)
    while True:
        kept = active[active >= np.mean(active) * margin]
        if kept.size == active.size:
            return to_db(float(np.mean(active)))
        active = kept


def remove_rumble(samples: Samples) -> Samples:
    """Take out a constant offset and what lies below speech, without shifting anything in time."""
    # Zeros behind keep the end of the recording from ringing into its beginning.
    spectrum = np.fft.rfft(samples - np.mean(samples), n=samples.size + RATE_HZ)
    frequencies_hz = np.fft.rfftfreq(samples.size + RATE_HZ, 1 / RATE_HZ)
    # A Butterworth's slope: a steeper one rings around a knock, and stretches it until it passes for speech.
    spectrum *= frequencies_hz**4 / (frequencies_hz**4 + _HIGH_PASS_HZ**4)
    return np.fft.irfft(spectrum, n=samples.size + RATE_HZ)[: samples.size]


def noise_dbfs(samples: Samples) -> float:
    """The level, in dBFS, of the quietest parts: background noise where there are pauses."""
    powers = _powers(samples, _LEVEL_FRAME)
    return to_db(float(np.percentile(powers, _NOISE_PERCENTILE))) if powers.size else to_db(0.0)


def speech_bounds(samples: Samples) -> tuple[int, int]:
    """The first sample of speech, and the one after the last, as indices.

    What counts as silence is relative to the speech and to the background noise. (0, 0) where nothing is.
    """
    active = active_dbfs(samples)
    if active <= SILENCE_DBFS:
        return 0, 0
    threshold = np.clip(noise_dbfs(samples) + _ABOVE_NOISE_DB, active - _EDGE_MIN_DB, active - _EDGE_MAX_DB)
    loud = _powers(samples, _EDGE_FRAME) >= 10 ** (threshold / 10)
    first, last = _first_sustained(loud), _first_sustained(loud[::-1])
    if first is None or last is None:
        return 0, 0
    return first * _EDGE_FRAME, min(samples.size, (loud.size - last) * _EDGE_FRAME)


def trim(samples: Samples) -> Samples:
    """Cut the silence before and after speech; ends are faded, since a cut in the middle of a wave clicks.

    No silence is left in front, where it would delay the warning; a decay of up to 60 ms stays behind.
    """
    start, end = speech_bounds(samples)
    cut = samples[start : min(samples.size, end + _TAIL)].copy()
    # A recording that stops in the middle of a word loses no more of it than the click.
    fade_out = int(np.clip(start + cut.size - end, _FADE_IN, _FADE_OUT))
    if cut.size > _FADE_IN + fade_out:
        cut[:_FADE_IN] *= np.linspace(0, 1, _FADE_IN)
        cut[-fade_out:] *= np.linspace(1, 0, fade_out)
    return cut


def level(samples: Samples, target_dbfs: float = TARGET_DBFS, peak_limit_dbfs: float = PEAK_DBFS) -> Levelled:
    """Bring speech to an active level: by plain gain, and by a limiter only where peaks would be too high."""
    gain_db = target_dbfs - active_dbfs(samples)
    loud = samples * 10 ** (gain_db / 20)
    limited_db = max(0.0, peak_dbfs(loud) - peak_limit_dbfs)
    if limited_db:
        # What the limiter takes from the peaks is missing from the level, so give it back and look again.
        for _ in range(_LIMITER_ROUNDS):
            limited = _limit(loud, peak_limit_dbfs)
            short_db = target_dbfs - active_dbfs(limited)
            if abs(short_db) <= _LEVEL_TOLERANCE_DB:
                break
            loud = loud * 10 ** (short_db / 20)
        loud = limited
    return Levelled(samples=loud, gain_db=gain_db, limited_db=limited_db)


def _limit(samples: Samples, peak_limit_dbfs: float) -> Samples:
    """Turn the gain down smoothly around each peak that is too high.

    The gain is the mean, over a window, of the least gain wanted in a window: every window in that mean holds
    the peak, so the result cannot exceed the limit.
    """
    limit = 10 ** ((peak_limit_dbfs - 0.01) / 20)  # a hair below, for the rounding to 16 bits
    wanted = np.minimum(1.0, limit / np.maximum(np.abs(samples), _FLOOR))
    width = 2 * _LIMITER_REACH + 1
    padded = np.pad(wanted, 2 * _LIMITER_REACH, constant_values=1.0)
    least = sliding_window_view(padded, width).min(axis=1)
    smooth: Samples = sliding_window_view(least, width).mean(axis=1)
    return samples * smooth


def _powers(samples: Samples, frame: int) -> NDArray[np.float64]:
    """The mean square of each whole frame; a shorter rest counts only where it is all there is."""
    if 0 < samples.size < frame:
        return np.array([np.mean(samples**2)])
    whole = samples[: samples.size // frame * frame].reshape(-1, frame)
    powers: NDArray[np.float64] = np.mean(whole**2, axis=1)
    return powers


def _first_sustained(loud: NDArray[np.bool_]) -> int | None:
    """The first loud frame from which on at least half of the next 50 ms is loud."""
    counts = np.convolve(loud, np.ones(_EDGE_SPAN, dtype=np.int64))[_EDGE_SPAN - 1 :]
    found = np.flatnonzero(loud & (counts >= _EDGE_SPAN // 2))
    return int(found[0]) if found.size else None
