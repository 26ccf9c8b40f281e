"""Signatures for what goes over MQTT: each message carries itself once more, as a JWT (RFC 7519) that we have signed.

Brokers let more people write than should ring anybody's phone. A JWT, signed with ES256 (RFC 7518 §3.4), is what the
libraries of every language can check, home automation's too, and with a public key a listener can check and not forge.
Beside the message's own fields it says under which topic it was published, so that it cannot be played elsewhere, and
until when it counts (`exp`), so that it cannot be played tomorrow.
"""

from typing import Final

import msgspec
from joserfc import jwt
from joserfc.jwk import ECKey

from adapters.paging.mqtt_codec import AuditHead, P

ALGORITHM: Final = "ES256"


class Signer:
    """Signs for one site.

    Args:
        site_key: see `adapters.privacy.read_or_make_key`; the signing key is derived from it, so that there is no file
            more to keep.

    Attributes:
        thumbprint: of the public key (RFC 7638), by which a listener knows that it has the right one.
        public: the public key as JWK (RFC 7517), JSON.
    """

    def __init__(self, site_key: bytes) -> None:
        self._key = ECKey.derive_key(site_key, "P-256", kdf_options={"info": b"bagvagt: what goes over MQTT"})
        self.thumbprint: str = self._key.thumbprint()
        shown = {**self._key.as_dict(private=False), "kid": self.thumbprint, "alg": ALGORITHM, "use": "sig"}
        self.public = msgspec.json.encode(shown)

    def signed(self, payload: P, topic: str) -> P:
        """Return a message with its signature, for the topic under which it is to be published."""
        fields = {**msgspec.to_builtins(payload), "topic": topic, "iat": int(payload.at.timestamp())}
        del fields["signed"]
        if not isinstance(payload, AuditHead):  # it stands until something newer comes
            fields["exp"] = int(payload.expires_at.timestamp())
        header = {"alg": ALGORITHM, "kid": self.thumbprint}
        return msgspec.structs.replace(payload, signed=jwt.encode(header, fields, self._key, algorithms=[ALGORITHM]))
