"""A provider of OpenID Connect on loopback: strict about PKCE, and able to lie in each way that must be noticed."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from aiohttp import BasicAuth, web
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT, SECRET = "bagvagt", "s3cr+t/ æ"
Claims = dict[str, Any]


class Provider:
    """Runs the code flow (OpenID Connect Core 1.0 §3.1) for whoever asks.

    Attributes:
        claims: of who logs in; what the protocol needs is added.
        change: makes of a right ID token's claims what is signed.
        sign: makes the token of header and claims; the provider's own key by default.
        header: of ID tokens.
        keys: that the provider shows.
        metadata: put over what discovery tells.
        asked: paths in order.
        is_strict: whether a wrong code verifier is refused.
        is_down: everything is answered 503.
    """

    def __init__(self) -> None:
        self.key: RSAKey | ECKey = rsa_key("k1")
        self.keys: list[Any] = [self.key]
        self.header: Claims = {"alg": "RS256", "kid": "k1"}
        self.claims: Claims = {
            "sub": "s-anna",
            "preferred_username": "Anna.Hansen@kommune.example",
            "name": "Anna Hansen",
            "roles": ["vagt"],
        }
        self.change: Callable[[Claims], Claims] = lambda claims: claims
        self.sign: Callable[[Claims, Claims], str] = lambda header, claims: jwt.encode(
            header, claims, self.key, algorithms=[header["alg"]]
        )
        self.metadata: Claims = {}
        self.asked: list[str] = []
        self.is_strict = True
        self.is_down = False
        self.issuer = ""
        self._codes: dict[str, Claims] = {}

    def code(self, url: str) -> tuple[str, str]:
        """Log somebody in as a browser at `url` would be; returns where it is sent back, and the code."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        assert all(len(query[name]) >= 43 for name in ("state", "nonce", "code_challenge"))
        code = secrets.token_urlsafe(16)
        self._codes[code] = {**query, "claims": dict(self.claims)}
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}", code

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._note])
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/jwks", self._jwks)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        return app

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.is_down:
            return web.Response(status=503, text="down")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _discovery(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "end_session_endpoint": f"{self.issuer}/bye?x=y",
                **self.metadata,
            }
        )

    async def _jwks(self, _request: web.Request) -> web.Response:
        return web.json_response({"keys": [key.as_dict(private=False) for key in self.keys]})

    async def _authorize(self, request: web.Request) -> web.Response:
        return web.Response(status=303, headers={"Location": self.code(str(request.url))[0]})

    async def _token(self, request: web.Request) -> web.Response:
        form = dict(await request.post())
        sent = BasicAuth.decode(request.headers["Authorization"], encoding="ascii")
        wanted = self._codes.pop(str(form.get("code")), None)
        if (unquote(sent.login), unquote(sent.password)) != (CLIENT, SECRET):
            return web.json_response({"error": "invalid_client"}, status=401)
        if wanted is None or form["redirect_uri"] != wanted["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if self.is_strict and challenge != wanted["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {
            **wanted["claims"],
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": wanted["nonce"],
        }
        return web.json_response({"id_token": self.sign(self.header, self.change(claims)), "token_type": "Bearer"})


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def unsigned(_header: Claims, claims: Claims) -> str:
    """Return a token with alg none (RFC 7519 §6)."""
    return ".".join((*(_part(json.dumps(part).encode()) for part in ({"alg": "none"}, claims)), ""))


def signed_with_the_public_key(provider: Provider) -> Callable[[Claims, Claims], str]:
    """Return what signs by HS256, with the key that everybody knows as the secret. By hand: no library does it."""
    known = provider.key.as_pem(private=False)

    def sign(_header: Claims, claims: Claims) -> str:
        what = ".".join(_part(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "k1"}, claims))
        return f"{what}.{_part(hmac.new(known, what.encode(), hashlib.sha256).digest())}"

    return sign


@cache  # to make one takes a while
def rsa_key(kid: str, number: int = 0) -> RSAKey:
    """Return a key; the same for the same arguments."""
    del number
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """Run one."""
    made = Provider()
    runner = web.AppRunner(made.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
