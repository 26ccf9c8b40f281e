"""The policy file's [panel] and the TLS of [http]: what is wrong with them, and what becomes of them."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.accounts.from_settings import address_of, audit_by, make_login, reloaded, tls_context
from adapters.accounts.model import Role
from adapters.http.problems import add_headers
from adapters.store.journal import open_journal
from policies import events as ev
from telephony.settings import Settings, check, load
from tests.adapters.accounts.house import url_in
from tests.telephony.fakes import FakeClock, Service
from tests.telephony.site_folder import SMALL, changed, site

OIDC = """
issuer = "https://idp.example/realms/x"
client_id = "bagvagt"
client_secret_file = "secrets/oidc"
roles = {vagt = ["backup", "chief"], "Alle ansatte" = ["agent"]}
"""
URL = 'url = "https://Bagvagt.example.dk:443/"'


def certificate(folder: Path, *, begins_days: float = -1, ends_days: float = 90, other_key: bool = False) -> None:
    """Write a certificate for 127.0.0.1 and its key, or a key that belongs to another one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins_days))
        .not_valid_after(now + timedelta(days=ends_days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "panel.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    kept = ec.generate_private_key(ec.SECP256R1()) if other_key else key
    forms = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "panel.key").write_bytes(kept.private_bytes(*forms))
    (folder / "panel.key").chmod(0o600)


TLS = 'certificate_file = "panel.crt"\nkey_file = "panel.key"'


def found(folder: Path, *sections: tuple[str, str]) -> list[tuple[str, str, str]]:
    """Return key, severity and words of what is wrong with a small policy that has these sections too."""
    text = SMALL
    for section, lines in sections:
        text = changed(text, section, lines) if not lines.startswith("\n") else f"{text}\n[{section}]{lines}"
    path = site(folder, text)
    (folder / "secrets" / "oidc").write_text("s3cret")
    (folder / "secrets" / "oidc").chmod(0o600)
    return [(m.key, m.severity, m.message) for m in check(path)]


def loaded(folder: Path, *sections: tuple[str, str]) -> Settings:
    assert [f for f in found(folder, *sections) if f[1] == "error"] == []
    return load(folder / "bagvagt.toml")


# --- [panel] ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "key", "severity", "words"),
    [
        ('url = "http://panel.example"', "panel.url", "error", "unencrypted"),
        ('url = "https://panel.example/x"', "panel.url", "error", "has a path"),
        ('url = "https://panel.example?x"', "panel.url", "error", "has a path"),
        ('url = "panel.example"', "panel.url", "error", "not a web address"),
        ("session_s = 60", "panel.session_s", "error", "out of range"),
        ("idle_s = 90000", "panel.idle_s", "warning", "is over before"),
        ('hotkeys = {warm = "F8"}', "panel.hotkeys.warm", "error", 'no key "warm"'),
        ('hotkeys = {warn = "F5"}', "panel.hotkeys.warn", "error", "not one of them"),
    ],
)
def test_what_is_wrong_with_the_panel(lines: str, key: str, severity: str, words: str, tmp_path: Path) -> None:
    """Each mistake is said at its key."""
    ((where, how, what),) = found(tmp_path, ("panel", lines))
    assert (where, how) == (key, severity)
    assert words in what


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        (('issuer = "https://', 'issuer = "http://'), "panel.oidc.issuer", "anybody on the way"),
        (('"secrets/oidc"', '"secrets/none"'), "panel.oidc.client_secret_file", "there is no file"),
        (('["backup", "chief"]', '["king"]'), "panel.oidc.roles.vagt[0]", "not one of them"),
        (('roles = {vagt = ["backup", "chief"], "Alle ansatte" = ["agent"]}', ""), "panel.oidc.roles", "no group"),
        (("client_id", 'scopes = ["profile"]\nclient_id'), "panel.oidc.scopes", 'no "openid"'),
        (("client_id", 'ca_file = "none"\nclient_id'), "panel.oidc.ca_file", "there is no file"),
        (('client_id = "bagvagt"', ""), "panel.oidc.client_id", "is missing"),
    ],
)
def test_what_is_wrong_with_single_sign_on(change: tuple[str, str], key: str, words: str, tmp_path: Path) -> None:
    """Likewise."""
    assert change[0] in OIDC
    mistakes = found(tmp_path, ("panel", URL), ("panel.oidc", OIDC.replace(*change)))
    assert [where for where, _, _ in mistakes] == [key]
    assert words in mistakes[0][2]


def test_single_sign_on_needs_the_panels_address(tmp_path: Path) -> None:
    """A provider sends browsers back to it."""
    assert [key for key, _, _ in found(tmp_path, ("panel.oidc", OIDC))] == ["panel.oidc"]


