"""How many refused sign-ins there may be, before further ones are not even checked.

They are counted by address over all names, by name at one address, and by name over all addresses. A browser in which
the name has signed in before carries a mark of this process and is counted by itself: a stranger who tries the name
locks out other browsers, and not that one.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final

from shared.bounded import forget_oldest
from shared.lazy_dataclass import dataclass
from shared.store.access import key_of

SECONDS: Final = 300.0
"""How long a refusal counts."""
MAX_OF_PAIR, MAX_OF_BROWSER, MAX_OF_ADDRESS, MAX_OF_NAME = 5, 5, 20, 50
MAX_KEYS: Final = 10_000
"""Addresses, names and browsers that are remembered of each kind; the one that was refused longest ago is forgotten."""
MARK_BYTES: Final = 16
IPV6_PREFIX: Final = 64
"""Bits of an IPv6 address that are counted: whoever has one address has the whole network (RFC 4291, 2.5.4)."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in: the name, the address that it comes from, and the mark of the browser, empty without one."""

    name: str
    address: str
    mark: str = ""


class Refusals:
    """Refused sign-ins of the last minutes by key."""

    def __init__(self, most: int, sentence: str, monotonic: Callable[[], float]) -> None:
        self.most, self.sentence = most, sentence
        self._times: dict[str, list[float]] = {}
        self._lock, self._monotonic = threading.Lock(), monotonic

    def are_too_many(self, key: str) -> bool:
        """Whether this key has to wait."""
        with self._lock:
            if recent := self._recent(key):
                self._times[key] = recent
            return len(recent) >= self.most

    def add(self, key: str) -> None:
        """Count one."""
        with self._lock:
            self._times[key] = [*self._recent(key), self._monotonic()][-self.most :]
            forget_oldest(self._times, MAX_KEYS)

    def _recent(self, key: str) -> list[float]:
        """The refusals of a key that count; the caller puts them back."""
        since = self._monotonic() - SECONDS
        return [at for at in self._times.pop(key, []) if at > since]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._times.clear()


class SignInLimit:
    """The refused sign-ins of one process."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        again = f"try again in {SECONDS / 60:.0f} minutes."
        self.by_pair = Refusals(MAX_OF_PAIR, f"Too many refused sign-ins for this name; {again}", monotonic)
        self.by_browser = Refusals(MAX_OF_BROWSER, self.by_pair.sentence, monotonic)
        self.by_name = Refusals(MAX_OF_NAME, self.by_pair.sentence, monotonic)
        self.by_address = Refusals(MAX_OF_ADDRESS, f"Too many refused sign-ins from this address; {again}", monotonic)
        self._key = secrets.token_bytes(32)

    def why_to_wait(self, attempt: Attempt) -> str | None:
        """The sentence for one that has to wait; None: check the password."""
        return next((each.sentence for each, key in self._counts(attempt) if each.are_too_many(key)), None)

    def refused(self, attempt: Attempt) -> None:
        """Count one."""
        for each, key in self._counts(attempt):
            each.add(key)

    def mark_for(self, name: str) -> str:
        """A mark for a browser in which this name has just signed in; it gives no right but a count of its own."""
        random = secrets.token_urlsafe(MARK_BYTES)
        return f"{random}.{self._proof(random, name)}"

    def _counts(self, attempt: Attempt) -> list[tuple[Refusals, str]]:
        random, _, proof = attempt.mark.partition(".")
        if hmac.compare_digest(proof.encode(), self._proof(random, attempt.name).encode()):
            return [(self.by_browser, random)]
        name, address = key_of(attempt.name), counted_address(attempt.address)
        return [(self.by_address, address), (self.by_pair, f"{address} {name}"), (self.by_name, name)]

    def _proof(self, random: str, name: str) -> str:
        return hmac.digest(self._key, f"{random} {key_of(name)}".encode(), hashlib.sha256).hex()

    def clear(self) -> None:
        """Forget all refusals."""
        for each in (self.by_pair, self.by_browser, self.by_name, self.by_address):
            each.clear()


def counted_address(address: str) -> str:
    """The address as it is counted: of IPv6 its network; an IPv4 address within IPv6 as what it is."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), IPV6_PREFIX), strict=False))
