"""The webhook: who may, what is taken for a receipt or a reply, and what is not."""

import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey
from structlog.testing import capture_logs

from adapters.http.access import GUESSES_AT_ONCE
from adapters.http.sms_webhook import JWT_HEADER, MOST_AT_ONCE, MOST_BYTES, SmsWebhook, WebhookConfig
from adapters.paging.sms_incoming import (
    ELKS,
    GATEWAYAPI,
    RECEIPTS_PATH,
    REPLIES_PATH,
    TOKEN,
    FieldError,
    Fields,
    ReceiptUrls,
    read_receipt,
    read_sms,
)
from policies.events import Says
from tests.adapters.paging.stage import NUMBER, HandClock
from tests.lab.carriers import SECRET, Webhook

GENERIC = Fields(
    message="data.ref",
    status="data.state",
    delivered=frozenset({"OK", "2"}),
    failed=frozenset({"KO"}),
    detail="data.why",
    number="sender",
    text="body",
    sent="at",
)
BY_TOKEN = f"?{TOKEN}={SECRET}"
REPLY = {"sender": NUMBER, "body": "1"}
RECEIPT = {"data": {"ref": "p-1.0", "state": "OK"}}


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    """A running webhook of a gateway that is described by names of fields."""
    async with Webhook(GENERIC, HandClock()) as made:
        yield made


async def post(webhook: Webhook, path: str, **more: Any) -> tuple[int, Any, Mapping[str, str]]:
    """Send a request; return status, body and headers."""
    async with aiohttp.ClientSession() as session, session.post(webhook.url + path, **more) as answer:
        raw = await answer.read()
        return answer.status, json.loads(raw) if raw else None, answer.headers


async def status(webhook: Webhook, path: str, **more: Any) -> int:
    return (await post(webhook, path, **more))[0]


@pytest.mark.parametrize(
    "more",
    [
        {"path": REPLIES_PATH + BY_TOKEN},
        {"headers": {"Authorization": f"Bearer {SECRET}"}},
        {"headers": {"Authorization": aiohttp.encode_basic_auth("anybody", SECRET)}},
    ],
)
async def test_the_secret_in_each_of_its_places(webhook: Webhook, more: dict[str, Any]) -> None:
    """Proves that a provider may send the secret in the query, as Bearer or by Basic; the answer is 200 and empty."""
    answer, body, _ = await post(webhook, more.pop("path", REPLIES_PATH), json=REPLY, **more)
    assert (answer, body) == (200, None)
    assert webhook.replies == [(NUMBER, "take", 1)]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"params": {TOKEN: ""}},
        {"params": {TOKEN: SECRET[:-1]}},
        {"params": {TOKEN: "ø" * 40}},
        {"headers": {"Authorization": "Bearer nonsense"}},
        {"headers": {"Authorization": "Basic !!!"}},
        {"headers": {"Authorization": aiohttp.encode_basic_auth(SECRET, "")}},
        {"headers": {JWT_HEADER: "a.b.c"}},
        {"params": {"message": "p-1.0", "signature": "0" * 64}},
    ],
)
@pytest.mark.parametrize("path", [RECEIPTS_PATH, REPLIES_PATH])
async def test_without_the_secret_nothing_is_taken(webhook: Webhook, path: str, more: dict[str, Any]) -> None:
    """Proves that a request which proves nothing is a 401, is counted, and hands nothing over."""
    with capture_logs() as logs:
        assert await status(webhook, path, json=REPLY | RECEIPT, **more) == 401
    assert webhook.emitted == []
    assert webhook.metrics.registry.get_sample_value("bagvagt_http_refused_total", {"why": "token"}) == 1
    assert SECRET[:-1] not in repr(logs)


