"""Three short tones for agents who have only a phone: accepted, not permitted, not yet; and a pause.

They differ in rhythm first (two pulses, one long one, four short ones) and in pitch second, since a
frightened person, a poor headset and a bad ear tell rhythm more surely. Each is a plain sine, so that no PBX
takes it for a DTMF digit. The pause stands between an announcement and its repetition: a PBX need not have silence of
its own.
"""

from dataclasses import dataclass

import numpy as np

from adapters.prompts.header import RATE_HZ
from adapters.prompts.levels import TARGET_DBFS
from adapters.prompts.wav import Samples

_RAMP_MS = 4


@dataclass(frozen=True, slots=True)
class Tone:
    """A row of equally long pulses.

    Attributes:
        pitches_hz: One pitch for each pulse; 0 is silence.
        on_ms: How long a pulse lasts.
        off_ms: The silence between two.
    """

    pitches_hz: tuple[int, ...]
    on_ms: int
    off_ms: int


TONES = {
    "tone-accepted": Tone(pitches_hz=(660, 880), on_ms=90, off_ms=70),
    "tone-refused": Tone(pitches_hz=(340,), on_ms=400, off_ms=0),
    "tone-not-yet": Tone(pitches_hz=(520,) * 4, on_ms=60, off_ms=50),
    "tone-pause": Tone(pitches_hz=(0,), on_ms=1000, off_ms=0),
}


def render(tone: Tone) -> Samples:
    """The tone at 8 kHz, -20 dBFS RMS within a pulse; pulses begin and end over 4 ms, so nothing clicks."""
    gap = np.zeros(RATE_HZ * tone.off_ms // 1000)
    parts: list[Samples] = []
    for pitch_hz in tone.pitches_hz:
        parts += [_pulse(pitch_hz, tone.on_ms), gap]
    return np.concatenate(parts[:-1])


def _pulse(pitch_hz: int, on_ms: int) -> Samples:
    times_s = np.arange(RATE_HZ * on_ms // 1000) / RATE_HZ
    ramp = RATE_HZ * _RAMP_MS // 1000
    envelope = np.ones(times_s.size)
    envelope[:ramp] = np.sin(np.linspace(0, np.pi / 2, ramp)) ** 2
    envelope[-ramp:] = envelope[:ramp][::-1]
    amplitude = np.sqrt(2) * 10 ** (TARGET_DBFS / 20)  # a sine's RMS is its peak over the root of two
    pulse: Samples = amplitude * envelope * np.sin(2 * np.pi * pitch_hz * times_s)
    return pulse
