"""The part of a policy file that says how people are reached, beside the broker: SMS, voice, e-mail; and who watches.

What each provider's interface is like, its adapter knows: here stand accounts, files with secrets, and addresses.
"""

from typing import Annotated, Literal

from pydantic import Field

from telephony.settings import fields as f

PAGE_PROMPTS = (
    "page-acute",
    "page-urgent",
    "page-normal",
    "page-drill",
    "page-test",
    "page-watch",
    "page-keys",
    "page-taken",
    "page-passed",
    "page-has-somebody",
)
"""What somebody may hear who is rung about a page."""


class Gateway(f.Strict):
    """An SMS provider's HTTP interface, as its manual describes it.

    Placeholders such as `{to}` and `{text}` stand for number and message, see `telephony.settings.carriers`.

    Attributes:
        url: where; may hold placeholders.
        method: "POST", "PUT" or "GET".
        headers_file: file of `Name: value` lines that holds the provider's key, "" for none.
        content_type: of the body: JSON or a form.
        body: what is sent.
    """

    url: f.Url
    method: Literal["POST", "PUT", "GET"] = "POST"
    headers_file: f.FileName = ""
    content_type: Literal["application/json", "application/x-www-form-urlencoded"] = "application/json"
    body: Annotated[str, Field(max_length=4000)] = ""


class Elks(f.Strict):
    """An account at 46elks.

    Attributes:
        user: API user name.
        password_file: file that holds the API password.
        url: of the interface.
    """

    user: Annotated[f.Account, Field(min_length=1)]
    password_file: Annotated[f.FileName, Field(min_length=1)]
    url: f.Url = "https://api.46elks.com/a1"


class GatewayApi(f.Strict):
    """An account at GatewayAPI.

    Attributes:
        token_file: file that holds the API token.
        url: of the interface.
    """

    token_file: Annotated[f.FileName, Field(min_length=1)]
    url: f.Url = "https://gatewayapi.eu/rest"


class Gammu(f.Strict):
    """A modem of this machine, driven by gammu-smsd.

    Attributes:
        folder: its spool, which holds outbox, inbox, sent and error.
    """

    folder: Annotated[f.FileName, Field(min_length=1)] = "/var/spool/gammu"


class Webhook(f.Strict):
    """Where a provider says what became of an SMS, and brings replies.

    What the fields of 46elks and GatewayAPI are called is known; the names are for `Gateway`.

    Attributes:
        secret_file: file that holds what the provider must show.
        url: this service as the provider reaches it, "" for the panel's address.
        networks: from which the provider calls (`from` in the file); empty for everywhere.
        message: field with the message's id, in a receipt; "" for no receipts.
        status: field with what became of it.
        delivered: its values for "on the phone".
        failed: its values for "will not arrive".
        number: field with the number that a reply comes from; "" for no replies.
        text: field with what it says.
    """

    secret_file: f.FileName = ""
    url: f.OptionalUrl = ""
    networks: list[f.Network] = Field(default_factory=list, alias="from")
    message: f.Text = ""
    status: f.Text = ""
    delivered: list[f.Text] = Field(default_factory=list)
    failed: list[f.Text] = Field(default_factory=list)
    number: f.Text = ""
    text: f.Text = ""


class Sms(f.Strict):
    """How SMS are sent: in one of the five ways.

    Attributes:
        apprise_url_file: file that holds one Apprise URL with `{to}` for the number.
        gateway: a provider's HTTP interface, described here.
        elks: 46elks.
        gatewayapi: GatewayAPI.
        gammu: a modem.
        webhook: where receipts and replies come in; None for nowhere.
        sender: whom the SMS says that it comes from.
        answer_at: where a page can be taken, for the text of an SMS that cannot be answered; "" for the duty desk.
    """

    apprise_url_file: f.FileName = ""
    gateway: Gateway | None = None
    elks: Elks | None = None
    gatewayapi: GatewayApi | None = None
    gammu: Gammu | None = None
    webhook: Webhook | None = None
    sender: f.Sender = "Bagvagt"
    answer_at: f.AnswerAt = ""

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways that are given, as their keys in the file."""
        return tuple(way for way in WAYS if getattr(self, way))

    @property
    def takes_replies(self) -> bool:
        """Whether a person's answer comes back."""
        if self.gammu is not None:
            return True
        hook = self.webhook
        return hook is not None and bool(self.elks or self.gatewayapi or (self.gateway and hook.number and hook.text))


WAYS = ("apprise_url_file", "gateway", "elks", "gatewayapi", "gammu")


class Voice(f.Strict):
    """Calls to people through the PBX.

    Attributes:
        caller_id: shown on the person's phone; "" for what the trunk shows.
        ring_s: how long it rings.
        repeat: how often the announcement is said.
        most_calls: at once, acute ones besides.
    """

    caller_id: f.CallerId = ""
    ring_s: Annotated[float, Field(ge=5, le=120)] = 30.0
    repeat: Annotated[int, Field(ge=1, le=10)] = 3
    most_calls: Annotated[int, Field(ge=1, le=100)] = 4


class Email(f.Strict):
    """The mail server.

    Attributes:
        host: the server.
        port: likewise.
        security: "starttls" begins plain and encrypts, "tls" is encrypted from the beginning.
        user: account, "" for none.
        password_file: file that holds its password.
        sender: address that the mail comes from.
        ca_file: certificate authority of the server, "" for the system's own.
    """

    host: f.Host
    port: f.Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: f.Account = ""
    password_file: f.FileName = ""
    sender: f.Mail
    ca_file: f.FileName = ""


class Heartbeat(f.Strict):
    """A sign of life to somebody outside, who raises the alarm when it stops.

    Attributes:
        url_file: file with the address that is fetched, and perhaps the one for "off"; "" for none.
        every_s: how often.
        mqtt: also to the broker, as `<prefix>/heartbeat`, where there is one.
    """

    url_file: f.FileName = ""
    every_s: Annotated[float, Field(ge=10, le=3600)] = 60.0
    mqtt: bool = True


class Watch(f.Strict):
    """Another Bagvagt, which this one watches.

    Attributes:
        name: what it is called in the page.
        url: its `/healthz`.
        every_s: how often it is asked.
        silent_s: after how long without a sign of life somebody is paged.
        plan: by which page plan.
        ca_file: certificate authority of its certificate, "" for the system's own.
    """

    name: f.Name
    url: f.Url
    every_s: Annotated[float, Field(ge=5, le=3600)] = 15.0
    silent_s: Annotated[float, Field(ge=10, le=f.DAY_S)] = 60.0
    plan: f.Name
    ca_file: f.FileName = ""