async def test_guessing_is_slowed_down_and_the_right_secret_is_not(webhook: Webhook) -> None:
    """Proves that guesses run into 429 with a time to wait, while a reply with the secret still comes through."""
    wrong = [await status(webhook, REPLIES_PATH, json=REPLY) for _ in range(GUESSES_AT_ONCE)]
    assert set(wrong) == {401}
    answer, _, headers = await post(webhook, REPLIES_PATH, json=REPLY)
    assert answer == 429
    assert int(headers["Retry-After"]) > 0
    assert [await status(webhook, REPLIES_PATH + BY_TOKEN, json=REPLY) for _ in range(70)] == [200] * 70
    webhook.now_s += 3600
    assert await status(webhook, REPLIES_PATH, json=REPLY) == 401


async def test_a_receipts_address_opens_nothing_else(webhook: Webhook) -> None:
    """Proves that who sees the address of one message's receipts can neither report on another nor reply."""
    urls = ReceiptUrls(SECRET, webhook.url)
    own = urls("p-1.0").removeprefix(webhook.url)
    assert SECRET not in own
    body = {"data": {"state": "OK"}}
    assert await status(webhook, own, json=body) == 200
    assert await status(webhook, own.replace("p-1.0", "p-2.0"), json=body) == 401
    assert await status(webhook, own.replace(RECEIPTS_PATH, REPLIES_PATH), json=REPLY) == 401
    assert webhook.reports == [("p-1.0", "delivered")]
    assert webhook.replies == []


@pytest.mark.parametrize(("networks", "answer"), [(("127.0.0.0/8",), 200), (("192.0.2.0/24",), 403)])
async def test_only_from_these_networks(networks: tuple[str, ...], answer: int) -> None:
    """Proves that an address outside the provider's networks is refused even with the secret."""
    async with Webhook(GENERIC, HandClock(), networks) as webhook:
        assert await status(webhook, REPLIES_PATH + BY_TOKEN, json=REPLY) == answer
        assert len(webhook.emitted) == (answer == 200)


def signed(claims: dict[str, Any], secret: str = SECRET, alg: str = "HS256") -> dict[str, str]:
    return {JWT_HEADER: jwt.encode({"alg": alg}, claims, OctKey.import_key(secret), algorithms=[alg])}


async def test_what_is_signed_counts_and_not_the_body() -> None:
    """Proves that somebody who has one signed token cannot put other words into the body beside it."""
    async with Webhook(GATEWAYAPI, HandClock()) as webhook:
        claims = {"id": 1, "msisdn": 4520304050, "message": "nej"}
        forged = {"id": 1, "msisdn": 4520304050, "message": "1"}
        assert await status(webhook, REPLIES_PATH, json=forged, headers=signed(claims)) == 200
        assert webhook.replies == [(NUMBER, "pass", 0)]


@pytest.mark.parametrize(
    "headers",
    [
        signed({"msisdn": 4520304050, "message": "1"}, secret="another-secret-of-the-webhook"),
        signed({"msisdn": 4520304050, "message": "1"}, alg="HS512"),
        signed({"msisdn": 4520304050, "message": "1", "exp": 1_000_000_000}),
        {JWT_HEADER: "eyJhbGciOiJub25lIn0.eyJtc2lzZG4iOjQ1MjAzMDQwNTAsIm1lc3NhZ2UiOiIxIn0."},
        {JWT_HEADER: "ø"},
        {JWT_HEADER: "." * 5000},
    ],
    ids=["another secret", "another algorithm", "expired", "no algorithm", "no token", "dots"],
)
async def test_tokens_that_prove_nothing(headers: dict[str, str]) -> None:
    """Proves that a token which is not signed with our secret by HS256, or is over, is a 401."""
    async with Webhook(GATEWAYAPI, HandClock()) as webhook:
        assert await status(webhook, REPLIES_PATH, headers=headers) == 401
        assert webhook.emitted == []


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (RECEIPTS_PATH, {"data": {"ref": "p-1.0"}}, "data.state"),
        (RECEIPTS_PATH, {"data": {"state": "OK"}}, "data.ref"),
        (RECEIPTS_PATH, {"data": {"state": "OK", "ref": ["p-1.0"]}}, "data.ref"),
        (RECEIPTS_PATH, {"data": {"state": True, "ref": "p-1.0"}}, "data.state"),
        (RECEIPTS_PATH, {"data": "OK"}, "data.state"),
        (RECEIPTS_PATH, [RECEIPT, {}], "data.state"),
        (RECEIPTS_PATH, [RECEIPT] * (MOST_AT_ONCE + 1), "body"),
        (RECEIPTS_PATH, "OK", "body"),
        (RECEIPTS_PATH, [1], "body"),
        (REPLIES_PATH, {"body": "1"}, "sender"),
        (REPLIES_PATH, {"sender": NUMBER}, "body"),
        (REPLIES_PATH, {"sender": "TDC", "body": "1"}, "sender"),
        (REPLIES_PATH, {"sender": "45 20", "body": "1"}, "sender"),
        (REPLIES_PATH, {"sender": NUMBER, "body": {"text": "1"}}, "body"),
    ],
)
async def test_a_body_that_is_wrong_is_named(webhook: Webhook, path: str, body: Any, field: str) -> None:
    """Proves that 400 names the field, repeats nothing of what stood there, and hands over nothing of a list."""
    with capture_logs() as logs:
        answer, told, _ = await post(webhook, path + BY_TOKEN, json=body)
    assert (answer, told["field"]) == (400, field)
    assert webhook.emitted == []
    for kept in (json.dumps(told), repr(logs)):
        assert NUMBER[1:] not in kept
        assert "p-1.0" not in kept


