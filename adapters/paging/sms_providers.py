"""Providers whose HTTP interface is known here, written as an `HttpGateway`. What their answers mean stands there.

Neither of them knows a message again by our id: where an answer got lost, the second attempt is a second SMS with the
same text. Our id comes back with the receipt.
"""

import json

from aiohttp import encode_basic_auth

from adapters.paging.sms_http import HttpGateway
from adapters.paging.sms_template import Content

ELKS_URL = "https://api.46elks.com/a1"
GATEWAYAPI_URL = "https://gatewayapi.eu/rest"


def elks(user: str, password: str, *, url: str = ELKS_URL, receipts: bool = False) -> HttpGateway:
    """Return 46elks (https://46elks.com/docs/send-sms, seen November 2026).

    Args:
        user: API user name.
        password: API password.
        url: of their interface.
        receipts: ask for them, at `Sms.receipts`.
    """
    body = "from={from}&to={to}&message={text}" + ("&whendelivered={receipts}" if receipts else "")
    headers = {"Authorization": encode_basic_auth(user, password)}
    return HttpGateway(f"{url.rstrip('/')}/sms", headers=headers, body=body, content=Content.FORM)


def gatewayapi(token: str, *, url: str = GATEWAYAPI_URL, receipts: bool = False) -> HttpGateway:
    """Return GatewayAPI's REST interface (https://gatewayapi.com/docs/apis/rest, seen November 2026).

    Args:
        token: API token.
        url: of their interface; the default is their EU platform.
        receipts: ask for them, at `Sms.receipts`; else they go where the account says.
    """
    body = {
        "sender": "{from}",
        "message": "{text}",
        "recipients": [{"msisdn": "{to_digits}"}],
        "userref": "{id}",
        **({"callback_url": "{receipts}"} if receipts else {}),
    }
    headers = {"Authorization": f"Token {token}"}
    return HttpGateway(f"{url.rstrip('/')}/mtsms", headers=headers, body=json.dumps(body), content=Content.JSON)
