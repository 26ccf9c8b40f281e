"""A provider of OpenID Connect, as seen by its client: discovery, keys, the exchange of a code, and the ID token.

OpenID Connect Core 1.0 (code flow), Discovery 1.0, RFC 7636 (PKCE). Nothing is believed before it was verified:
decoding a token says nothing of its claims. An algorithm is allowed by name here, never by what a token says of itself.
"""

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlsplit

import aiohttp
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from adapters.accounts.errors import SignOnError
from adapters.accounts.model import Role

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384")
"""None with a shared secret: somebody who knows the public key must not be able to sign."""
SKEW_S = 60
KEPT = timedelta(hours=1)
WITHIN_S = 10.0
_MOST_BYTES = 256 * 1024
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OidcConfig:
    """A provider, and who we are there.

    Attributes:
        issuer: as the provider calls itself, to the letter.
        client_id: we.
        client_secret: "" for a public client.
        scopes: asked for; "openid" is.
        name_claim: becomes the account's name.
        agent_claim: the agent id, "" when it is the account's name.
        roles_claim: where the groups are; a dot leads into a table, as in "realm_access.roles".
        roles: by group.
        label: shown on the button.
        tls: for a provider with a certificate authority of its own.
    """

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ("openid", "profile")
    name_claim: str = "preferred_username"
    agent_claim: str = ""
    roles_claim: str = "roles"
    roles: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    label: str = ""
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    """What discovery tells (Discovery 1.0 §3).

    Attributes:
        authorization: where a browser is sent.
        token: where a code is exchanged.
        jwks: the keys.
        end_session: where a browser is sent to log out there too, "" for nowhere.
        by_post: the secret goes into the body, since the header is not taken.
    """

    authorization: str
    token: str
    jwks: str
    end_session: str
    by_post: bool


