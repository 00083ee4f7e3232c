"""Message ids: of the mail, of what it answers, of its thread.

Takes raw Message-ID, In-Reply-To and References values, gives ids in angle brackets, so that the same id always has
the same form. Separate from addresses, which look similar: an id is compared, never parsed (RFC 5322
section 3.6.4). Words between ids are the phrases of RFC 822 section 4.6.2; an address in them is not an id.
"""

from __future__ import annotations

import re

from services.parser.charset import guess
from services.parser.defects import Defects
from services.parser.headers import decode_words
from shared.lazy_pattern import lazy_compile

_BRACKETED = lazy_compile(r"<([^<>]{1,2000})>")
_PIECES = lazy_compile(r"<([^<>]{1,2000})>|\([^()]*\)|\"(?! ?<)[^\"]*\"|[^<(\"]+|.", re.DOTALL)
"""An id or an address in brackets, a comment, a quotation, words."""
_COMMENT = lazy_compile(r"\([^()]*\)")
_FROM = lazy_compile(r"\b(?:from|by|of)\b", re.IGNORECASE)
_ANNOUNCING = lazy_compile(
    r"\d|\b(?:e?-?mail|message|letter|note|article|posting|memo|id|dated|on|nachricht|mensaje|correo|messaggio|bericht"
    r"|mensagem|meddelande|courriel|yesterday|today|(?:mon|tue|wed|thu|fri|sat|sun)(?:[a-z]{0,6}day)?)\b",
    re.IGNORECASE,
)
"""What stands before an id in a phrase, as in `Your message of "Tue, 3 Nov 2026"`; a name stands before an address."""
_NAME = lazy_compile(r"(?:[^\W\d_a-z]\S*+|(?:v[ao]n|de[rn]?|la)\b|[\"'.,;:\s])++")
_SPACES = lazy_compile(r"[\s\x00-\x1f\x7f]+")
_LONGEST = 998
_HEAD, _TAIL = 8 * 1024, 56 * 1024
"""Bytes at both ends of a longer field that are searched for ids."""


def message_id(values: list[bytes], defects: Defects) -> str | None:
    """The mail's own id; None with a defect when it is missing or invalid."""
    if len(values) > 1:
        defects.add("several-message-ids")
    for value in values:
        begin = value[:_HEAD]
        if found := _ids(begin):
            return found[0]
        if words := _SPACES.sub("", _text(begin)).strip("<>"):
            defects.add("bad-message-id")
            return f"<{words[:_LONGEST]}>"
    return None


def all_ids(values: list[bytes], cap: int, defects: Defects) -> tuple[str, ...]:
    """Every id of a field, each once; beyond `cap` the first and the newest are kept. The first field counts."""
    if len(values) > 1:
        defects.add("several-references")
    if not values:
        return ()
    value, cut = _ends(values[0])
    ids = tuple(dict.fromkeys(_ids(value) or _bare_ids(value)))
    if cut:
        defects.add("references-capped")
    if len(ids) > cap:
        defects.add("references-capped")
        ids = (ids[0], *ids[len(ids) - cap + 1 :])
    return ids


def _ends(value: bytes) -> tuple[bytes, bool]:
    """A field without the middle part of a very long one, cut between ids; and whether it was cut."""
    if len(value) <= _HEAD + _TAIL:
        return value, False
    head, tail = value[:_HEAD], value[-_TAIL:]
    return head[: head.rfind(b">") + 1] + tail[max(tail.find(b"<"), 0) :], True


def _text(value: bytes) -> str:
    """The field as text. Encoded words in an id stay (RFC 2047 section 5), unless its brackets or its @ are in them."""
    text = value.decode("ascii") if value.isascii() else guess(value)
    if "=?" not in text:
        return text
    pieces = _BRACKETS_AND_WORDS.findall(text)
    return "".join(piece if piece[0] == "<" and "@" in piece else decode_words(piece, Defects()) for piece in pieces)


_BRACKETS_AND_WORDS = lazy_compile(r"<[^<>]*>|[^<]+|<")


def _ids(value: bytes) -> list[str]:
    if b"<" not in value and b"=?" not in value:
        return []
    text = _text(value)
    words = _BRACKETED.sub("", text)
    found = _BRACKETED.findall(text) if not words or not words.strip(" ,;\t\r\n") else _ids_among_words(text)
    inside = (_SPACES.sub("", one) for one in found)
    return [f"<{one}>" for one in inside if one and len(one) <= _LONGEST]


def _ids_among_words(text: str) -> list[str]:
    """What is in brackets, without the addresses in phrases, comments and quotations."""
    found: list[str] = []
    before = ""
    for piece in _PIECES.finditer(text):
        if piece[1] is None:
            before += "" if piece[0][0] == "(" else piece[0]
            continue
        if not _is_name(before):
            found.append(piece[1])
        before = ""
    return found


def _is_name(words: str) -> bool:
    """Whether these words, which stand before something in brackets, are the name of a person."""
    words = words.strip(" ,;\t\r\n")
    *from_, last = _FROM.split(words)
    return bool(words) and not _ANNOUNCING.search(last) and bool(from_ or _NAME.fullmatch(words))


def _bare_ids(value: bytes) -> list[str]:
    """Ids without brackets: words with an @ in them, if there are no other words."""
    words = [word.strip("<>,;\"'()") for word in _COMMENT.sub(" ", _text(value)).split()]
    if not all("@" in word for word in words):
        return []
    return [f"<{word}>" for word in words if 2 < len(word) <= _LONGEST]