async def test_what_becomes_of_it(tmp_path: Path) -> None:
    """Times, address as browsers write it, provider with its secret and roles; a reload changes the times."""
    settings = loaded(tmp_path, ("panel", f"{URL}\nsession_s = 600\nidle_s = 300"), ("panel.oidc", OIDC))
    async with open_journal(url_in(tmp_path)) as journal:
        login = make_login(settings, journal, FakeClock(), lambda *_: None)
        assert (login.url, login.address) == ("https://bagvagt.example.dk", "https://bagvagt.example.dk")
        assert (login.sessions.lasts_s, login.sessions.idle_s, login.language) == (600, 300, "da")
        assert login.sign_on is not None
        config = login.sign_on.provider.config
        assert (config.issuer, config.client_secret) == ("https://idp.example/realms/x", "s3cret")
        assert config.roles["vagt"] == {Role.BACKUP, Role.CHIEF}
        assert config.roles["Alle ansatte"] == {Role.AGENT}
        assert "s3cret" not in repr(config)
        reloaded(login, loaded(tmp_path, ("panel", "session_s = 900\nidle_s = 800")))
        assert (login.url, login.sessions.lasts_s, login.sessions.idle_s) == ("", 900, 800)


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        ("", "http://127.0.0.1:8480"),
        ('host = "0.0.0.0"\nport = 80', "http://127.0.0.1:80"),
        ('host = "::1"', "http://[::1]:8480"),
        (f'{TLS}\ntls_host = "10.0.0.1"', "https://10.0.0.1:8443"),
    ],
)
def test_where_the_first_link_leads(lines: str, address: str, tmp_path: Path) -> None:
    """To the panel's address; without one, to where this machine reaches it."""
    certificate(tmp_path)
    assert address_of(loaded(tmp_path, ("http", lines or "port = 8480"))) == address


async def test_every_change_is_an_event_of_the_engine() -> None:
    """Which decides nothing; the journal has it."""
    service = Service()
    async with service.running():
        audit_by(service.engine)("anna", "login", "anna", "10.0.0.7")
        await service.until(lambda: service.saw(ev.AccessChanged))
        (event,) = service.saw(ev.AccessChanged)
        assert (event.by, event.what, event.whom, event.address) == ("anna", "login", "anna", "10.0.0.7")
        assert service.engine.state.guards == {}


# --- TLS ----------------------------------------------------------------------------------------------------------


def test_what_is_wrong_with_a_certificate(tmp_path: Path) -> None:
    """What cannot work is an error; what browsers will refuse is a warning, since alarms must start all the same."""
    assert found(tmp_path, ("http", TLS))[0][0] == "http.key_file"
    certificate(tmp_path)
    assert found(tmp_path, ("http", TLS)) == []
    assert "go together" in found(tmp_path, ("http", 'certificate_file = "panel.crt"'))[0][2]
    assert found(tmp_path, ("http", f"{TLS}\ntls_port = 8480"))[0][0] == "http.tls_port"
    (tmp_path / "panel.key").chmod(0o644)
    assert "read or changed by others" in found(tmp_path, ("http", TLS))[0][2]
    certificate(tmp_path, other_key=True)
    ((key, severity, words),) = found(tmp_path, ("http", TLS))
    assert (key, severity, "key values mismatch" in words) == ("http.certificate_file", "error", True)
    for begins, ends, said in ((-10, 20, "is valid until"), (-10, -1, "was valid until"), (2, 90, "is valid from")):
        certificate(tmp_path, begins_days=begins, ends_days=ends)
        ((key, severity, words),) = found(tmp_path, ("http", TLS))
        assert (key, severity, said in words) == ("http.certificate_file", "warning", True)
    (tmp_path / "panel.crt").write_text("no certificate")
    ((key, severity, _),) = found(tmp_path, ("http", TLS))
    assert (key, severity) == ("http.certificate_file", "error")


@asynccontextmanager
async def served(context: ssl.SSLContext) -> AsyncIterator[int]:
    async def show(request: web.Request) -> web.Response:
        return web.Response(text=str(request.secure))

    app = web.Application()
    app.router.add_get("/", show)
    app.on_response_prepare.append(add_headers)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def test_tls_is_spoken_and_said_to_browsers(tmp_path: Path) -> None:
    """A client that trusts the certificate reads it, TLS 1.2 at least; the answer tells it to stay with TLS."""
    certificate(tmp_path)
    context = tls_context(loaded(tmp_path, ("http", TLS)))
    assert context is not None
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    trusting = ssl.create_default_context(cafile=str(tmp_path / "panel.crt"))
    async with served(context) as port, aiohttp.ClientSession() as client:
        async with client.get(f"https://localhost:{port}/", ssl=trusting) as answer:
            assert await answer.text() == "True"
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        with pytest.raises(aiohttp.ClientError):
            await client.get(f"https://localhost:{port}/")
    assert tls_context(loaded(tmp_path, ("http", "port = 8480"))) is None
