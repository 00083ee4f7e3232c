"""Reads address fields, and decides whether an address is unambiguous.

Takes a raw field value, gives `Address` values and notes defects. Separate from the other headers because security
depends on it: an address is reported only when it has a single reading. Simple values take a short path; all others
are split only at structural characters (RFC 5322 section 3.4). An irregular From is also read by mail-parser's
scanner; if the two readers find different senders, the mail has no sender (CVE-2023-27043 and similar).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from services.parser import charset
from services.parser.defects import Defects
from services.parser.headers import decode_value, decode_words, raw_text
from services.parser.scanner import QUOTED_AT, Item, Scanner
from shared.addresses import address_key, ascii_domain
from shared.contracts.mail import Address
from shared.lazy_pattern import lazy_compile

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_PLAIN = lazy_compile(
    rf"(?:([A-Za-z0-9!#$%&'*+/=?^_`{{|}}~ -]{{0,200}}+|\"[^\"\\\\<>@]{{0,200}}+\")[ \t]{{0,9}}+"
    rf"<({_ATEXT}{{1,64}}(?:\.{_ATEXT}{{1,64}}){{0,9}}@[A-Za-z0-9.-]{{1,250}})>"
    rf"|({_ATEXT}{{1,64}}(?:\.{_ATEXT}{{1,64}}){{0,9}}@[A-Za-z0-9.-]{{1,250}}))$"
)
_SPACES = lazy_compile(r"\s+")
_INVISIBLE = lazy_compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
_LONGEST = 320
_FIELD_CAP = 256 * 1024
"""Bytes read in total of the irregular fields of one name."""
_ENCODED_CAP = 64 * 1024
"""Characters of a field without any address that is decoded as a whole; in a longer one no address is found."""
_NAME_CAP = 8_000
"""Characters of a display name that are decoded; 1,000 of the result are kept."""


def sender(values: list[bytes], defects: Defects, *, transmitter: Address | None = None) -> Address | None:
    """Return the single author in a From field; None with a defect when there is none or more than one reading.

    Of several authors in an unambiguous field, it is the one equal to `transmitter`, the mailbox of Sender. Of several
    fields it is the only one with an address.
    """
    if not values:
        defects.add("no-from")
        return None
    if len(values) > 1:
        defects.add("several-from")
        values = [value for value in values[:_MOST_FROM] if "@" in decode_value(value[:_LONGEST_FROM], defects)]
    if len(values) != 1:
        return None
    if plain := _plain(values[0], defects):
        return plain
    if authors := _authors(values[0], defects):
        defects.add("several-authors")
        return next((one for one in authors if transmitter and _is_same(one, transmitter)), authors[0])
    noted = Defects()
    found = addresses(values, 2, noted)
    if len(found) > 1 and _is_same(found[0], found[1]) and "addresses-capped" not in noted:
        noted.add("malformed-address")
        found = found[:1]
    defects.take(noted.words())
    if len(found) == 1 and "addresses-capped" not in noted:  # the part that was not read may contain another author
        return found[0] if _agrees(values[0], found, defects) else None
    defects.add("ambiguous-from" if found or "ambiguous-address" in defects else "bad-from")
    return None


_AUTHOR = lazy_compile(
    rf"[ \t]*+((?:(?:[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.-]++|\"[^\"\\<>@\x00-\x1f\x7f]++\")[ \t]*+)++)"
    rf"<({_ATEXT}{{1,64}}(?:\.{_ATEXT}{{1,64}}){{0,9}}@[A-Za-z0-9.-]{{1,250}})>[ \t]*+(?:,(?=.)|$)"
)
_LONGEST_FROM = 4_096
_MOST_FROM = 20


def _authors(value: bytes, defects: Defects) -> list[Address]:
    """Return the authors of an unambiguous From field: named, in one domain, without defects; else an empty list."""
    if len(value) > _LONGEST_FROM or value.count(b"<") < 2 or not value.isascii():
        return []
    noted = Defects()
    authors = _named_mailboxes(value.decode("ascii"), noted)
    if noted.words() or len({author.address.rpartition("@")[2] for author in authors}) != 1:
        return []
    return authors if _agrees(value, authors, defects) else []


def _named_mailboxes(text: str, defects: Defects) -> list[Address]:
    """Return the members of a regular mailbox-list if all have a name (RFC 5322 section 3.4); else an empty list."""
    found: list[Address] = []
    position = 0
    while match := _AUTHOR.match(text, position):
        name, address = _name(match[1], defects), _normalised(match[2], defects)
        if address is None or not name or "@" in name:
            return []
        found.append(Address(name, address))
        position = match.end()
    return found if position == len(text) else []


def _is_same(one: Address, other: Address) -> bool:
    return (key := address_key(one.address)) is not None and key == address_key(other.address)


def addresses(values: list[bytes], cap: int, defects: Defects) -> tuple[Address, ...]:
    """Return at most `cap` mailboxes of all fields of one name, including the members of groups."""
    found: list[Address] = []
    left = _FIELD_CAP
    for value in values:
        if plain := _plain(value, defects):
            found.append(plain)
        else:
            found.extend(_parsed(value[:left], cap + 1 - len(found), defects))
            left -= len(value)
        if len(found) > cap or left < 0:
            defects.add("addresses-capped")
            break
    return tuple(found[:cap])


def _plain(value: bytes, defects: Defects) -> Address | None:
    """Return the address in a value of the simplest form, which is the most common; else None."""
    if len(value) > 320 or not value.isascii():
        return None
    if not (match := _PLAIN.match(value.decode("ascii"))):
        return None
    name, angle, bare = match.groups()
    address = _normalised(angle or bare, defects)
    if address is None or "=?" in address:
        return None
    return Address(_name(name or "", defects), address)


def _name(raw: str, defects: Defects) -> str:
    text = _without_quotes(raw.strip())
    if "=?" in text:
        text = decode_words(text, defects)
        if not text.isprintable():
            text = "".join(char if char.isprintable() else " " for char in charset.scalar(text))
        text = _without_quotes(text.strip())
    return text.strip()


def _without_quotes(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _parsed(value: bytes, cap: int, defects: Defects) -> list[Address]:
    text = charset.without_nul(raw_text(value, defects), defects)
    found: list[Address] = []
    for item in _items(text, defects):
        if address := _mailbox(item, defects):
            found.append(address)
            if len(found) >= cap:
                break
    if not found and "=?" in text and "@" not in text and "<" not in text:
        return _wholly_encoded(text, cap, defects)
    return found


def _wholly_encoded(text: str, cap: int, defects: Defects) -> list[Address]:
    """Read a field that is encoded as a whole, including the address, which RFC 2047 section 5 forbids."""
    if len(text) > _ENCODED_CAP:
        return []
    decoded = decode_value(text.encode("utf-8"), defects)
    if "@" not in decoded or "=?" in decoded:
        return []
    defects.add("encoded-address")
    found = [address for item in _items(decoded, defects) if (address := _mailbox(item, defects))]
    return found[:cap]


def _items(text: str, defects: Defects) -> list[Item]:
    scanner = Scanner(text, quotes=True)
    items = scanner.run()
    if scanner.unclosed:
        defects.add("unclosed-quote")
        scanner = Scanner(text, quotes=False)
        items = scanner.run()
    if scanner.cut:
        defects.add("addresses-capped")
    if scanner.deep:
        defects.add("deep-comments")
    return _rejoined(items, defects) if len(items) > 1 else items


def _rejoined(items: list[Item], defects: Defects) -> list[Item]:
    """`Becker, Anna <anna@...>` without quotes: join words before a comma with the name after it."""
    out: list[Item] = []
    words: list[Item] = []
    for item in items:
        if _is_words(item):
            words.append(item)
            continue
        if words and len(item.angles) == 1 and not item.malformed and "".join(item.phrase).strip():
            defects.add("malformed-address")
            item.phrase[:0] = [f"{''.join(word.phrase).strip()}, " for word in words]
        else:
            out.extend(words)
        words = []
        out.append(item)
    return [*out, *words]


def _is_words(item: Item) -> bool:
    return not (item.angles or item.malformed or item.grouped) and "@" not in "".join(item.phrase)


def _mailbox(item: Item, defects: Defects) -> Address | None:
    """Return the address of one member; None with a defect when it has none or is ambiguous."""
    phrase, after = "".join(item.phrase), "".join(item.after)
    if not item.angles:
        return _without_angle(item, phrase, defects)
    if "@" not in item.angles[0] and " " in item.angles[0].strip() and "@" in phrase:  # the name in the brackets
        defects.add("malformed-address")
        return _without_angle(item, f"{item.angles[0]} {phrase}", defects)
    if len(item.angles) > 1 or "@" in after:
        if {text.strip() for text in (*item.angles, after) if text.strip()} != {item.angles[0].strip()}:
            defects.add("ambiguous-address")
            return None
        item.malformed, after = True, ""
    address = _normalised(item.angles[0], defects)
    if address is None or (("@" in phrase) and not _may_be_name(item, phrase, address)):
        defects.add("ambiguous-address" if address else "bad-address")
        return None
    if item.malformed or after.strip():
        defects.add("malformed-address")
    return Address(_display(phrase, item, defects), address)


def _may_be_name(item: Item, phrase: str, address: str) -> bool:
    """Whether an address before `<` is a name: separated from `<` and free of defects, or equal to the address."""
    if phrase.strip().lower() == address.lower():
        return True
    return phrase[-1:].isspace() and not item.malformed and not item.comments


def _without_angle(item: Item, phrase: str, defects: Defects) -> Address | None:
    words = _BARE_WORDS.findall(phrase)
    if "@" in phrase and not any("@" in word.strip("@") for word in words):
        words = ["".join(words)]  # blanks around the @
    named = [word for word in words if "@" in word.strip("@")] or words
    if len(named) == 1 and (bracketed := _BRACKETED.fullmatch(named[0])):
        words = [bracketed[1] if word is named[0] else word for word in words]
        named = [bracketed[1]]
        defects.add("malformed-address")
    if item.malformed or len(named) > 1 or _QUOTED.sub("", phrase).count("@") > 1:
        defects.add("ambiguous-address" if "@" in phrase else "bad-address")
        return None
    address = _normalised(named[0], defects) if named else None
    if address is None:
        defects.add("bad-address")
        return None
    rest = " ".join(word for word in words if word not in named)
    if rest:
        defects.add("malformed-address")
    return Address(_display(rest, item, defects), address)


_BARE_WORDS = lazy_compile(r'"[^"]*"\S*|\S+')
_QUOTED = lazy_compile(r'"[^"]*"')
_BRACKETED = lazy_compile(r"\[([^\[\]]*@[^\[\]]*)\]")


def _display(phrase: str, item: Item, defects: Defects) -> str:
    text = _SPACES.sub(" ", phrase[:_NAME_CAP].replace(QUOTED_AT, "@")).strip()
    if not text and item.comments:
        text = _SPACES.sub(" ", item.comments[0][:_NAME_CAP]).strip()
    return _name(text, defects)[:1_000]


def _normalised(raw: str, defects: Defects) -> str | None:
    """Return an addr-spec with its domain in lower case and ASCII (RFC 5890); None when it is invalid."""
    text = raw.strip()
    if text.startswith("@") and ":" in text:  # a source route, RFC 5322 section 4.4
        text = text.rpartition(":")[2].strip()
    if kind := _KIND.match(text):
        text = text[kind.end() :]
        text = text.partition("?")[0] if kind[1].lower() == "mailto" else text
        defects.add("malformed-address")
    if text.startswith("=?") and text.endswith("?="):
        defects.add("encoded-address")
        text = decode_words(text, defects).strip()
    if quoted := _IN_QUOTES.fullmatch(text):  # Outlook's form of a name equal to the address, and others
        defects.add("malformed-address")
        text = quoted[1]
    if _INVISIBLE.search(text):
        defects.add("invisible-in-address")
    local, at, domain = text.rpartition("@")
    if not at:
        return _word_without_domain(text, defects)
    if (tidied := domain.rstrip(" ,;'\"")) != domain.rstrip():  # a dot at the end is the root of the domain names
        defects.add("malformed-address")
        domain = tidied
    local, domain = _SPACES.sub("", local) if '"' not in local else local.strip(), domain.strip()
    if not local or not domain or len(local) + len(domain) >= _LONGEST:
        defects.add("address-too-long" if local and domain else "bad-address")
        return None
    if ("@" in local and not local.startswith('"')) or _bad_domain(domain) or _unprintable(local):
        return None
    if "=?" in local:
        defects.add("encoded-word-in-address")
    return f"{local}@{_domain(domain, defects)}"


_KIND = lazy_compile(r"([A-Za-z][A-Za-z0-9-]{0,9})\s?[:;]\s?(?=[^\s:;@]+@)")
"""The type of an address that some systems write before it: `SMTP:`, `mailto:`, `rfc822;`."""
_IN_QUOTES = lazy_compile(
    "['\"\u2018\u201c]([^'\"\u2018\u2019\u201c\u201d]+@[^'\"@\u2018\u2019\u201c\u201d]+)['\"\u2019\u201d]"
)
_WORD = lazy_compile(r"[^\s<>()\[\]:;,\"\\/@]+")


def _word_without_domain(text: str, defects: Defects) -> str | None:
    """Return a word without a domain (`jsmith`) unchanged; a default domain may be applied later."""
    if len(text) > 64 or not _WORD.fullmatch(text) or "=?" in text or _unprintable(text) or QUOTED_AT in text:
        return None
    defects.add("address-without-domain")
    return text


def _bad_domain(domain: str) -> bool:
    if domain.startswith("["):
        return not domain.endswith("]") or _unprintable(domain)
    return _unprintable(domain) or bool(re.search(r"[\s<>()\[\],;:\\\"@]|\.\.", domain))


def _unprintable(text: str) -> bool:
    if text.isascii():
        return not text.isprintable()
    return any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text)


def _domain(domain: str, defects: Defects) -> str:
    """Return a domain in lower case and ASCII; unchanged if IDNA rejects it, so that look-alikes stay different."""
    known = ascii_domain(domain)
    if known is None:
        defects.add("bad-domain")
    return domain if known is None else known


def _agrees(value: bytes, ours: Sequence[Address], defects: Defects) -> bool:
    """Whether mail-parser's independent scanner finds no other mailboxes than ours in an irregular field."""
    if len(value) > _LONGEST_FROM or not value.isascii() or "encoded-address" in defects:
        return True
    from mailparser.utils import get_addresses  # its imports take long, and few mails need it

    seen = {address.lower().strip("'") for _, address in get_addresses(value.decode("ascii")) if address}
    if seen and seen != {one.address.lower() for one in ours}:
        defects.add("ambiguous-from")
        return False
    return True
