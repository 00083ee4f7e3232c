"""Signed reply tokens: what a mail of ours carries, so that an answer to it proves to have had it before.

A token is the id of the outgoing mail and an HMAC (RFC 2104) over that id, the mail's record and its recipients, as 42
characters of base32 (RFC 4648) in any case, because relays may change the case of a Message-ID or of an address. It is
the left part of our Message-IDs, which answers repeat in In-Reply-To, and the tag of a plus-address. Whoever
forges one has to guess 80 bits. Several keys may be in force: the first signs, all are accepted. The probes of canaries
are signed in the same way (`SignedProbe`).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from base64 import b32decode, b32encode
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from shared.addresses import address_key
from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass

Keys = Callable[[], Sequence[bytes]]
KEY_FILE: Final = "token-key"
MIN_KEY: Final = 16
"""Characters of a key; shorter ones sign nothing."""
NO_KEY: Final = (
    f"it has no key of {MIN_KEY} characters or more and signs nothing; write one, as `openssl rand -hex 32` makes it"
)
MAX_LOCAL: Final = 64
"""Octets of a local part (RFC 5321, section 4.5.3.1.1)."""
_ID_BYTES: Final = 16
_MAC_BYTES: Final = 10
_ID_CHARACTERS: Final = 26
_TOKEN: Final = re.compile(r"[a-z2-7]{42}")


@dataclass(frozen=True, slots=True)
class Signed:
    """What a token is about: the outgoing mail, its record and its recipients."""

    outbox_id: str
    record_id: str | None
    to: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """What is signed."""
        recipients = (address_key(each) or each for each in self.to)
        return "postroom reply token", self.outbox_id, self.record_id or "", *recipients


@dataclass(frozen=True, slots=True)
class SignedProbe:
    """What the token of a canary's probe is about: the outgoing mail, its inbox, and when it was queued.

    The time counts to the second, because stores keep less than a clock gives.
    """

    outbox_id: str
    inbox: str
    at: datetime

    @property
    def parts(self) -> tuple[str, ...]:
        """What is signed. The first text differs from that of reply tokens, so that neither passes for the other."""
        return "postroom canary", self.outbox_id, self.inbox, str(int(self.at.timestamp()))


class ReplyTokens:
    """Makes and checks tokens. `keys` are asked for each time, so that a changed configuration counts at once."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def token(self, signed: Signed) -> str | None:
        """The token of a mail; None when no key is in force, or the mail is about no record."""
        keys = self._keys() if signed.record_id else ()
        return _token(keys[0], signed) if keys else None

    def probe_token(self, signed: SignedProbe) -> str | None:
        """The token of a canary's probe; None when no key is in force."""
        keys = self._keys()
        return _token(keys[0], signed) if keys else None

    @property
    def has_key(self) -> bool:
        """Whether a key is in force. Raises `Misconfigured`."""
        return bool(self._keys())

    def is_valid(self, token: str, signed: Signed | SignedProbe) -> bool:
        """Whether a key in force has made this token for this mail."""
        return any(hmac.compare_digest(_token(key, signed), token) for key in self._keys())


def _token(key: bytes, signed: Signed | SignedProbe) -> str:
    parts = [part.encode("utf-8", "surrogatepass") for part in signed.parts]
    message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    mac = hmac.digest(key, message, hashlib.sha256)[:_MAC_BYTES]
    return _text(bytes.fromhex(signed.outbox_id)) + _text(mac)


def _text(data: bytes) -> str:
    return b32encode(data).decode("ascii").rstrip("=").lower()


def tokens_in(message_ids: Iterable[str | None], addresses: Iterable[str]) -> list[str]:
    """What may be a token: the left parts of these Message-IDs and the tags of these addresses, in lower case."""
    lefts = [(each or "").strip().strip("<>").strip().lower().partition("@")[0] for each in message_ids]
    tags = [each.lower().rpartition("@")[0].partition("+")[2] for each in addresses]
    return list(dict.fromkeys(each for each in (*tags, *lefts) if _TOKEN.fullmatch(each)))


def outbox_id_in(token: str) -> str:
    """The id of the outgoing mail that a token names."""
    return b32decode(token[:_ID_CHARACTERS].upper() + "======")[:_ID_BYTES].hex()


def with_tag(address: str, token: str) -> str | None:
    """The plus-address with the token; None when the local part would be too long."""
    local, _, domain = address.rpartition("@")
    tagged = f"{local}+{token}"
    return f"{tagged}@{domain}" if len(tagged.encode()) <= MAX_LOCAL and "+" not in local else None


def keys_of(text: str) -> tuple[bytes, ...]:
    """The keys of a secret, which white space separates; the newest is the first. Those that are too short are none."""
    return tuple(each.encode() for each in text.split() if len(each) >= MIN_KEY)


def key_fault(text: str) -> str | None:
    """What is wrong with the keys of a secret, in words; None when all of them count."""
    keys = keys_of(text)
    if not keys:
        return NO_KEY
    short = len(text.split()) - len(keys)
    return f"{short} of its keys have fewer than {MIN_KEY} characters and are not used" if short else None


def own_keys(folder: Path) -> tuple[bytes, ...]:
    """The keys in the folder of the embedded default; one is made when there is none, readable by its owner alone.

    Raises `Misconfigured` when it can neither be read nor made, or holds no key.
    """
    path = folder / KEY_FILE
    try:
        if not path.exists():
            _make(path)
        keys = keys_of(path.read_text("ascii"))
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{path} cannot be used: {error}; it holds the key that signs reply tokens") from None
    if not keys:
        raise Misconfigured(f"{path} cannot be used: {NO_KEY}, or remove the file")
    return keys


def _make(path: Path) -> None:
    """Make the file whole or not at all; of two processes one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(f"{secrets.token_hex(32)}\n")
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(half, path)
    half.unlink()
