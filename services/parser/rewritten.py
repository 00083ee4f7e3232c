"""Decides who wrote a mail whose From is not its author's: a mailing list's, a form's or one of the desk's own.

Lists put their own address into From because of the author's DMARC policy, forms because they have no other. The author
is the one that X-Original-From or Reply-To names (PR-18). Anybody can write these fields: `rewritten_from` of the mail
says that nothing proves this sender. Separate from `address`, which reads fields as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import replace
from typing import Final

from services.parser import address
from services.parser.bounces.addresses import find
from services.parser.defects import Defects
from services.parser.headers import Headers
from shared.addresses import address_key, address_keys
from shared.contracts.mail import Address, ParsedMail
from shared.lazy_pattern import lazy_compile

_ORIGINAL: Final = ("x-original-from", "x-original-sender")
_LISTS: Final = ("list-post", "mailing-list", "x-beenthere", "x-mailing-list")
_VIA: Final = lazy_compile(r"\s+(?:via|über|par|por|tramite)\s.*$", re.IGNORECASE)
MAX_VALUES: Final = 5
MAX_CHARS: Final = 2_000


def original(headers: Headers) -> Address | None:
    """The author that a list states, as far as it is unambiguous."""
    values = (headers.index[name][:1] for name in _ORIGINAL if name in headers.index)
    return next(filter(None, (address.sender(value, Defects()) for value in values)), None)


def list_addresses(headers: Headers) -> frozenset[str]:
    """The keys of the addresses at which the list that passed the mail on takes mail; empty without a list."""
    values = " ".join(
        value[:MAX_CHARS] for name in _LISTS if name in headers for value in headers.all(name, MAX_VALUES)
    )
    named = find(values, 20)
    if list_id := (headers.get("list-id") or "")[:MAX_CHARS].rpartition("<")[2].partition(">")[0].strip():
        local, _, domain = list_id.partition(".")
        named.append(f"{local}@{domain}")
    return frozenset(key for each in named if (key := address_key(each)))


def with_original_author(mail: ParsedMail, own: Container[str], *, plus_addressing: str = "keep") -> ParsedMail:
    """The mail with its author as sender if its From is one of `own`, which are keys of addresses."""
    shown = mail.from_
    if shown is None or mail.rewritten_from is not None:
        return mail
    authors = {address_key(each.address): each for each in _stated(mail)}
    others = {key: each for key, each in authors.items() if key and "@" in key and key not in own}
    if not others:
        return mail
    is_own = any(key in own for key in address_keys(shown.address, plus_addressing=plus_addressing))
    if not (is_own or (mail.original_from and _encoded(shown.address) in others)):
        return mail
    key = address_key(mail.original_from.address) if mail.original_from else None
    if key not in others and len(others) > 1:
        return mail
    author = others[key] if key in others else next(iter(others.values()))
    name = author.name or _VIA.sub("", shown.name).strip(" '\"")
    defects = Defects()
    defects.add("from-rewritten")
    return replace(
        mail,
        from_=Address(name, author.address),
        rewritten_from=shown,
        defects=(*mail.defects, *defects.words()),
    )


def _stated(mail: ParsedMail) -> Iterator[Address]:
    """Those that may be the author; the names of Reply-To are used for the addresses of X-Original-Sender."""
    if mail.original_from:
        yield mail.original_from
    yield from mail.reply_to[:MAX_VALUES]


def _encoded(shown: str) -> str | None:
    """The key of the address that a list wrote into its own: `nora=customer.example@lists.example`."""
    local, _, domain = shown.rpartition("@")[0].replace("=40", "=").rpartition("=")
    return address_key(f"{local}@{domain}") if local else None
