"""A site at night: the whole service on its own policy file, a provider that behaves as told, time as one wishes.

Nothing of the service is replaced but its clock. `fast_forward` goes from one durable timer to the next, as the store
has them, and waits until the service has done what was due: so half an hour passes in its right order in a second.
"""

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from telephony.settings import token_hash
from telephony.wiring import serve
from tests.lab.carriers import PASSWORD, SECRET, USER, Behaves, Elks, Taken
from tests.lab.service import free_port
from tests.lab.waiting import until

NUMBERS = {"anna": "+4520304051", "bo": "+4520304052", "chief": "+4520304053"}
SUNDAY_NIGHT = datetime(2027, 3, 28, 0, 30, tzinfo=UTC)  # 01:30 in Copenhagen; the clocks change half an hour later

POLICY = """\
[site]
zone = "Europe/Copenhagen"
language = "da"
country = "DK"

[pbx]
kind = "simulator"

[panel]
url = "http://127.0.0.1:{port}"

[http]
port = {port}
tokens_file = "tokens.toml"

[kinds.suicide]
latched = true
break_s = 1800
page = "acute"

[keys.suicide]
does = "flag"
kind = "suicide"
code = "*99"

[office_hours]
mon = ["08:00-16:00"]

[people.anna]
sms = "+4520304051"
{anna}

[people.bo]
sms = "+4520304052"

[people.chief]
sms = "+4520304053"

[pages.acute]
rounds = 2
last_resort = "chief"
last_resort_every_s = 300

[[pages.acute.steps]]
people = ["anna"]
wait_s = 120
when = "outside"
in_turn_s = {in_turn_s}

[[pages.acute.steps]]
people = ["bo"]
wait_s = 180

[sms]
sender = "+4520304099"

[sms.elks]
user = "{user}"
password_file = "elks"
url = "{carrier}"

[sms.webhook]
secret_file = "webhook"
url = "http://127.0.0.1:{port}"
"""


class VirtualClock:
    """Fits `telephony.ports.Clock`."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._ids = count()

    def now(self) -> datetime:
        """Return what the test says."""
        return self.at

    def new_id(self) -> str:
        """Return ids that differ over restarts."""
        return f"{int(self.at.timestamp()):x}.{next(self._ids):x}"


class Provider(Elks):
    """46elks, which notes when an SMS came in, by the site's clock."""

    def __init__(self, behaves: Behaves) -> None:
        super().__init__(behaves)
        self.clock: VirtualClock | None = None
        self._came: dict[int, datetime] = {}

    def serves(self, site: str, clock: VirtualClock) -> None:
        """Call this site's webhook from now on."""
        self._replies_to, self.clock = site, clock

    async def read(self, request: web.Request) -> Taken | None:
        """Return the SMS, None without the right key."""
        sms = await super().read(request)
        if sms is not None and self.clock is not None:
            self._came[id(sms)] = self.clock.at
        return sms

    def came(self, sms: Taken) -> datetime:
        """Return when it came in."""
        return self._came[id(sms)]


class Night:
    """The site.

    Attributes:
        clock: moved by `fast_forward`; set it to let the machine sleep.
        carrier: the provider of SMS.
    """

    def __init__(
        self,
        folder: Path,
        carrier: Provider,
        at: datetime = SUNDAY_NIGHT,
        more: str = "",
        anna: str = "",
        in_turn_s: float = 0,
    ) -> None:
        self.clock = VirtualClock(at)
        self.began = at
        self.carrier = carrier
        self.policy = folder / "bagvagt.toml"
        self._folder = folder
        self._port = free_port()
        self._task: asyncio.Task[None] | None = None
        text = POLICY.format(port=self._port, user=USER, carrier=carrier.url, anna=anna, in_turn_s=in_turn_s)
        self.policy.write_text(text + more, encoding="utf-8")
        token = f'[[tokens]]\nname = "ida"\nkind = "agent"\nagent = "ida"\nsha256 = "{token_hash("ida-token")}"\n'
        for name, secret in (("elks", PASSWORD), ("webhook", SECRET), ("tokens.toml", token)):
            (folder / name).write_text(secret, encoding="utf-8")
            (folder / name).chmod(0o600)
        carrier.serves(self.url, self.clock)

    @property
    def url(self) -> str:
        """Where the service listens."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start the service and wait until it serves."""
        self._task = asyncio.create_task(serve(self.policy, self.clock))
        await until(self._serves, 20.0, "the service listens")

    async def stop(self) -> None:
        """Stop the service as systemd does."""
        if self._task is not None:
            os.kill(os.getpid(), signal.SIGTERM)
            await self._task
            self._task = None

    async def press_suicide(self) -> None:
        """Let Ida, who has no call, press the acute key: the backup is wanted."""
        headers = {"Authorization": "Bearer ida-token"}
        async with (
            aiohttp.ClientSession(headers=headers) as browser,
            browser.post(f"{self.url}/v1/keys/suicide") as answer,
        ):
            assert answer.status == 200, await answer.text()

    async def fast_forward(self, **time: float) -> None:
        """Let time pass, from timer to timer; `time` is as of `timedelta`."""
        end = self.clock.at + timedelta(**time)
        await until(self._nothing_is_due, 20.0, "what is under way is done")
        while (due := self._next_due()) is not None and due <= end:
            self.clock.at = max(self.clock.at, due)
            await until(self._nothing_is_due, 20.0, f"what is due at {due} is done")
        self.clock.at = end

    async def told(self, number: int) -> list[tuple[float, str]]:
        """Wait for this many SMS; return (minutes since the beginning, to whom) of each."""
        await until(lambda: len(self.carrier.taken) >= number, what=f"{number} SMS")
        people = {number: name for name, number in NUMBERS.items()}
        came = ((self.carrier.came(sms) - self.began, people[sms.to]) for sms in self.carrier.taken)
        return [(at.total_seconds() / 60, name) for at, name in came]

    def sms(self, person: str) -> Taken:
        """Return the latest SMS to a person."""
        return next(sms for sms in reversed(self.carrier.taken) if sms.to == NUMBERS[person])

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        """Ask the store."""
        with closing(sqlite3.connect(f"file:{self._store}?mode=ro", uri=True, timeout=5)) as store:
            return store.execute(question).fetchall()

    @property
    def _store(self) -> Path:
        return self._folder / "bagvagt.sqlite3"

    def _next_due(self) -> datetime | None:
        ((due,),) = self.rows("SELECT min(due_at) FROM timer")
        return datetime.fromisoformat(due).replace(tzinfo=UTC) if due else None

    def _nothing_is_due(self) -> bool:
        due = self._next_due()
        under_way = self.rows("SELECT count(*) FROM intent WHERE outcome IS NULL AND kind = 'Notify'")
        return (due is None or due > self.clock.at) and under_way == [(0,)]

    async def _serves(self) -> bool:
        if self._task is not None and self._task.done():
            self._task.result()
        with suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as browser, browser.get(f"{self.url}/healthz"):
                return True
        return False


@asynccontextmanager
async def night(folder: Path, carrier: Provider, **more: Any) -> AsyncIterator[Night]:
    """Have a site's service running."""
    site = Night(folder, carrier, **more)
    await site.start()
    try:
        yield site
    finally:
        await site.stop()
