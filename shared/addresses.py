"""How addresses are compared, everywhere: one form, so that no spelling gains rights or evades a limit.

The domain is compared after IDNA (UTS 46, RFC 5891), the local part by folding ASCII letters alone: the Kelvin sign is
no `k`. A domain that only looks like another one has no such form, and so it matches no person.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

import idna

from shared.lazy_pattern import lazy_compile

MAX_DOMAIN: Final = 255
"""Characters of a domain that is looked at (RFC 5321, section 4.5.3.1.2, says octets)."""
_CAPITALS: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_DOT_ATOM: Final = lazy_compile(r"[^\s\x00-\x1f\x7f()<>\[\]:;@\\,.\"]+(?:\.[^\s\x00-\x1f\x7f()<>\[\]:;@\\,.\"]+)*")
_ONE: Final = r"[^\s@<>()\[\],;:\"\\]{1,320}@[^\s@<>()\[\],;:\"\\]{1,255}"
_WRITTEN: Final = lazy_compile(
    rf"(?:[^<>@,;]{{0,200}}<(?:mailto:)?(?P<named>{_ONE})>|(?:mailto:)?(?P<alone>{_ONE})(?:\s?<(?:mailto:)?(?P<link>{_ONE})>)?)",
    re.IGNORECASE,
)
_QUOTED: Final = lazy_compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED: Final = lazy_compile(r"\\(.)", re.DOTALL)


def ascii_domain(domain: str) -> str | None:
    """The domain in lower case and A-labels (RFC 5890); None when IDNA refuses it or a character passes for ASCII.

    UTS 46 makes a `k` of the Kelvin sign and nothing of a soft hyphen: such a domain looks like another domain.
    """
    if domain.isascii():
        return domain.lower()
    if len(domain) > MAX_DOMAIN or any(map(_passes_for_ascii, domain)):
        return None
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return None


@lru_cache(maxsize=1024)
def _passes_for_ascii(character: str) -> bool:
    """Whether UTS 46 makes ASCII or nothing of a character that is not ASCII, or refuses it."""
    try:
        return not character.isascii() and idna.uts46_remap(character).isascii()
    except (idna.IDNAError, UnicodeError):
        return True


@lru_cache(maxsize=1024)
def address_key(address: str) -> str | None:
    """The form in which addresses are compared; None for one that matches no person.

    Quotes that the local part does not need (RFC 5321, section 4.1.2) and a dot behind the domain make no difference.
    An address without a domain is compared by its local part.
    """
    local, at, domain = address.strip().rpartition("@")
    if not at:
        return fold_ascii(domain) or None
    known = ascii_domain(domain.strip())
    if not local or not known:
        return None
    return f"{_unquoted(fold_ascii(local))}@{known.removesuffix('.')}"


def written_address(text: str) -> str | None:
    """The address that a person writes in a line of its own; None for a text without one, or with more than one.

    Alone, behind a name in angle brackets, or as programs show a link: `a@b.example<mailto:a@b.example>`.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        return None
    address: str = found["named"] or found["alone"]
    is_one = found["link"] is None or address_key(found["link"]) == address_key(address)
    return address if is_one and address_key(address) else None


def fold_ascii(text: str) -> str:
    """Capital ASCII letters as small ones, everything else as it is."""
    return text.translate(_CAPITALS)


def _unquoted(local: str) -> str:
    r"""`"anna"`, `"\anna"` and `an."na"` without their quotes, as far as the local part does not need them."""
    if '"' not in local:
        return local
    content = _QUOTED.sub(lambda found: _ESCAPED.sub(r"\1", found[1]), local)
    if _DOT_ATOM.fullmatch(content):
        return content
    if not _QUOTED.fullmatch(local):
        return local
    return '"' + content.replace("\\", "\\\\").replace('"', '\\"') + '"'


def address_keys(address: str, *, plus_addressing: str = "ignore") -> list[str]:
    """The forms under which an address may be known, the exact one first; none for one that matches no person."""
    exact = address_key(address)
    if exact is None:
        return []
    local, at, domain = exact.rpartition("@")
    plain = local.split("+", 1)[0]
    if plus_addressing == "keep" or not at or not plain or plain == local or local.startswith('"'):
        return [exact]
    return [exact, f"{plain}@{domain}"]


def mailbox_key(address: str) -> str | None:
    """The mailbox behind an address, as limits count it; None for one that matches no person.

    Coarser than `address_key`, because servers deliver these to one mailbox: tags, dots and compatibility forms in the
    local part make no difference. Two people who share a limit lose little; one with many limits has none.
    """
    key = address_key(address)
    if key is None:
        return None
    local, _, domain = key.rpartition("@")
    folded = unicodedata.normalize("NFKC", local).casefold().strip('"').replace(".", "")
    return f"{folded.split('+', 1)[0] or folded}@{domain}"


def domain_of(address: str) -> str | None:
    """The domain of an address, as limits count it; None for one that has none or matches no person."""
    key = address_key(address)
    return key.rpartition("@")[2] if key and "@" in key else None


def spellings(address: str) -> list[str]:
    """An address as written, as it is compared, and with its domain readable: a rule may name it in any of these."""
    key = address_key(address)
    if key is None:
        return [address]
    local, at, domain = key.rpartition("@")
    return list(dict.fromkeys((address, key, f"{local}{at}{_readable(domain)}")))


def _readable(domain: str) -> str:
    if "xn--" not in domain:
        return domain
    try:
        return idna.decode(domain)
    except (idna.IDNAError, UnicodeError):
        return domain
