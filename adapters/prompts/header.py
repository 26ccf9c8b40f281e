"""What a prompt's header says; apart from the sound, since the service needs no more and numpy loads slowly."""

import wave
from pathlib import Path

from adapters.prompts.errors import PromptFileError

RATE_HZ = 8000
SAMPLE_BYTES = 2
HEADER_BYTES = 44


def read_duration_s(path: Path) -> float:
    """How long a prompt plays, in seconds, from its header.

    Raises:
        PromptFileError: the file is not a WAV of 8 kHz, mono, 16 bit, or holds less than its header says.
    """
    try:
        size = path.stat().st_size
        with wave.open(str(path), "rb") as file:
            channels, sample_bytes, rate_hz, frames = file.getparams()[:4]
    except EOFError:
        raise PromptFileError(path, "the file is empty or cut short") from None
    except (OSError, wave.Error) as error:
        raise PromptFileError(path, f"cannot be read as a WAV file ({error})") from error
    if (channels, sample_bytes, rate_hz) != (1, SAMPLE_BYTES, RATE_HZ):
        raise PromptFileError(path, f"has {rate_hz} Hz, {channels} channel(s), {8 * sample_bytes} bit")
    # A warning counts as heard by the length it should have had, so a header that promises more is a fault.
    if frames * SAMPLE_BYTES > size - HEADER_BYTES:
        raise PromptFileError(path, "the file is cut short: it holds less sound than its header says")
    if not frames:
        raise PromptFileError(path, "holds no sound")
    return frames / RATE_HZ
