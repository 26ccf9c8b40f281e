"""Short links to the screen on which one message's page can be taken: `https://<panel>/t/<token>`.

The token is an HMAC (RFC 2104) of the message's id, under a key of its own that is derived from the site's. So nothing
is stored, a restart makes no link void, and who knows an id cannot make the link. It has 80 bits, in Base32 (RFC 4648
§6): letters that an SMS carries, that no phone mistakes for the end of a link, and that can be read out.

Who has the link may answer for the person that it was sent to, as long as the page is kept. It opens nothing else.
"""

import hmac
from base64 import b32encode
from collections.abc import Iterator
from typing import Final, NamedTuple

from policies.pages import Page, Told
from policies.proofs import Proof
from policies.state import State

PATH: Final = "/t/"
TOKEN_CHARS: Final = 16
_TOKEN_BYTES: Final = 10  # 80 bits


class Linked(NamedTuple):
    """What a link is about.

    Attributes:
        told: the message that it stood in.
        of: the page, or the test of a path.
    """

    told: Told
    of: Page | Proof


class Links:
    """Makes links, and knows them again.

    Args:
        url: of the panel as people's phones know it; "" where none does, and then there are no links.
        site_key: see `adapters.privacy.read_or_make_key`.

    Attributes:
        url: of the panel; replaced when the policy is reloaded.
    """

    def __init__(self, url: str, site_key: bytes) -> None:
        self.url = url
        self._of_link = hmac.digest(site_key, b"bagvagt: link of a message", "sha256")
        self._of_form = hmac.digest(site_key, b"bagvagt: form behind a link", "sha256")

    def __call__(self, message: str) -> str:
        """Return the link of a message, "" where there are none."""
        url = self.url.rstrip("/")
        return f"{url}{PATH}{self.token(message)}" if url else ""

    def token(self, message: str) -> str:
        """Return what proves that somebody has got this message."""
        return _short(self._of_link, message)

    def form(self, message: str) -> str:
        """Return what proves that somebody has opened the screen behind the link."""
        return _short(self._of_form, message)

    def find(self, token: str, state: State) -> Linked | None:
        """Return what a token is about; None when it is wrong, or the page is kept no longer.

        Every message is compared, each in the same time: how long it takes tells nothing of any token.
        """
        given, found = token.lower().encode(errors="replace"), None
        for linked in _messages(state):
            if hmac.compare_digest(given, self.token(linked.told.message).encode()):
                found = linked
        return found


def _messages(state: State) -> Iterator[Linked]:
    for page in state.pages.values():
        yield from (Linked(told, page) for told in page.told)
    for proof in state.proofs.values():
        if proof.told is not None:
            yield Linked(proof.told, proof)


def _short(key: bytes, message: str) -> str:
    return b32encode(hmac.digest(key, message.encode(), "sha256")[:_TOKEN_BYTES]).decode().lower()
