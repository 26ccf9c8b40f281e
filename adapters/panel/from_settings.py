"""The panel and the API as a policy file asks for them: everything that stands on the web, in one piece."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from adapters.accounts import api
from adapters.accounts import from_settings as logins
from adapters.from_settings import store_url, tokens
from adapters.http.access import Access
from adapters.http.doors import Doors
from adapters.http.server import HttpConfig, HttpServer
from adapters.metrics import Metrics
from adapters.paging.from_settings import Channels, sms_webhook
from adapters.panel.admin.checks import Check, PbxChecks
from adapters.panel.admin.doors import Admin, add_admin
from adapters.panel.admin.loads import Loads
from adapters.panel.admin.pseudonyms import Pseudonyms
from adapters.panel.admin.routes import routes as admin_routes
from adapters.panel.admin.shelf import Shelf
from adapters.panel.admin.trail import Trail
from adapters.panel.api import Panel
from adapters.panel.app import make_app
from adapters.panel.identity import viewer, who_may
from adapters.panel.login import LoginPages, add_login
from adapters.panel.pages import STATIC, Pages, Site
from adapters.panel.past import PastPages
from adapters.panel.sso import SsoPages
from adapters.panel.streams import Hub
from adapters.panel.take import TakePages
from adapters.prompts.library import PromptLibrary
from adapters.store.journal import StoreJournal
from telephony.engine import Engine
from telephony.errors import ConfigError
from telephony.ports import Clock, Pbx
from telephony.screens.show import Screens
from telephony.settings import Settings


@dataclass(frozen=True, slots=True)
class Running:
    """What the panel shows, and acts upon.

    Attributes:
        engine: the running one.
        pbx: the engine's.
        clock: the engine's.
        journal: the engine's.
        hub: listens to the engine.
        health: as `telephony.watchdog.Health.read`.
        metrics: of the service.
        prompts: for the PBX.
        site_key: see `adapters.privacy.read_or_make_key`.
        channels: to people; their messages hold links to here.
        check_pbx: looks at the PBX; None where there is none to look at.
        say: told of the first admin's one-time link.
    """

    engine: Engine
    pbx: Pbx
    clock: Clock
    journal: StoreJournal
    hub: Hub
    health: Callable[[], dict[str, Any]]
    metrics: Metrics
    prompts: PromptLibrary
    site_key: bytes
    channels: Channels
    check_pbx: Check | None
    say: Callable[[str], None]


class Web:
    """The web side.

    Args:
        settings: the policy that it starts with.
        on: the running service.

    Attributes:
        login: who may log in.
        server: what serves it.
    """

    def __init__(self, settings: Settings, on: Running) -> None:
        http = settings.http
        self._access = Access(tokens(settings), http.action_url_from, http.presses_per_minute)
        self._loads = Loads(settings, on.clock)
        self._pages = Pages(_site(settings), viewer)
        self._screens = Screens(on.engine, on.pbx, on.health, on.clock, on.hub.recent, settings.panel.hotkeys)
        audit = logins.audit_by(on.engine)
        self.login = logins.make_login(settings, on.journal, on.clock, audit)
        by_form = LoginPages(self._pages.page)
        routes = (
            *by_form.routes(),
            *SsoPages(by_form).routes(),
            *self._pages.routes(),
            *TakePages(self._pages, on.channels.links).routes(),
            *(hook.routes() if (hook := sms_webhook(settings, on.engine.take, on.clock)) is not None else ()),
            *api.ROUTES,
            *admin_routes(self._pages),
        )
        doors = Doors(on.engine, self._access, on.prompts, on.metrics, on.health)
        app = make_app(
            doors,
            Panel(self._screens, on.hub, on.pbx, PastPages(store_url(settings))),
            middlewares=[who_may],
            routes=routes,
        )
        app.router.add_static("/panel/static", STATIC)
        add_login(app, self.login, on.say)
        add_admin(
            app,
            Admin(
                loads=self._loads,
                shelf=Shelf(on.prompts, lambda: self._loads.settings),
                pbx=PbxChecks(on.clock, on.check_pbx),
                trail=Trail(store_url(settings), lambda: on.journal.head, on.clock),
                pseudonyms=Pseudonyms(on.site_key),
                audit=audit,
                auditor_sees_names=settings.panel.auditor_sees_names,
            ),
        )
        tls = logins.tls_context(settings)
        self.server = HttpServer(HttpConfig(http.host, http.port, tls, http.tls_host or http.host, http.tls_port), app)

    def loaded(self, settings: Settings) -> None:
        """Put a reloaded policy in force, as far as it concerns the web."""
        http = settings.http
        self._access.replace(tokens(settings), http.action_url_from, http.presses_per_minute)
        self._screens.own_hotkeys = settings.panel.hotkeys
        self._pages.site = _site(settings)
        self._loads.loaded(settings)
        logins.reloaded(self.login, settings)

    def refused(self, error: ConfigError) -> None:
        """Show that a changed policy was not taken."""
        self._loads.refused(error)


def _site(settings: Settings) -> Site:
    acute = frozenset(name for name, kind in settings.kinds.items() if kind.latched)
    return Site(settings.site.name, ZoneInfo(settings.site.zone), acute, desk=settings.panel.desk_phone)
