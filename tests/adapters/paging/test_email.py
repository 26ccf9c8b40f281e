"""E-mail to a real SMTP server on loopback, which refuses, is slow, and breaks off."""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import AuthResult, Envelope, Session
from structlog.testing import capture_logs

from adapters.paging.email import EmailChannel, EmailConfig, Security
from adapters.paging.links import Links
from adapters.paging.pager import ChannelPager
from policies.actions import Answer, ReplyTo, StandDown
from policies.events import Delivery, Notified
from policies.model import Outcome
from policies.rules import Severity
from tests.adapters.paging.post import FINE, Post, breaks_off, never, post, says
from tests.adapters.paging.stage import LIMIT_S, HandClock, alarm, taken

ANNA, SENDER, PASSWORD = "anna@example.dk", "vagt@example.dk", "s3cr3t-pass"
LINKS = Links("https://vagt.example", b"of the tests, and of nobody else")


def pager(port: int, deadline_s: float = LIMIT_S, **changed: Any) -> ChannelPager:
    """A pager with e-mail alone."""
    values: dict[str, Any] = {"security": Security.NONE, **changed}
    clock = HandClock()
    channel = EmailChannel(EmailConfig("127.0.0.1", SENDER, port, **values), clock, LINKS)

    async def at_once(_: float) -> None:
        await asyncio.sleep(0)

    return ChannelPager({"email": channel}, clock, deadline_s=deadline_s, sleep=at_once)


async def sent(at: Post, **changed: Any) -> Notified:
    """One alarm to Anna."""
    return await pager(at.port, **changed).notify(alarm("email", ANNA))


async def test_an_alarm_by_mail() -> None:
    """Proves what Anna gets: urgency and incident in the subject, the link in the text, and headers to sort it by."""
    async with post() as at:
        notified = await sent(at)
    assert (notified.delivery, notified.detail) == (Delivery.SENT, "SMTP 250")
    [(envelope, mail)] = at.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, [ANNA])
    assert (mail["From"], mail["To"]) == (f"Bagvagt <{SENDER}>", ANNA)
    assert mail["Subject"] == "Bagvagt: AKUT alarm, hændelse i-7. Tag den her."
    assert mail.get_content().strip() == f"Bagvagt: AKUT alarm, hændelse i-7. Tag den: {LINKS('p-1-backup.0')}"
    assert mail.get_content_type() == "text/plain"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert (mail["Importance"], mail["X-Priority"], mail["Content-Language"]) == ("high", "1", "da")
    assert mail["Date"].datetime == HandClock().now()


async def test_every_attempt_is_the_same_mail() -> None:
    """Proves that a repeated message is known as such, another one is another, and a page is one thread."""
    async with post() as at:
        one = pager(at.port)
        await one.notify(alarm("email", ANNA))
        await one.notify(alarm("email", ANNA, id="a-2", attempt=2))
        await one.notify(alarm("email", ANNA, id="a-3", message="p-1-backup.4", severity=Severity.URGENT))
        await one.stand_down(taken(("email", ANNA, "sv")))
        await one.notify(alarm("email", ANNA, id="a-5", page="p-2", message="p-2.0"))
    mails = [mail for _, mail in at.mails]
    ids = [mail["Message-ID"] for mail in mails]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert all(str(id_).endswith("@example.dk>") for id_ in ids)
    assert len({mail["References"] for mail in mails[:4]}) == 1
    assert mails[4]["References"] != mails[0]["References"]
    assert all(mail["In-Reply-To"] == mail["References"] for mail in mails)
    assert mails[2]["Importance"] is None
    assert mails[3]["Subject"] == "Bagvagt: Bo har tagit händelse i-7."


async def test_a_test_that_lapsed_is_let_lie() -> None:
    """Proves that nobody is told that nobody has it; and that e-mail has no replies to answer."""
    gone = StandDown(id="a-9", page="t-1", incident="t-1", by="", told=(("email", ANNA, "da"),))
    back = ReplyTo(id="a-9", channel="email", address=ANNA, language="da", answer=Answer.NOTHING)
    async with post() as at:
        assert (await pager(at.port).stand_down(gone)).outcome is Outcome.DONE
        assert (await pager(at.port).reply(back)).outcome is Outcome.FAILED
    assert at.mails == []


@pytest.mark.parametrize(
    ("on_rcpt", "on_data", "delivery", "detail"),
    [
        ("250 OK", "451 4.3.0 try again", Delivery.DEFERRED, "SMTP 451 4.3.0"),
        ("450 greylisted", FINE, Delivery.DEFERRED, "SMTP 450"),
        (f"550 5.1.1 <{ANNA}>: unknown", FINE, Delivery.REFUSED, "SMTP 550 5.1.1"),
        ("250 OK", f"554 5.7.1 no spam to {ANNA}", Delivery.REFUSED, "SMTP 554 5.7.1"),
    ],
)
async def test_what_an_answer_means(on_rcpt: str, on_data: str, delivery: Delivery, detail: str) -> None:
    """Proves that 4xx is tried again and 5xx is not, to address and message; kept is the code and no address."""
    async with post() as at:
        at.on_rcpt, at.on_data = says(on_rcpt), says(on_data)
        with capture_logs() as logs:
            notified = await sent(at)
    assert (notified.delivery, notified.detail) == (delivery, detail)
    assert ANNA not in repr(logs)


async def test_a_server_that_breaks_off_or_is_silent_once_it_has_the_message() -> None:
    """Proves that a message which may have been taken is neither called sent nor lost."""
    async with post() as at:
        at.on_data = breaks_off
        notified = await sent(at)
        assert (notified.delivery, notified.detail.startswith("no answer to the message")) == (Delivery.UNKNOWN, True)
    async with post() as at:
        at.on_data = never
        assert (await sent(at, deadline_s=1.0)).delivery is Delivery.UNKNOWN
        assert at.has_read.is_set()


