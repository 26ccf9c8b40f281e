"""Contradictions in who may log in, and in how a browser reaches the panel."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from telephony.settings.fields import in_clear
from telephony.settings.files import exists, secret
from telephony.settings.look import Look
from telephony.settings.model import KeyPath
from telephony.settings.surroundings import Oidc
from telephony.settings.wording import did_you_mean

SOON = timedelta(days=21)


def check(look: Look) -> None:
    """Look for everything of this file's kind."""
    panel = look.settings.panel
    if panel.url:
        base(look, ("panel", "url"), panel.url, "passwords")
    if panel.idle_s > panel.session_s:
        message = "a login is over before it can have been idle for so long"
        look.doubtful(("panel", "idle_s"), message, "make idle_s smaller than session_s")
    _hotkeys(look)
    if panel.oidc is not None:
        _oidc(look, panel.oidc)
    _tls(look)


def base(look: Look, at: KeyPath, url: str, what: str) -> None:
    """Look at an address of this service; `what` goes there that nobody may read."""
    parts = urlsplit(url)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        look.wrong(at, "has a path", 'write only the beginning, as "https://bagvagt.example.dk"')
    if in_clear(url):
        message = f"{what} would go over the network unencrypted"
        look.wrong(at, message, 'begin with "https://", and see [http] certificate_file or use a proxy')


def _hotkeys(look: Look) -> None:
    used: dict[str, str] = {}
    for name, hotkey in look.settings.panel.hotkeys.items():
        at = ("panel", "hotkeys", name)
        if not look.knows("keys", name):
            hint = did_you_mean(name, look.names("keys"))
            look.wrong(at, f'there is no key "{name}"', f"add [keys.{name}], or remove the line{hint}")
        if hotkey and hotkey in used:
            look.wrong(at, f"{hotkey} is the hotkey of {used[hotkey]} too", "give each key its own")
        used.setdefault(hotkey, name)


def _oidc(look: Look, oidc: Oidc) -> None:
    at: KeyPath = ("panel", "oidc")
    if in_clear(oidc.issuer):
        look.wrong((*at, "issuer"), "anybody on the way could say who logs in", 'begin with "https://"')
    if not look.settings.panel.url:
        message = "the provider must know where a browser comes back to"
        look.wrong(at, message, 'add url = "https://…" to [panel]')
    if "openid" not in oidc.scopes:
        look.wrong((*at, "scopes"), 'there is no "openid" among them', 'write scopes = ["openid", "profile"]')
    if not any(oidc.roles.values()):
        message = "no group has a role, so nobody could log in"
        look.wrong((*at, "roles"), message, 'add [panel.oidc.roles], with lines as: group = ["chief"]')
    if oidc.client_secret_file:
        secret(look, (*at, "client_secret_file"), oidc.client_secret_file)
    if oidc.ca_file and not exists(look.resolve(oidc.ca_file)):
        look.wrong((*at, "ca_file"), f"there is no file {oidc.ca_file}", "name the certificate authority's file")


def _tls(look: Look) -> None:
    http = look.settings.http
    at: KeyPath = ("http", "certificate_file")
    if bool(http.certificate_file) != bool(http.key_file):
        look.wrong(at, "certificate_file and key_file go together", "give both, or neither")
    if not http.certificate_file or not http.key_file:
        return
    if http.tls_port == http.port and http.tls_host in ("", http.host):
        look.wrong(("http", "tls_port"), "is the port without TLS, too", "give each its own")
    if not secret(look, ("http", "key_file"), http.key_file, one_line=False):
        return
    certificate = look.resolve(http.certificate_file)
    if not exists(certificate):
        look.wrong(at, f"there is no file {http.certificate_file}", "name the certificate's file")
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, look.resolve(http.key_file), password="")
        begins, ends = _valid(certificate)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        words = getattr(error, "reason", None) or getattr(error, "strerror", None) or "cannot be read"
        remedy = "give a PEM file with the whole chain, and the key that belongs to it, without a password"
        look.wrong(at, f"cannot be used: {str(words).replace('_', ' ').lower()}", remedy)
        return
    # Never an error: a service that does not start over a certificate would take the alarms with it.
    now = datetime.now(UTC)
    if ends - now < SOON:
        words = "was valid until" if ends < now else "is valid until"
        look.doubtful(at, f"{words} {ends:%Y-%m-%d}, then browsers refuse the panel", "renew it")
    elif begins > now:
        look.doubtful(at, f"is valid from {begins:%Y-%m-%d}, and browsers refuse the panel until then", "wait")


def _valid(certificate: Path) -> tuple[datetime, datetime]:
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415 -- slow, and wanted with TLS alone

    first = load_pem_x509_certificate(certificate.read_bytes())
    return first.not_valid_before_utc, first.not_valid_after_utc
