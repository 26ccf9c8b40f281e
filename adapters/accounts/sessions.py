"""Sessions: in memory, so that nobody waits for the store; written behind, by one task.

A backup who is woken must get in while the store hangs. So a login is in force at once and written soon after; the end
of a session is in force at once too, and is waited for, since it must outlive a restart.
"""

import asyncio
import secrets
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from adapters.accounts import rows
from adapters.accounts.records import Session, digest
from adapters.accounts.rows import Store
from telephony.errors import BagvagtError
from telephony.ports import Clock

_log = structlog.get_logger()

SEEN_EVERY = timedelta(minutes=1)
SWEEP_EVERY_S = 60.0
AGAIN_S = 5.0
MOST_OF_ONE = 30
"""Sessions of one account; the oldest gives way."""
MOST_BROWSER = 200


class Sessions:
    """Who is logged in.

    Args:
        store: where they are kept.
        clock: the time.
        lasts_s: how long a session lasts, whatever it does.
        idle_s: how long it lasts when nothing is asked for; an open screen asks all the time.
    """

    def __init__(self, store: Store, clock: Clock, lasts_s: float, idle_s: float) -> None:
        self.lasts_s = lasts_s
        self.idle_s = idle_s
        self._store = store
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Read what the store has.

        Raises:
            StoreError: it does not answer.
        """
        self._sessions = {session.id: session for session in await self._store.transact(rows.sessions)}

    def start(self, account: str, how: str, address: str, browser: str) -> tuple[str, Session]:
        """Open a session. Returns the cookie's token, which is kept nowhere, and the session."""
        token, now = secrets.token_urlsafe(32), self._clock.now()
        session = Session(
            id=digest(token),
            account=account,
            created_at=now,
            last_seen=now,
            expires_at=now + timedelta(seconds=self.lasts_s),
            how=how,
            address=address,
            browser="".join(c for c in browser[:MOST_BROWSER] if c.isprintable()),
            csrf=secrets.token_urlsafe(32),
        )
        for old in self.of(account)[: 1 - MOST_OF_ONE]:
            self.forget(old.id)
        self._sessions[session.id] = session
        self._write(session.id)
        return token, session

    def find(self, token: str) -> Session | None:
        """Return the session with this token, if it is in force."""
        return self.live(digest(token)) if token else None

    def live(self, id_: str) -> Session | None:
        """Return the session, if it is in force, and note that it is used. For a stream too: at each of its beats."""
        session = self._sessions.get(id_)
        if session is None:
            return None
        now = self._clock.now()
        if self._is_over(session, now):
            self.forget(id_)
            return None
        if now - session.last_seen >= SEEN_EVERY:
            session = self._sessions[id_] = replace(session, last_seen=now)
            self._write(id_)
        return session

    def of(self, account: str = "") -> list[Session]:
        """Return the sessions in force, of one account or of all, oldest first."""
        now = self._clock.now()
        return [s for s in self._sessions.values() if account in ("", s.account) and not self._is_over(s, now)]

    async def end(self, id_: str) -> None:
        """End a session.

        Raises:
            StoreError: it is ended, and may be back after a restart; it is tried again.
        """
        self.forget(id_)
        await self.flush()

    async def end_all(self, account: str) -> None:
        """End every session of an account.

        Raises:
            StoreError: as `end`.
        """
        self.forget_all(account)
        await self.flush()

    def forget(self, id_: str) -> None:
        """End a session; it is written soon after."""
        if self._sessions.pop(id_, None) is not None:
            self._write(id_)

    def forget_all(self, account: str) -> None:
        """End every session of an account; it is written soon after."""
        for id_ in [s.id for s in self._sessions.values() if s.account == account]:
            self.forget(id_)

    async def flush(self) -> None:
        """Write what has changed.

        Raises:
            StoreError: nothing was written; it is tried again.
        """
        async with self._writing:
            changed, self._changed = self._changed, set()
            if not changed:
                return
            stand = [self._sessions[id_] for id_ in changed if id_ in self._sessions]
            gone = [id_ for id_ in changed if id_ not in self._sessions]
            try:
                await self._store.transact(lambda connection: rows.put_sessions(connection, stand, gone))
            except BaseException:
                self._changed |= changed
                raise

    async def run(self) -> None:
        """Write behind, and forget what is over, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(SWEEP_EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            now = self._clock.now()
            for session in list(self._sessions.values()):
                if self._is_over(session, now):
                    self.forget(session.id)
            try:
                await self.flush()
            except BagvagtError as error:
                _log.warning("sessions_not_saved", error=type(error).__name__)
                await asyncio.sleep(AGAIN_S)
                self._wake.set()

    def _is_over(self, session: Session, now: datetime) -> bool:
        return now >= session.expires_at or now >= session.last_seen + timedelta(seconds=self.idle_s)

    def _write(self, id_: str) -> None:
        self._changed.add(id_)
        self._wake.set()