async def test_a_server_that_is_not_there_or_never_comes_to_the_message() -> None:
    """Proves that nothing was sent, and is tried again: nobody listens; one that says nothing; one that hangs up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        notified = await pager(probe.getsockname()[1]).notify(alarm("email", ANNA))
        assert (notified.delivery, notified.detail) == (Delivery.DEFERRED, "nothing was sent: ConnectionRefusedError")
        probe.listen()  # takes the connection, and is silent
        silent = pager(probe.getsockname()[1], ready_s=0.3)
        assert (await silent.notify(alarm("email", ANNA))).delivery is Delivery.DEFERRED
    async with post() as at:
        at.on_rcpt = breaks_off
        assert (await sent(at)).delivery is Delivery.DEFERRED


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """The certificate of an authority, and a server's context with one that it signed."""
    ca = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem", context


def is_anna(_s: Any, _session: Session, _e: Envelope, _m: str, login: Any) -> AuthResult:
    return AuthResult(success=(login.login, login.password) == (b"vagt", PASSWORD.encode()), handled=False)


async def test_starttls_and_a_login(authority: tuple[Path, ssl.SSLContext], tmp_path: Path) -> None:
    """Proves that the login goes over an encrypted connection; a wrong password is refused, told nowhere, read anew."""
    ca_file, context = authority
    file = tmp_path / "password"
    secure: dict[str, Any] = {
        "security": Security.STARTTLS,
        "ca_file": ca_file,
        "user": "vagt",
        "password_file": file,
    }
    async with post(tls_context=context, require_starttls=True, authenticator=is_anna, auth_required=True) as at:
        with capture_logs() as logs:
            gone = await sent(at, **secure)
            file.write_text("wr0ng\n")
            wrong = await sent(at, **secure)
            file.write_text(f"{PASSWORD}\n")
            right = await sent(at, **secure)
    assert (gone.delivery, gone.detail) == (Delivery.DEFERRED, "nothing was sent: FileNotFoundError")
    assert (wrong.delivery, wrong.detail) == (Delivery.REFUSED, "SMTP 535 5.7.8")
    assert (right.delivery, at.encrypted) == (Delivery.SENT, [True])
    assert "wr0ng" not in repr(logs)
    assert PASSWORD not in repr(logs)


async def test_tls_from_the_beginning(authority: tuple[Path, ssl.SSLContext]) -> None:
    """Proves the other way to encrypt."""
    ca_file, context = authority
    async with post(context) as at:
        assert (await sent(at, security=Security.TLS, ca_file=ca_file)).delivery is Delivery.SENT
    assert len(at.mails) == 1


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
async def test_a_certificate_that_nobody_vouches_for(
    authority: tuple[Path, ssl.SSLContext], tmp_path: Path, security: Security
) -> None:
    """Proves that nothing is sent to a server that cannot prove its name, nor with an authority's file that is gone."""
    _, context = authority
    at_once = {"on_connect": context} if security is Security.TLS else {"tls_context": context}
    async with post(**at_once) as at:
        for ca_file in (None, tmp_path / "gone.pem"):
            assert (await sent(at, security=security, ca_file=ca_file)).delivery is Delivery.DEFERRED
    assert at.mails == []


async def test_a_server_that_does_not_encrypt_gets_nothing() -> None:
    """Proves that STARTTLS which somebody on the way has cut out does not make us speak openly."""
    async with post() as at:
        assert (await sent(at, security=Security.STARTTLS)).delivery is Delivery.DEFERRED
    assert at.mails == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "anna",
        "anna@",
        "@example.dk",
        "anna@example.dk\r\nBcc: eve@evil.example",
        "anna@example.dk, eve@evil.example",
        "anna@example.dk>",
        "æ@example.dk",
        "Anna <anna@example.dk>",
    ],
)
async def test_an_address_that_is_none(address: str) -> None:
    """Proves that no address brings a second one or a header with it, and that the refusal does not repeat it."""
    async with post() as at:
        notified = await pager(at.port).notify(alarm("email", address))
    assert notified.delivery is Delivery.REFUSED
    assert "example.dk>" not in notified.detail
    assert "evil" not in notified.detail
    assert at.mails == []


async def test_an_id_and_a_name_bring_no_header_with_them() -> None:
    """Proves that line breaks in what others have named stay out of the headers."""
    bad = "i-7\r\nBcc: eve@evil.example"
    async with post() as at:
        one = pager(at.port)
        await one.notify(alarm("email", ANNA, incident=bad, message=f"p\r\n{bad}", page=bad))
        by = StandDown(id=bad, page=bad, incident=bad, by=f"Bo{bad}", told=(("email", ANNA, "da"),))
        assert (await one.stand_down(by)).outcome is Outcome.DONE
    assert len(at.mails) == 2
    for envelope, mail in at.mails:
        assert mail["Bcc"] is None
        assert envelope.rcpt_tos == [ANNA]


def test_a_sender_that_is_none_is_found_at_start() -> None:
    """Proves that a mistake in the policy shows when it is loaded, not at night."""
    with pytest.raises(ValueError, match="sender"):
        EmailChannel(EmailConfig("post", "vagt"), HandClock(), LINKS)


async def test_without_links_the_mail_names_the_duty_desk() -> None:
    """Proves that a site whose panel nobody reaches from outside does not promise a link."""
    async with post() as at:
        config = EmailConfig("127.0.0.1", SENDER, at.port, Security.NONE)
        await EmailChannel(config, HandClock(), lambda _: "").tell(alarm("email", ANNA))
    assert "Tag den ved vagtbordet" in at.only().get_content()
    assert "Tag den her" not in at.only()["Subject"]