@pytest.mark.parametrize(
    ("data", "content", "answer"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[" * 9000, "application/json", 400),
        (b"\xff\xfe\x00", "application/json", 400),
        (b"", "application/x-www-form-urlencoded", 400),
        (b"sender=%ff&body=%ff", "application/x-www-form-urlencoded", 400),
        (b" " * (MOST_BYTES + 1), "application/json", 413),
        (b"sender=" + b"4" * MOST_BYTES, "application/x-www-form-urlencoded", 413),
    ],
)
async def test_bodies_that_are_none(webhook: Webhook, data: bytes, content: str, answer: int) -> None:
    """Proves that nonsense and floods are refused and nothing fails, with and without a stated length."""

    async def bit_by_bit() -> AsyncIterator[bytes]:
        yield data

    headers = {"Content-Type": content}
    assert await status(webhook, REPLIES_PATH + BY_TOKEN, data=data, headers=headers) == answer
    assert await status(webhook, REPLIES_PATH + BY_TOKEN, data=bit_by_bit(), headers=headers) == answer
    assert webhook.emitted == []


@pytest.mark.parametrize("number", ["4520304050", "+4520304050", "004520304050", "+45 20 30 40 50", 4520304050])
async def test_numbers_as_networks_write_them(webhook: Webhook, number: str | int) -> None:
    """Proves that whoever replied is named as policy names them."""
    assert await status(webhook, REPLIES_PATH + BY_TOKEN, json={"sender": number, "body": "ok"}) == 200
    assert webhook.replies == [(NUMBER, "take", 0)]


async def test_a_form_and_a_list(webhook: Webhook) -> None:
    """Proves both ways in which a gateway that is described may send: a form, and several things in one body."""
    assert await status(webhook, REPLIES_PATH + BY_TOKEN, data={"sender": NUMBER, "body": "Kyllä 2"}) == 200
    many = [RECEIPT, {"data": {"ref": "p-2.0", "state": "KO", "why": f"no {NUMBER}\n here"}}]
    assert await status(webhook, RECEIPTS_PATH + BY_TOKEN, json=many) == 200
    assert webhook.replies == [(NUMBER, "take", 2)]
    assert webhook.reports == [("p-1.0", "delivered"), ("p-2.0", "failed")]
    assert webhook.emitted[-1].detail == "KO no … here"  # type: ignore[attr-defined]  # it is a report


@pytest.mark.parametrize("reference", [None, ""])
async def test_receipts_of_others_are_no_error(reference: str | None) -> None:
    """Proves that an account which others use too may report on their messages: they are passed over."""
    async with Webhook(GATEWAYAPI, HandClock()) as webhook:
        body = {"id": 1, "msisdn": 4520304050, "status": "DELIVERED", "userref": reference}
        assert await status(webhook, RECEIPTS_PATH + BY_TOKEN, json=body) == 200
        assert webhook.emitted == []


async def test_46elks_without_our_address_is_wrong() -> None:
    """Proves that a receipt which names only the provider's own id is refused rather than guessed."""
    async with Webhook(ELKS, HandClock()) as webhook:
        answer, told, _ = await post(webhook, RECEIPTS_PATH + BY_TOKEN, data={"id": "s1", "status": "delivered"})
        assert (answer, told["field"]) == (400, "message")


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("2027-03-28T01:59:59", "unclear"),
        ("2027-03-28T02:00:01", "take"),
        ("2027-03-28T03:59:59+02:00", "unclear"),
        ("2027-03-28T04:29:00+02:00", "take"),
        (1806199199, "unclear"),
        (1806199201.5, "take"),
        ("yesterday", "take"),
        ("9" * 40, "take"),
        ([], "take"),
        (None, "take"),
    ],
)
async def test_when_it_was_written(webhook: Webhook, at: str | float | list[str] | None, says: str) -> None:
    """Proves that a reply which is over half an hour old takes nothing, whichever way its time is written."""
    assert await status(webhook, REPLIES_PATH + BY_TOKEN, json=REPLY | {"at": at}) == 200
    assert [told for _, told, _ in webhook.replies] == [says]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own time is not UTC."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
