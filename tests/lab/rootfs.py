"""Finds the folder with the real Asterisk, or builds it, or says why it can't be had."""

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "lab"
BUILD_LIMIT_S = 900
NEEDED = ("unshare", "setpriv", "chroot", "mount")


@dataclass(frozen=True)
class Rootfs:
    """Where the lab is (`path`), or why there is none (`missing`, one line)."""

    path: Path | None
    missing: str = ""


@functools.cache
def find() -> Rootfs:
    """Runs `scripts/lab` once per process. Takes half a minute the first time, milliseconds later."""
    lacking = [name for name in NEEDED if shutil.which(name, path=_path()) is None]
    if lacking:
        return Rootfs(None, f"no Asterisk lab: this machine has no {', '.join(lacking)}")
    done = subprocess.run(
        [SCRIPT], capture_output=True, text=True, timeout=BUILD_LIMIT_S, check=False, env=_environment()
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        reason = last if done.returncode == 3 else f"no Asterisk lab: scripts/lab failed: {last}"
        return Rootfs(None, reason)
    return _try_namespace(Path(done.stdout.strip().splitlines()[-1]))


def _try_namespace(path: Path) -> Rootfs:
    """Not every machine lets us make a mount namespace: containers often don't."""
    trial = subprocess.run(
        [*namespace(), "mount", "--bind", path / "lab", path / "lab"],
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    if trial.returncode != 0:
        return Rootfs(None, f"no Asterisk lab: no mount namespace here: {trial.stderr.strip()}")
    return Rootfs(path)


def namespace() -> list[str]:
    """The command that runs another one among mounts of its own, which vanish with it."""
    if os.geteuid() == 0:
        return ["unshare", "--mount"]
    return ["unshare", "--map-root-user", "--mount"]


def _path() -> str:
    """The search path with the system folders, which an ordinary user's may lack."""
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": _path()}
