"""The policy file while the service runs: read anew when it changes or when somebody asks, all of it or nothing.

The folder is watched, not the file: editors and configuration tools replace files, and a watch on a replaced file is
deaf. A look every few seconds goes with it, for folders where nothing tells of changes (network mounts, a folder that
was itself replaced, a tokens file elsewhere).
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from watchfiles import awatch

from policies.rules import Rules
from telephony.errors import ConfigError, Mistake
from telephony.settings import PromptsMissing, Settings, load
from telephony.settings import rules as resolve

# Connections and listeners are made once. Whole sections, or single keys of one.
NEEDS_RESTART: tuple[tuple[str, ...], ...] = (
    ("pbx",),
    ("store",),
    ("mqtt",),
    ("sms",),
    ("voice",),
    ("email",),
    ("heartbeat",),
    ("watch",),
    ("http", "host"),
    ("http", "port"),
    ("http", "tls_host"),
    ("http", "tls_port"),
    ("http", "certificate_file"),
    ("http", "key_file"),
    ("panel", "oidc"),
    ("panel", "auditor_sees_names"),
    ("prompts", "folder"),
)

# Secrets that are read once. Tokens and the Apprise URLs of people are read anew; passwords of broker and mail server
# at each connection.
READ_ONCE: tuple[tuple[str, ...], ...] = (
    ("pbx", "ami_secret_file"),
    ("pbx", "ari_secret_file"),
    ("sms", "apprise_url_file"),
    ("sms", "gateway", "headers_file"),
    ("sms", "elks", "password_file"),
    ("sms", "gatewayapi", "token_file"),
    ("sms", "webhook", "secret_file"),
    ("heartbeat", "url_file"),
    ("http", "certificate_file"),
    ("http", "key_file"),
)


class PolicyFile:
    """Watches one policy file.

    Args:
        running: the settings that the service started with; what needs a restart stays as it is there.
        on_loaded: called with a new policy, in the loop. What is doubtful about it is in `settings.origin.warnings`.
        on_refused: called with what is wrong; the old policy stays in force.
        prompts_missing: see `telephony.settings.load`.
        quiet_s: a change counts once nothing has changed for so long; an editor's burst of writes is one change.
        look_s: how often to look when nothing tells of a change.
    """

    def __init__(
        self,
        running: Settings,
        on_loaded: Callable[[Settings, Rules], None],
        on_refused: Callable[[ConfigError], None],
        *,
        prompts_missing: PromptsMissing | None = None,
        quiet_s: float = 0.3,
        look_s: float = 5.0,
    ) -> None:
        self._running = running
        self._inforce = running
        self._on_loaded = on_loaded
        self._on_refused = on_refused
        self._prompts_missing = prompts_missing
        self._quiet_s = quiet_s
        self._look_s = look_s
        self._path = running.origin.file
        self._changed = asyncio.Event()
        self._asked = False
        self._secrets = {path: _hash(file) for path, file in _read_once(running)}
        # What was loaded, not what stands there now: it may have changed in between.
        self._seen = " ".join([running.origin.version, *self._fingerprint().split()[1:]])

    def request(self) -> None:
        """Read the file anew even if it has not changed, since prompts or secrets may have: for SIGHUP, in the loop."""
        self._asked = True
        self._changed.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch(), name="policy-watch")
            tasks.create_task(self._look(), name="policy-look")
            tasks.create_task(self._reload(), name="policy-reload")

    async def _watch(self) -> None:
        """Follow the folder; only this file's own names count, since the journal may stand beside it."""
        names = {self._path.name, "..data"}  # the second is how a mounted Kubernetes ConfigMap is replaced
        while True:
            self._changed.set()  # what happened while nothing was watched
            changes = awatch(
                self._path.parent,
                watch_filter=lambda _change, path: Path(path).name in names,
                recursive=False,
                debounce=100,
            )
            try:
                async for _ in changes:
                    self._changed.set()
            except OSError:  # the folder is gone, or there are no watches left: `_look` goes on
                await asyncio.sleep(self._look_s)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._look_s)
            self._changed.set()

    async def _reload(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            seen = await asyncio.to_thread(self._fingerprint)
            while seen != self._seen and (later := await self._later()) != seen:
                seen = later
            if seen != self._seen or self._asked:
                self._asked = False
                self._seen = seen
                await self._read()

    async def _later(self) -> str:
        await asyncio.sleep(self._quiet_s)
        return await asyncio.to_thread(self._fingerprint)

    async def _read(self) -> None:
        try:
            settings = await asyncio.to_thread(load, self._path, self._prompts_missing)
            settings = self._kept(settings)
            rules = await asyncio.to_thread(resolve, settings)
        except ConfigError as error:
            self._on_refused(error)
            return
        self._inforce = settings
        self._on_loaded(settings, rules)

    def _kept(self, new: Settings) -> Settings:
        """Return the new settings with what needs a restart as it was, and a warning for each such change."""
        warnings = []
        update: dict[str, Any] = {}
        for path in NEEDS_RESTART:
            if _value(self._running, path) != _value(new, path):
                warnings.append(_warning(new, ".".join(path), "needs a restart; the old value stays until then"))
                section, *field = path
                kept = {name: _value(self._running, path) for name in field}
                before = update.get(section, getattr(new, section))
                update[section] = before.model_copy(update=kept) if kept else getattr(self._running, section)
        for name, key in new.keys.items():
            before = self._inforce.keys.get(name)
            if (key.code, key.speed_dial) != ((before.code, before.speed_dial) if before else ("", "")):
                words = "has another code or speed dial than the PBX was told"
                warnings.append(
                    _warning(new, f"keys.{name}", words, "put the output of `bagvagt pbx-config` on the PBX")
                )
        for path, file in _read_once(self._running):
            if _hash(file) != self._secrets[path]:
                words = "the file holds something else than at the start, which needs a restart"
                warnings.append(_warning(new, ".".join(path), words))
        return new.kept(update, tuple(warnings))

    def _fingerprint(self) -> str:
        """Return a hash of the policy and tokens files as they are now; of nothing where there is none."""
        tokens = self._inforce.http.tokens_file
        files = [self._path, *([self._inforce.path(tokens)] if tokens else [])]
        return " ".join(_hash(file) for file in files)


def _value(settings: Settings, path: tuple[str, ...]) -> object:
    value: object = settings
    for part in path:
        value = getattr(value, part)
    return value


def _read_once(settings: Settings) -> Iterator[tuple[tuple[str, ...], Path]]:
    for path in READ_ONCE:
        value: Any = settings
        for part in path:
            value = getattr(value, part, None)  # None for a section that is left out
        if value:
            yield path, settings.path(value)


def _warning(
    settings: Settings, key: str, message: str, remedy: str = "restart Bagvagt when no call is guarded"
) -> Mistake:
    return Mistake(key, settings.line_near(key), message, remedy, "warning")


def _hash(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    except OSError as error:
        return type(error).__name__
