"""The running service, put together: the one place besides the command line where adapters are wired in."""

from functools import partial
from pathlib import Path

import structlog

from adapters import from_settings as built
from adapters.asterisk.from_settings import asterisk_pbx, check_asterisk
from adapters.calendars.calendars import Calendars
from adapters.clock import SystemClock
from adapters.metrics import Metrics
from adapters.paging.from_settings import Channels
from adapters.paging.pager import ChannelPager
from adapters.panel.from_settings import Running, Web
from adapters.panel.identity import may_still
from adapters.panel.streams import Hub
from adapters.privacy import CallerTag, read_or_make_key
from adapters.simulator.pbx import SimulatedPbx
from adapters.simulator.timing import LoopTime
from adapters.simulator.world import SimWorld
from adapters.store.journal import open_journal
from adapters.watching.from_settings import watches
from adapters.watching.pulse import Pulse
from policies.rules import Policy
from telephony.engine import Engine
from telephony.ports import Clock
from telephony.service import Service
from telephony.settings import Settings, load
from telephony.settings import rules as resolve
from telephony.watchdog import Health, LoopLag


async def serve(file: Path, clock: Clock | None = None) -> None:
    """Run the service by a policy file, until a signal says stop.

    Args:
        file: the policy.
        clock: the machine's when left out.

    Raises:
        BagvagtError: it cannot start; the text says why.
    """
    settings = load(file, built.prompts_missing)
    clock = clock or SystemClock()
    metrics, lag, hub = Metrics(clock.now), LoopLag(), Hub(may_still)
    calendars = Calendars(settings, clock)
    prompts = built.prompt_library(settings)
    site_key = read_or_make_key(settings.path(settings.store.path).with_suffix(".key"))
    is_asterisk = settings.pbx.kind == "asterisk"
    async with open_journal(built.store_url(settings)) as journal:
        pbx = (
            asterisk_pbx(settings, clock, prompts, CallerTag(site_key))
            if is_asterisk
            else SimulatedPbx(SimWorld(LoopTime()), clock)
        )
        channels = Channels(settings, clock, pbx.page_calls, prompts, site_key)
        health = Health(clock, lag, lambda: channels.connected, lambda: str(journal.head))
        pulse = Pulse(journal.ping)
        engine = health.engine = pulse.engine = Engine(
            policy=Policy(calendars.into(resolve(settings))),
            pbx=pbx,
            pager=ChannelPager(channels.by_name, clock),
            journal=journal,
            clock=clock,
            listeners=(metrics, health, hub, pulse),
            measure=metrics.took,
            glimpsed=hub.glimpsed,
        )
        metrics.watch(loop_lag_s=lambda: lag.worst_s, unsaved=lambda: engine.saving.unsaved)
        web = Web(
            settings,
            Running(
                engine,
                pbx,
                clock,
                journal,
                hub,
                health.read,
                metrics,
                prompts,
                site_key,
                channels,
                check_pbx=partial(check_asterisk, settings) if is_asterisk else None,
                say=_say_link,
            ),
        )
        mqtt = channels.mqtt

        def reloaded(loaded: Settings) -> None:
            web.loaded(loaded)
            channels.loaded(loaded)

        service = Service(
            engine,
            health,
            lag,
            web.server,
            settings,
            ask_store=pulse.beat,
            prompts_missing=built.prompts_missing,
            reloaded=reloaded,
            refused=web.refused,
            calendars=calendars,
            gaps_seen=metrics.gaps,
            publish_head=mqtt.publish_head if mqtt is not None else None,
            head=lambda: str(journal.head),
            watches=watches(
                settings,
                engine,
                clock,
                health=health.read,
                pulse=pulse,
                mqtt=mqtt.publish_heartbeat if mqtt is not None else None,
                registry=metrics.registry,
            ),
            fenced=journal.fenced,
        )
        await service.run()


def _say_link(link: str) -> None:
    """Say the first admin's one-time link where whoever starts the service sees it; the journal of systemd keeps it."""
    structlog.get_logger().warning("first_admin", open=link, note="valid once, for 24 hours")
