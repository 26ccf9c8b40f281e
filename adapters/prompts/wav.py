"""The one file format that every PBX plays: WAV, 8 kHz, mono, 16-bit PCM."""

import contextlib
import os
import tempfile
import wave
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.prompts.header import RATE_HZ, read_duration_s

_FULL_SCALE = 32768
_MODE = 0o644  # the PBX and the service run as different users, and both read it

Samples = NDArray[np.float64]  # mono, full scale is 1.0


def read_samples(path: Path) -> Samples:
    """The sound of a prompt, full scale 1.0.

    Raises:
        PromptFileError: as `read_duration_s`.
    """
    read_duration_s(path)
    with wave.open(str(path), "rb") as file:
        pcm = file.readframes(file.getnframes())
    return np.frombuffer(pcm, dtype="<i2").astype(np.float64) / _FULL_SCALE


def encode(samples: Samples) -> bytes:
    """A WAV file's bytes with the plain 44-byte header that the oldest PBX understands."""
    pcm = np.clip(np.rint(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2")
    buffer = BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(pcm.tobytes())
    return buffer.getvalue()


def write_atomically(path: Path, samples: Samples) -> None:
    """Put a prompt in place so that a PBX reading at this moment gets the whole old or the whole new one.

    Raises:
        OSError: the folder cannot be made or written; an old file stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(encode(samples))
            file.flush()
            os.fchmod(file.fileno(), _MODE)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
