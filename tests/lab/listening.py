"""What a phone heard: how loud, when, and which prompt (numpy)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.lab.audio import FRAME, RATE_HZ, Audio, from_alaw
from tests.lab.phone import Call
from tests.lab.rtp import PACKET_S, Packet
from tests.lab.waiting import until

LOUD_DBFS = -40.0
SILENT_DBFS = -90.0
# A packet that comes this much later than its turn leaves a hole in what is heard, rather than jitter.
HOLE_S = 0.06
# A clock that jumps further has been set anew.
MOST_GAP_S = 10
PIECE_S = 0.25
# Correlation of one piece: about 0.7 under another voice of the same level, below 0.35 for another prompt.
PIECE_SCORE = 0.45
# How far from its place: a mixer that was not let run, on a busy machine, goes on later and loses nothing of it.
PIECE_DRIFT_S = 0.25


def dbfs(audio: Audio) -> float:
    """RMS level; `SILENT_DBFS` at least. A full-scale sine is -3."""
    power = float(np.mean(np.square(audio))) if len(audio) else 0.0
    return max(SILENT_DBFS, 10 * float(np.log10(power + 1e-12)))


def loudness(call: Call, since: float = 0.0) -> list[tuple[float, float]]:
    """(arrival on the monotonic clock, RMS in dBFS) of each packet of 20 ms that came at or after `since`."""
    return [(packet.at, dbfs(from_alaw(packet.payload))) for packet in _since(call, since)]


def heard_loud_at(call: Call, since: float = 0.0, level_dbfs: float = LOUD_DBFS) -> float | None:
    """When the first packet at or above this level came, at or after `since`; None if none did."""
    return next((at for at, level in loudness(call, since) if level >= level_dbfs), None)


def packets(call: Call, since: float = 0.0, until_at: float = float("inf")) -> int:
    """How many packets came in this time (monotonic clock)."""
    return sum(since <= packet.at < until_at for packet in call.heard)


def _since(call: Call, since: float) -> Sequence[Packet]:
    heard = call.heard
    first = next((i for i, packet in enumerate(heard) if packet.at >= since), len(heard))
    return heard[first:]


def audio(call: Call, since: float = 0.0) -> Audio:
    """What was heard since then as one piece, by the sender's clock, as a phone's jitter buffer does it.

    Where the sender left something out there is silence. Arrival times count only where another sender goes on: on a
    busy machine they say when this process was let run.
    """
    parts: list[Audio] = []
    before: Packet | None = None
    for packet in _since(call, since):
        if before is not None:
            parts.append(np.zeros(_left_out(before, packet)))
        parts.append(from_alaw(packet.payload))
        before = packet
    return np.concatenate(parts) if parts else np.zeros(0)


def _left_out(before: Packet, packet: Packet) -> int:
    """Samples of silence between two packets."""
    step = (packet.timestamp - before.timestamp) & 0xFFFFFFFF
    if packet.ssrc == before.ssrc and step <= MOST_GAP_S * RATE_HZ:
        return max(0, step - FRAME)
    late_s = packet.at - before.at - PACKET_S
    return round(late_s / PACKET_S) * FRAME if late_s > HOLE_S else 0


def tone_dbfs(heard: Audio, hz: float) -> float:
    """RMS level of one frequency in what was heard, so that two tones at once can be told apart."""
    if len(heard) < FRAME:
        return SILENT_DBFS
    window = np.hanning(len(heard))
    turn = np.exp(-2j * np.pi * hz * np.arange(len(heard)) / RATE_HZ)
    amplitude = 2 * abs(np.sum(heard * window * turn)) / np.sum(window)
    return max(SILENT_DBFS, 20 * float(np.log10(amplitude / np.sqrt(2) + 1e-9)))


def hears_tone(call: Call, hz: float, since: float, over_s: float = 0.2) -> bool:
    """True if the last `over_s` seconds heard after `since` hold this tone."""
    newest = audio(call, since)[-round(over_s * RATE_HZ) :]
    return len(newest) >= round(over_s * RATE_HZ) and tone_dbfs(newest, hz) > LOUD_DBFS


async def hears(call: Call, hz: float, since: float, within_s: float = 3.0) -> None:
    """Waits until the call hears this tone.

    Raises:
        TimeoutError: it does not.
    """
    await until(lambda: hears_tone(call, hz, since), within_s, f"{call.phone.user} hears {hz} Hz")


@dataclass(frozen=True)
class Match:
    """Where a prompt was found: its start in seconds into the heard audio, and how alike (0 … 1)."""

    offset_s: float
    score: float


def find(heard: Audio, reference: Audio) -> Match:
    """The place where `reference` fits best, by normalised cross-correlation.

    A prompt scores above 0.9 alone and 0.5 to 0.7 under somebody's voice; another prompt, a tone or silence
    stays below 0.2, for references longer than a second.
    """
    n = len(reference)
    # The last packet of a prompt may be cut short where the call ends with it.
    heard = np.concatenate((heard, np.zeros(FRAME)))
    if len(heard) < n or not np.any(reference):
        return Match(0.0, 0.0)
    size = 1 << (len(heard) + n).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(reference, size)), size)
    product = product[: len(heard) - n + 1]
    energy = np.concatenate(([0.0], np.cumsum(np.square(heard))))
    # A floor far below any sound: the ratio of two nothings is not a match.
    norm = np.sqrt(np.maximum(energy[n:] - energy[:-n], 1e-6 * n) * np.sum(np.square(reference)))
    score = product / norm
    best = int(np.argmax(score))
    return Match(best / RATE_HZ, float(score[best]))


@dataclass(frozen=True)
class Hearing:
    """How much of a prompt was heard.

    Attributes:
        start_s: where it begins in the heard audio, seconds.
        share: part of its pieces found in their place, 0 … 1.
        missing_s: starts of the pieces, in the prompt, that were not.
    """

    start_s: float
    share: float
    missing_s: tuple[float, ...]

    @property
    def whole(self) -> bool:
        """Heard from the first piece to the last without a hole."""
        return not self.missing_s and self.share > 0


def hearing(heard: Audio, reference: Audio) -> Hearing:
    """Places the prompt where it fits best, then looks for each quarter of a second of it."""
    size, drift = round(PIECE_S * RATE_HZ), round(PIECE_DRIFT_S * RATE_HZ)
    # Room at both ends, so that a prompt that was cut off is placed right too.
    padded = np.concatenate((np.zeros(len(reference)), heard, np.zeros(len(reference))))
    start = round(find(padded, reference).offset_s * RATE_HZ)
    found, missing = 0, []
    for at in range(0, len(reference) - size + 1, size):
        piece = reference[at : at + size]
        if dbfs(piece) < LOUD_DBFS:
            continue  # a pause in the prompt proves nothing
        here = padded[max(0, start + at - drift) : start + at + size + drift]
        if find(here, piece).score >= PIECE_SCORE:
            found += 1
        else:
            missing.append(at / RATE_HZ)
    total = found + len(missing)
    return Hearing((start - len(reference)) / RATE_HZ, found / total if total else 0.0, tuple(missing))


def heard_whole(call: Call, reference: Audio, since: float = 0.0) -> bool:
    """True if this call heard the whole prompt at or after `since`."""
    return hearing(audio(call, since), reference).whole
