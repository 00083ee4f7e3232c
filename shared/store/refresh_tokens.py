"""The newest refresh token of each sign-in, encrypted: the token endpoint may replace one at each use (RFC 6749, 6).

Encrypted (Fernet) under a key derived from the setting `token_key`, so that a copy of the store opens no mailbox. Of
several keys the first encrypts, and all decrypt: a key can be changed without a new sign-in. An entry belongs to the
refresh token of the configuration that it came from: after a new sign-in it is not used.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Final

from shared.clock import Clock
from shared.contracts.errors import Misconfigured
from shared.store.documents import Documents

REFRESH_TOKENS: Final = "refresh_tokens"
_PURPOSE: Final = b"postroom refresh tokens"


class StoredRefreshTokens:
    """The refresh tokens in a store. `keys` gives those of `token_key`, the newest first; it raises `Misconfigured`
    without any.
    """

    def __init__(self, documents: Documents, clock: Clock, keys: Callable[[], Sequence[bytes]]) -> None:
        self._documents, self._clock, self._keys = documents, clock, keys

    def get(self, first: str) -> str:
        """The newest refresh token that came after this first one; the first one itself when none did."""
        from cryptography.fernet import Fernet, InvalidToken

        for key in self._keys():
            found = self._documents.get(REFRESH_TOKENS, _id(first, key))
            if found is None:
                continue
            try:
                return Fernet(_derived(key)).decrypt(found["token"]).decode()
            except (InvalidToken, KeyError) as error:
                raise Misconfigured("a stored refresh token cannot be decrypted; sign in again") from error
        return first

    def put(self, first: str, newest: str) -> None:
        """Keep the newest one, under the first key alone."""
        from cryptography.fernet import Fernet

        key, *older = self._keys()
        token = Fernet(_derived(key)).encrypt(newest.encode()).decode()
        self._documents.replace(REFRESH_TOKENS, {"_id": _id(first, key), "token": token, "at": self._clock.now()})
        for each in older:
            self._documents.delete(REFRESH_TOKENS, {"_id": _id(first, each)})


def _derived(key: bytes) -> bytes:
    """The key for Fernet: 32 bytes in base64. `token_key` is random, so one HMAC is enough (RFC 5869, 3.3)."""
    return base64.urlsafe_b64encode(hmac.digest(key, _PURPOSE, "sha256"))


def _id(first: str, key: bytes) -> str:
    """The name of an entry: keyed, so that nobody can test a guess of the token against it."""
    return hmac.new(_derived(key), first.encode(), hashlib.sha256).hexdigest()
