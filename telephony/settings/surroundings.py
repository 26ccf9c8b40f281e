"""The part of a policy file that says what Bagvagt is connected to: site, PBX, store, HTTP, broker, prompts."""

from typing import Annotated, Literal

from pydantic import Field

from telephony.settings import fields as f


class Site(f.Strict):
    """Where this is.

    Attributes:
        name: shown to people.
        zone: IANA name of the site's time zone.
        language: of callers, agents and people where nothing else says so.
        country: whose public holidays are closed days, "" for none.
        closed: further closed days, a date or "MM-DD" for every year.
    """

    name: f.Text = "Bagvagt"
    zone: f.Zone
    language: f.Language
    country: f.Country
    closed: list[f.ClosedDay] = Field(default_factory=list)


class Pbx(f.Strict):
    """The PBX beside which Bagvagt runs.

    Attributes:
        kind: "asterisk", or "simulator" for a demo without a PBX.
        host: where its manager interface (AMI) listens.
        ami_port: likewise.
        ami_user: manager account.
        ami_secret_file: file that holds its secret.
        ari_url: its REST interface, without "/ari".
        ari_user: ARI account.
        ari_secret_file: file that holds its password.
        media_base: address at which the PBX fetches prompts; "" for the one that follows from [http].
    """

    kind: Literal["asterisk", "simulator"] = "asterisk"
    host: f.Host = "127.0.0.1"
    ami_port: f.Port = 5038
    ami_user: f.Account = "bagvagt"
    ami_secret_file: f.FileName = ""
    ari_url: f.Url = "http://127.0.0.1:8088"
    ari_user: f.Account = "bagvagt"
    ari_secret_file: f.FileName = ""
    media_base: f.OptionalUrl = ""


class Store(f.Strict):
    """The journal.

    Attributes:
        path: the SQLite file.
    """

    path: f.FileName = "bagvagt.sqlite3"


class Http(f.Strict):
    """The HTTP side: keys from phones and screens, prompts for the PBX, health and metrics.

    Attributes:
        host: address to listen on.
        port: likewise.
        action_url_from: networks from which a desk phone's action URL is taken.
        presses_per_minute: limit for each token; never delays an acute key.
        tokens_file: TOML file with the hashes of the tokens, "" for none.
        certificate_file: PEM file with the certificate and those between it and the authority; "" for no TLS.
        key_file: PEM file with its private key.
        tls_host: address on which TLS is spoken, "" for the same as `host`.
        tls_port: likewise; what is at `port` stays without TLS, for the PBX and for desk phones.
    """

    host: f.Host = "127.0.0.1"
    port: f.Port = 8480
    action_url_from: list[f.Network] = Field(default_factory=list)
    presses_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 60
    tokens_file: f.FileName = ""
    certificate_file: f.FileName = ""
    key_file: f.FileName = ""
    tls_host: f.OptionalHost = ""
    tls_port: f.Port = 8443


class Oidc(f.Strict):
    """Single sign-on at a provider of OpenID Connect.

    Attributes:
        issuer: the provider, as it calls itself.
        client_id: we, as the provider knows us.
        client_secret_file: file that holds the client's secret, "" for a client without one.
        label: shown on the button.
        scopes: asked for.
        name_claim: becomes the account's name.
        agent_claim: the agent's id; "" when it is the account's name.
        roles_claim: where the groups are; a dot leads into a table.
        ca_file: certificate authority of the provider, "" for the system's own.
        roles: by group.
    """

    issuer: f.Url
    client_id: Annotated[f.Text, Field(min_length=1)]
    client_secret_file: f.FileName = ""
    label: f.Text = ""
    scopes: list[f.Text] = Field(default_factory=lambda: ["openid", "profile"])
    name_claim: f.Text = "preferred_username"
    agent_claim: f.Text = ""
    roles_claim: f.Text = "roles"
    ca_file: f.FileName = ""
    roles: dict[f.Text, list[Literal["agent", "backup", "chief", "admin", "auditor"]]] = Field(default_factory=dict)


class Panel(f.Strict):
    """The screens in a browser.

    Attributes:
        url: their address as browsers know it, "" for the one that is asked for.
        session_s: how long a login lasts.
        idle_s: how long it lasts without an open screen.
        desk_phone: number of the duty desk, shown for when nothing here works; "" for none.
        hotkeys: by the name of a key, "" for none; keys that are left out get what is free.
        auditor_sees_names: auditors read names; pseudonyms otherwise.
        oidc: single sign-on.
    """

    url: f.OptionalUrl = ""
    session_s: Annotated[float, Field(ge=300, le=30 * f.DAY_S)] = 12 * 3600
    idle_s: Annotated[float, Field(ge=300, le=30 * f.DAY_S)] = 2 * 3600
    desk_phone: f.Text = ""
    hotkeys: dict[f.Name, Literal["", "F1", "F2", "F3", "F4", "F6", "F7", "F8", "F9", "F10"]] = Field(
        default_factory=dict
    )
    auditor_sees_names: bool = False
    oidc: Oidc | None = None


class Mqtt(f.Strict):
    """The broker through which pages go.

    Attributes:
        host: the broker.
        port: likewise.
        user: account, "" for none.
        password_file: file that holds its password.
        tls: encrypted connection.
        ca_file: certificate authority of the broker, "" for the system's own.
        prefix: first part of every topic.
        client_id: this Bagvagt's name at the broker, which keeps answers for it while it is away; "" for the prefix.
        answer_at: where else than in the message a page can be taken, for its text; "" for nowhere.
    """

    host: f.Host = "127.0.0.1"
    port: f.Port = 1883
    user: f.Account = ""
    password_file: f.FileName = ""
    tls: bool = False
    ca_file: f.FileName = ""
    prefix: f.TopicPrefix = "bagvagt"
    client_id: f.Account = ""
    answer_at: f.AnswerAt = ""


class Prompts(f.Strict):
    """What callers hear.

    Attributes:
        folder: the site's own recordings, `<language>/<name>.wav`; "" for the placeholders alone.
        languages: every language in which callers are spoken to, besides the site's.
    """

    folder: f.FileName = ""
    languages: list[f.Language] = Field(default_factory=list)
