"""Verifies a running Asterisk against what Bagvagt needs, in words for an admin; changes nothing: `bagvagt pbx-check`.

It sees what the least rights let it see. What they don't is said so, with the way to look by hand, and not guessed.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from adapters.asterisk.ami import AmiClient, Epoch
from adapters.asterisk.ari import AriClient
from adapters.asterisk.check_dialplan import check_dialplan
from adapters.asterisk.check_settings import (
    check_endpoints,
    check_media,
    check_members,
    check_modules,
    check_rights,
    check_rung,
    check_version,
)
from adapters.asterisk.findings import Finding
from adapters.asterisk.pbx import AsteriskAccess
from adapters.asterisk.snippets import AsteriskSide
from telephony.errors import PbxError, PbxRejectedError

__all__ = ["Finding", "check_access", "check_pbx"]


async def check_access(
    access: AsteriskAccess, side: AsteriskSide, people: Mapping[str, str] | None = None, within_s: float = 10.0
) -> list[Finding]:
    """Connect, check everything, disconnect. Takes nothing away from a service that runs meanwhile.

    Args:
        access: where, and how to get in.
        side: what the snippets say.
        people: who is rung for pages, name -> address.
        within_s: how long to try to connect.
    """
    async with _connected(access, within_s) as (ami, ari, findings):
        if ami is not None and ari is not None:
            findings.extend(await check_pbx(ami, ari, side, access.host, people or {}))
    return findings


@asynccontextmanager
async def _connected(
    access: AsteriskAccess, within_s: float
) -> AsyncIterator[tuple[AmiClient | None, AriClient | None, list[Finding]]]:
    # An application of its own: whoever connects to one takes it away from who had it.
    ari = AriClient(access.ari_url, access.ari_user, access.ari_password, app=f"bagvagt-check-{secrets.token_hex(4)}")
    ready = asyncio.Event()

    async def on_connected(_epoch: Epoch) -> None:
        ready.set()

    ami = AmiClient(
        access.host,
        access.ami_port,
        access.ami_user,
        access.ami_secret,
        on_event=lambda _message: None,
        on_connected=on_connected,
        wanted=(),
    )
    tasks = [asyncio.create_task(ami.run()), asyncio.create_task(ari.run())]
    try:
        deadline = asyncio.get_running_loop().time() + within_s
        while asyncio.get_running_loop().time() < deadline:
            if (ready.is_set() or _is_refused(ami)) and (ari.is_ready or _is_refused(ari)):
                break
            await asyncio.sleep(0.02)
        findings = []
        if not ready.is_set():
            findings.append(_no_ami(access, ami.last_error))
        if not ari.is_ready:
            findings.append(_no_ari(access, ari.last_error))
        yield (ami if ready.is_set() else None), (ari if ari.is_ready else None), findings
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _is_refused(client: AmiClient | AriClient) -> bool:
    return isinstance(client.last_error, PbxRejectedError)


def _no_ami(access: AsteriskAccess, error: PbxError | None) -> Finding:
    if isinstance(error, PbxRejectedError):
        what = f"Asterisk refuses the manager user {access.ami_user} ({error.detail})"
        return Finding("error", what, "Compare user, secret and permit= with manager.d/bagvagt.conf; manager reload.")
    what = f"AMI does not answer at {access.host}:{access.ami_port} ({error or 'no answer'})"
    return Finding("error", what, "In manager.conf: enabled=yes, bindaddr= and port= as in [pbx].")


def _no_ari(access: AsteriskAccess, error: PbxError | None) -> Finding:
    if isinstance(error, PbxRejectedError):
        what = f"Asterisk refuses the ARI user {access.ari_user} ({error.detail})"
        return Finding("error", what, "Compare user and password with ari.d/bagvagt.conf; module reload res_ari.so.")
    what = f"ARI does not answer at {access.ari_url} ({error or 'no answer'})"
    return Finding("error", what, "In http.conf: enabled=yes and bindaddr=; in ari.conf: enabled=yes.")


async def check_pbx(
    ami: AmiClient, ari: AriClient, side: AsteriskSide, host: str, people: Mapping[str, str]
) -> list[Finding]:
    """Check a PBX over connections that are up; changes nothing."""
    checks: tuple[Callable[[], Awaitable[list[Finding]]], ...] = (
        lambda: check_version(ari),
        lambda: check_rights(ami, ari),
        lambda: check_modules(ari, side),
        lambda: check_dialplan(ami, side),
        lambda: check_endpoints(ari),
        lambda: check_rung(ari, people),
        lambda: check_members(ami),
        lambda: check_media(side, host),
    )
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += await check()
        except PbxError as error:
            findings.append(Finding("unseen", f"{error.action} was refused: {error.detail}", "See the manager user."))
    return findings
