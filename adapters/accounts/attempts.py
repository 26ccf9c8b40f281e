"""How often a password may be guessed: by account, by address, and not by those who are known.

A browser that has logged in carries a mark. It has a bucket of its own, so that somebody who guesses, from the same
address or at the same account, does not lock its owner out (OWASP: device cookies). The marks' key lives as long as
the process: after a restart everybody is a stranger until the next login.
"""

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable
from time import monotonic

from adapters.http.access import RateLimit

PER_ACCOUNT, ACCOUNT_AT_ONCE = 6.0, 10
PER_ADDRESS, ADDRESS_AT_ONCE = 30.0, 60
"""Failed logins a minute that may go on for ever, and how many at once."""
SIGN_ONS, SIGN_ONS_AT_ONCE = 120.0, 300
"""Ways to single sign-on from one address; a whole office may stand behind it."""


class Attempts:
    """Counts failed logins.

    Args:
        now_s: a monotonic clock, seconds.
    """

    def __init__(self, now_s: Callable[[], float] = monotonic) -> None:
        self._accounts = RateLimit(PER_ACCOUNT / 60, ACCOUNT_AT_ONCE, now_s)
        self._addresses = RateLimit(PER_ADDRESS / 60, ADDRESS_AT_ONCE, now_s)
        self._browsers = RateLimit(PER_ACCOUNT / 60, ACCOUNT_AT_ONCE, now_s)
        self._sign_ons = RateLimit(SIGN_ONS / 60, SIGN_ONS_AT_ONCE, now_s)
        self._key = secrets.token_bytes(32)

    def take(self, account: str, address: str, mark: str) -> float:
        """Count one attempt before it is made. Returns 0, or after how many seconds it may be made."""
        if self._is_known(account, mark):
            return self._browsers.take(mark)
        where = network(address)
        wait_s = max(self._accounts.wait_s(account), self._addresses.wait_s(where))
        if not wait_s:
            self._accounts.take(account)
            self._addresses.take(where)
        return wait_s

    def give_back(self, account: str, address: str, mark: str) -> None:
        """The attempt was right, so it does not count."""
        if self._is_known(account, mark):
            self._browsers.give_back(mark)
        else:
            self._accounts.give_back(account)
            self._addresses.give_back(network(address))

    def take_link(self, address: str) -> float:
        """Count one try of a one-time link. Returns as `take`."""
        return self._addresses.take(network(address))

    def take_sign_on(self, address: str) -> float:
        """Count one way to single sign-on. Returns as `take`."""
        return self._sign_ons.take(network(address))

    def mark(self, account: str) -> str:
        """Return the mark for a browser from which `account` has logged in."""
        nonce = secrets.token_urlsafe(16)
        return f"{nonce}.{self._sign(nonce, account)}"

    def _is_known(self, account: str, mark: str) -> bool:
        nonce, _, signature = mark.partition(".")
        return hmac.compare_digest(signature.encode(), self._sign(nonce, account).encode())

    def _sign(self, nonce: str, account: str) -> str:
        return hmac.new(self._key, f"{nonce}\0{account}".encode(errors="replace"), hashlib.sha256).hexdigest()


def network(address: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 that one IPv6 subscriber has."""
    try:
        source = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(source, ipaddress.IPv4Address):
        return address
    if source.ipv4_mapped is not None:
        return str(source.ipv4_mapped)
    return str(ipaddress.ip_network((source, 64), strict=False))
