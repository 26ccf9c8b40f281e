"""Logging in, as a policy file asks for it."""

import ssl
from typing import TYPE_CHECKING

from yarl import URL

from adapters.accounts.accounts import Accounts, Audit
from adapters.accounts.invitations import Invitations
from adapters.accounts.login import Login
from adapters.accounts.model import Role
from adapters.accounts.phone_tokens import PhoneTokens
from adapters.accounts.rows import Store
from adapters.accounts.sessions import Sessions
from policies import events as ev
from telephony.engine import Engine
from telephony.ports import Clock
from telephony.settings import Settings
from telephony.settings.surroundings import Oidc

if TYPE_CHECKING:  # single sign-on takes long to import, and most sites have none
    from adapters.accounts.oidc import OidcConfig
    from adapters.accounts.sign_on import SignOn


def make_login(settings: Settings, store: Store, clock: Clock, audit: Audit) -> Login:
    """Return what logs people in. Nothing is read before `adapters.panel.login.add_login` runs it."""
    sessions = Sessions(store, clock, settings.panel.session_s, settings.panel.idle_s)
    accounts = Accounts(store, sessions, audit)
    return Login(
        accounts=accounts,
        sessions=sessions,
        phone_tokens=PhoneTokens(store, clock, audit),
        invitations=Invitations(store, clock, accounts),
        audit=audit,
        clock=clock,
        url=_url(settings),
        address=address_of(settings),
        language=settings.site.language,
        sign_on=_sign_on(settings, clock, accounts, sessions),
    )


def reloaded(login: Login, settings: Settings) -> None:
    """Put in force what a reloaded policy says. Another provider needs a restart."""
    login.url = _url(settings)
    login.language = settings.site.language
    login.sessions.lasts_s, login.sessions.idle_s = settings.panel.session_s, settings.panel.idle_s
    login.reread()


def address_of(settings: Settings) -> str:
    """Return the address of the panel: the one that policy gives, else as this machine knows it."""
    http = settings.http
    if settings.panel.url:
        return _url(settings)
    has_tls = bool(http.certificate_file)
    host, port = (http.tls_host or http.host, http.tls_port) if has_tls else (http.host, http.port)
    if host in ("0.0.0.0", "::"):  # noqa: S104 -- compared with, not listened on
        host = "127.0.0.1"
    scheme = "https" if has_tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def audit_by(engine: Engine) -> Audit:
    """Return what makes an audit line of the engine's journal."""

    def audit(by: str, what: str, whom: str, address: str) -> None:
        engine.take(ev.AccessChanged(**engine.stamp(), by=by, what=what, whom=whom, address=address))

    return audit


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Return what the server needs to speak TLS, None without a certificate.

    Raises:
        OSError: the files cannot be used; `load` has looked, so they have changed since.
    """
    http = settings.http
    if not http.certificate_file:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.path(http.certificate_file), settings.path(http.key_file), password="")
    return context


def _url(settings: Settings) -> str:
    """As browsers write it in `Origin`: small letters, no default port, no slash at its end."""
    return str(URL(settings.panel.url).origin()) if settings.panel.url else ""


def _sign_on(settings: Settings, clock: Clock, accounts: Accounts, sessions: Sessions) -> "SignOn | None":
    oidc = settings.panel.oidc
    if oidc is None:
        return None
    from adapters.accounts.oidc import Provider  # noqa: PLC0415 -- see above
    from adapters.accounts.sign_on import SignOn  # noqa: PLC0415 -- see above

    return SignOn(Provider(_config(settings, oidc), clock.now), clock, accounts, sessions)


def _config(settings: Settings, oidc: Oidc) -> "OidcConfig":
    from adapters.accounts.oidc import OidcConfig  # noqa: PLC0415 -- see above

    return OidcConfig(
        issuer=oidc.issuer,
        client_id=oidc.client_id,
        client_secret=settings.secret(oidc.client_secret_file) if oidc.client_secret_file else "",
        scopes=tuple(oidc.scopes),
        name_claim=oidc.name_claim,
        agent_claim=oidc.agent_claim,
        roles_claim=oidc.roles_claim,
        roles={group: frozenset(map(Role, roles)) for group, roles in oidc.roles.items()},
        label=oidc.label,
        tls=ssl.create_default_context(cafile=str(settings.path(oidc.ca_file))) if oidc.ca_file else None,
    )