class Provider:
    """Asks one provider. What it tells is kept for an hour; a key that is not known yet is asked for at once.

    Args:
        config: which.
        now: the time, aware UTC.
    """

    def __init__(self, config: OidcConfig, now: Callable[[], datetime]) -> None:
        self.config = config
        self._now = now
        self._http: aiohttp.ClientSession | None = None
        self._metadata: tuple[datetime, Metadata] | None = None
        self._keys: tuple[datetime, list[RSAKey | ECKey]] | None = None

    async def close(self) -> None:
        """Close connections."""
        if self._http is not None:
            await self._http.close()

    async def metadata(self) -> Metadata:
        """Return where everything is.

        Raises:
            SignOnError: the provider does not answer, or is not the one that is configured.
        """
        if self._metadata is None or self._now() - self._metadata[0] > KEPT:
            told = await self._get(f"{self.config.issuer.rstrip('/')}/.well-known/openid-configuration")
            if told.get("issuer") != self.config.issuer:  # Discovery 1.0 §4.3
                raise SignOnError("provider", f"the provider calls itself {told.get('issuer')!r}")
            ways = told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            found = Metadata(
                authorization=_endpoint(told, "authorization_endpoint"),
                token=_endpoint(told, "token_endpoint"),
                jwks=_endpoint(told, "jwks_uri"),
                end_session=_endpoint(told, "end_session_endpoint") if "end_session_endpoint" in told else "",
                by_post="client_secret_basic" not in ways,
            )
            self._metadata = (self._now(), found)
        return self._metadata[1]

    async def exchange(self, code: str, verifier: str, redirect_uri: str) -> str:
        """Return the ID token for a code.

        Raises:
            SignOnError: the code is not taken, or the provider does not answer.
        """
        metadata = await self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self.config.client_id,
        }
        headers = {}
        if self.config.client_secret and metadata.by_post:
            form["client_secret"] = self.config.client_secret
        elif self.config.client_secret:  # RFC 6749 §2.3.1: form-encoded first
            id_, secret = (quote(part, safe="") for part in (self.config.client_id, self.config.client_secret))
            headers["Authorization"] = aiohttp.encode_basic_auth(id_, secret)
        told = await self._ask("POST", metadata.token, data=form, headers=headers)
        token = told.get("id_token")
        if not isinstance(token, str):
            raise SignOnError("token", "the answer holds no id_token")
        return token

    async def verify(self, id_token: str, nonce: str) -> Claims:
        """Return the claims of an ID token that is right in every respect (Core 1.0 §3.1.3.7).

        Raises:
            SignOnError: it is not.
        """
        rules = jwt.JWTClaimsRegistry(
            now=int(self._now().timestamp()),
            leeway=SKEW_S,
            iss={"essential": True, "value": self.config.issuer},
            aud={"essential": True, "value": self.config.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            claims = jwt.decode(id_token, await self._key(id_token), algorithms=list(ALGORITHMS)).claims
            rules.validate(claims)
        except (JoseError, ValueError) as error:
            raise SignOnError("token", f"{type(error).__name__}: {error}") from error
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:  # noqa: PLR2004 -- Core 1.0 §2
            raise SignOnError("token", "no subject")
        if claims.get("nonce") != nonce:
            raise SignOnError("token", "the nonce is another login's")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self.config.client_id) != self.config.client_id:
            raise SignOnError("token", "it was issued to another client")
        return claims

    async def _key(self, id_token: str) -> RSAKey | ECKey:
        header = jws.extract_compact(id_token.encode()).headers()
        if header.get("alg") not in ALGORITHMS:
            raise SignOnError("token", f"signed with {header.get('alg')!r}")
        kind = ECKey if header["alg"].startswith("ES") else RSAKey
        for anew in (False, True):
            keys = [key for key in await self._signing_keys(anew=anew) if isinstance(key, kind)]
            fits = [key for key in keys if header.get("kid") in (None, key.kid)]
            if len(fits) == 1:
                return fits[0]
        raise SignOnError("token", f"{len(fits)} keys fit {header.get('kid')!r}")

    async def _signing_keys(self, *, anew: bool) -> list[RSAKey | ECKey]:
        if self._keys is None or anew or self._now() - self._keys[0] > KEPT:
            told = await self._get((await self.metadata()).jwks)
            usable = [k for k in told.get("keys", []) if k.get("kty") in ("RSA", "EC") and k.get("use", "sig") == "sig"]
            keys = KeySet.import_key_set({"keys": usable}).keys
            self._keys = (self._now(), [key for key in keys if isinstance(key, RSAKey | ECKey)])
        return self._keys[1]

    async def _get(self, url: str) -> dict[str, Any]:
        return await self._ask("GET", url)

    async def _ask(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        if self._http is None:
            timeout = aiohttp.ClientTimeout(total=WITHIN_S)
            connector = aiohttp.TCPConnector(ssl=self.config.tls if self.config.tls is not None else True)
            self._http = aiohttp.ClientSession(
                timeout=timeout, connector=connector, cookie_jar=aiohttp.DummyCookieJar()
            )
        try:
            async with self._http.request(method, url, allow_redirects=False, **more) as answer:
                body = await answer.content.read(_MOST_BYTES)
                told = json.loads(body)
                if answer.status != 200 or not isinstance(told, dict):  # noqa: PLR2004 -- OK
                    raise SignOnError("provider", f"{method} {url}: {answer.status} {_error_of(told)}")
                return told
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SignOnError("unreachable", f"{method} {url}: {type(error).__name__}") from error
        except ValueError as error:
            raise SignOnError("provider", f"{method} {url}: no JSON") from error


def _endpoint(told: Claims, name: str) -> str:
    url = told.get(name)
    if not isinstance(url, str) or not is_safe(url):
        raise SignOnError("provider", f"{name} is no https address: {url!r}")
    return url


def is_safe(url: str) -> bool:
    """Tell whether nobody between here and there can read along."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _error_of(told: object) -> str:
    return str(told.get("error", ""))[:100] if isinstance(told, dict) else ""
