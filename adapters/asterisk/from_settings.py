"""The Asterisk adapter, as a policy file asks for it."""

import hmac
from collections.abc import Callable

from adapters.asterisk.pbx import AsteriskAccess, AsteriskPbx
from adapters.asterisk.pbx_check import Finding, check_access
from adapters.asterisk.queues import AgentRecord
from adapters.asterisk.snippets import AsteriskSide, Media, asterisk_snippets
from adapters.prompts.library import PromptLibrary
from policies.model import AgentId
from telephony.ports import Clock
from telephony.settings import Settings


def asterisk_pbx(
    settings: Settings, clock: Clock, prompts: PromptLibrary, caller_tag: Callable[[str], str]
) -> AsteriskPbx:
    """Return the PBX that the policy names."""
    return AsteriskPbx(
        _access(settings),
        clock,
        prompts,
        _media(settings),
        caller_tag=caller_tag,
        language_of=lambda queue, channel: language_of(settings, queue, channel),
        agents=_agents(settings),
        key_token=key_token(_access(settings).ami_secret),
    )


def language_of(settings: Settings, queue: str, channel: str) -> str:
    """Return a caller's language: the queue's, else the channel's own where prompts are kept in it, else the site's."""
    named = settings.queues.get(queue)
    if named is not None and named.language:
        return named.language
    channel = channel.lower()
    return channel if channel in settings.prompts.languages else settings.site.language


def snippets(settings: Settings) -> dict[str, str]:
    """Return what the PBX needs: file below /etc/asterisk -> text."""
    return asterisk_snippets(_side(settings))


async def check_asterisk(settings: Settings) -> list[Finding]:
    """Look at the running PBX; change nothing."""
    rung = {name: person.voice for name, person in settings.people.items() if person.voice}
    return await check_access(_access(settings), _side(settings), rung)


def _access(settings: Settings) -> AsteriskAccess:
    pbx = settings.pbx
    return AsteriskAccess(
        host=pbx.host,
        ami_port=pbx.ami_port,
        ami_user=pbx.ami_user,
        ami_secret=settings.secret(pbx.ami_secret_file),
        ari_url=pbx.ari_url,
        ari_user=pbx.ari_user,
        ari_password=settings.secret(pbx.ari_secret_file),
    )


def _side(settings: Settings) -> AsteriskSide:
    access = _access(settings)
    return AsteriskSide(
        ami_user=access.ami_user,
        ami_secret=access.ami_secret,
        ari_user=access.ari_user,
        ari_password=access.ari_password,
        media=_media(settings),
        keys={name: key.code for name, key in settings.keys.items() if key.code},
        speed_dials={name: key.speed_dial for name, key in settings.keys.items() if key.speed_dial},
        key_token=key_token(access.ami_secret),
    )


def key_token(ami_secret: str) -> str:
    """Return what a key's event must carry: known to whoever knows the manager's secret, and told by no setting."""
    return hmac.digest(ami_secret.encode(), b"bagvagt: an agent's key, version 1", "sha256").hex()[:32]


def _media(settings: Settings) -> Media:
    return Media(f"sound:{settings.media_base}")


def _agents(settings: Settings) -> list[AgentRecord]:
    return [
        AgentRecord(
            AgentId(name), agent.interface, team=agent.team, name=agent.name or name, language=agent.language or ""
        )
        for name, agent in settings.agents.items()
        if agent.interface
    ]