def test_a_time_without_a_zone_is_utc() -> None:
    """Proves that the machine's own zone does not make a fresh reply old, or an old one fresh."""
    for at, says in (("2027-03-28T01:59:59", Says.UNCLEAR), ("2027-03-28T02:00:01", Says.TAKE)):
        assert read_sms(GENERIC, REPLY | {"at": at}, HandClock().now()) == (NUMBER, says, int(says is Says.TAKE))


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        (GENERIC, {RECEIPTS_PATH, REPLIES_PATH}),
        (ELKS, {RECEIPTS_PATH, REPLIES_PATH}),
        (Fields(status="", number="n", text="t"), {REPLIES_PATH}),
        (Fields(number="", text=""), {RECEIPTS_PATH}),
    ],
)
def test_only_what_is_described_is_open(fields: Fields, paths: set[str]) -> None:
    """Proves that a gateway which brings no replies, or no receipts, has no route for them."""
    routes = SmsWebhook(WebhookConfig(SECRET, fields), print, HandClock()).routes()
    assert {route.path for route in routes} == paths


@pytest.mark.parametrize(
    ("secret", "networks"), [("short", ()), ("", ()), (SECRET, ("provider.example",)), (SECRET, ("10.0.0.1/8",))]
)
def test_settings_that_cannot_work_are_found_at_start(secret: str, networks: tuple[str, ...]) -> None:
    """Proves that a secret that can be guessed, and a network that is none, do not get into service."""
    with pytest.raises(ValueError, match=r"secret|appear|host bits"):
        SmsWebhook(WebhookConfig(secret, GENERIC, networks), print, HandClock())


def test_the_secret_is_not_shown() -> None:
    """Proves that neither configuration shows the secret where it is printed."""
    assert SECRET not in repr(WebhookConfig(SECRET, GENERIC)) + repr(ReceiptUrls(SECRET, "https://vagt.example"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None)
@given(data=JSON, sender=JSON, body=JSON, at=JSON)
def test_no_body_is_more_than_wrong(data: Any, sender: Any, body: Any, at: Any) -> None:
    """Proves that whatever a provider sends is understood or is a field that is named; nothing else is ever raised."""
    item = {"data": data, "sender": sender, "body": body, "at": at}
    for read in (lambda: read_receipt(GENERIC, item), lambda: read_sms(GENERIC, item, HandClock().now())):
        try:
            read()
        except FieldError as error:
            assert str(error) in {"data.ref", "data.state", "sender", "body"}  # noqa: PT017 -- or none
