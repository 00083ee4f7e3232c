"""Reads the lines that an IMAP server sends, SEARCH and FETCH answers above all, in the dialects that servers speak.

`repaired` turns a line into the form that `imaplib` reads; `found_uids` and `fetched` read whole answers. Pure: bytes
in, values out. Nothing raised here quotes an answer, because it may hold a mail: errors end up in logs.
"""

from __future__ import annotations

import imaplib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from shared.lazy_pattern import lazy_compile

Part = bytes | tuple[bytes, bytes] | None
"""What imaplib keeps of an answer: a line, or the text before a literal together with the literal."""
Value = bytes | str | tuple[str, ...]
"""Of a FETCH item: a string or literal, an atom (NIL, a number), or a list, flat."""
Items = dict[bytes, Value]
"""The items of one mail by name, in capitals."""
Kind = Literal["string", "atom", "(", ")"]
Token = tuple[Kind, bytes]

CONTENT: Final = (b"BODY[]", b"BODY[]<0>", b"BODY.PEEK[]", b"BINARY[]", b"RFC822")
"""Names under which servers send the content of a mail, or its beginning."""
MAX_UIDS: Final = 5_000_000
_UNTAGGED = lazy_compile(rb"[ \t]*\*[ \t]+(?:(\d+)[ \t]+)?([A-Za-z-]+)(?:[ \t]+(.*))?", re.DOTALL)
_TAGGED = lazy_compile(rb"[ \t]*([A-Za-z]+\d+)[ \t]+([A-Za-z]+)(?:[ \t]+(.*))?", re.DOTALL)
_CODE = lazy_compile(rb"\[[A-Za-z-]+")
_LITERAL = lazy_compile(rb"~?\{(\d+)\+?\}$")
"""Also literal8 (RFC 3516) and the form that only clients may send (RFC 7888)."""
_QUOTED = lazy_compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_STATUS = frozenset((b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"))
_TOKEN = lazy_compile(
    rb'[ \t\r\n]*(?:([()])|"((?:[^"\\]|\\.)*)"|((?:\[[^\]]*\](?:<[^>]*>)?|[^ \t\r\n()"\[])+))', re.DOTALL
)
_ESCAPED = lazy_compile(rb"\\(.)", re.DOTALL)
_UID_SET = lazy_compile(rb"\d+(?::\d+)?(?:,\d+(?::\d+)?)*")


class UnreadableAnswer(imaplib.IMAP4.error):
    """An answer that is not valid IMAP. The connection can be used further."""


class BrokenConnection(imaplib.IMAP4.abort):
    """The server closed the connection, or sent what is no answer: where its next answer begins is unknown."""


# lines


def repaired(line: bytes, tags: Iterable[bytes]) -> bytes:
    """The first line of an answer as imaplib reads it: one space between words, names in capitals, plain literals."""
    if found := _UNTAGGED.fullmatch(line):
        number, name, rest = found.groups(b"")
        return b" ".join(filter(None, (b"*", number, name.upper(), _repaired_rest(name.upper(), rest))))
    if (found := _TAGGED.fullmatch(line)) and found[1].upper() in tags:
        return b"%s %s %s" % (found[1].upper(), found[2].upper(), _repaired_rest(b"OK", found[3] or b""))
    if line.startswith(b"+"):
        return b"+ " + line[1:].lstrip()
    raise BrokenConnection("the server sent a line that is not an IMAP response")


def _repaired_rest(name: bytes, rest: bytes) -> bytes:
    if name not in _STATUS:
        return with_plain_literal(rest)
    text = _CODE.sub(lambda code: code[0].upper(), rest, count=1) if rest.startswith(b"[") else rest
    return text + b" " if text.endswith(b"}") else text  # words for people never announce a literal


def with_plain_literal(line: bytes) -> bytes:
    """The line, with the announcement of a literal at its end in the form `{5}`."""
    return _LITERAL.sub(rb"{\1}", line)


def open_parentheses(line: bytes) -> int:
    """How many parentheses a line opens and does not close; negative when it closes more."""
    bare = _QUOTED.sub(b"", line)
    return bare.count(b"(") - bare.count(b")")


# SEARCH


def found_uids(search: Sequence[Part], extended: Sequence[Part]) -> list[int] | None:
    """The UIDs in all SEARCH and ESEARCH lines (RFC 4731); None when there is no such line."""
    if not (search or extended):
        return None
    sets = [word for line in search for word in _bytes(line).split(b"(", 1)[0].split()]
    sets += [each for line in extended for each in _all_of(_bytes(line))]
    return [uid for each in sets for uid in _uids(each)]


def _bytes(line: Part) -> bytes:
    if isinstance(line, tuple):
        raise UnreadableAnswer("the answer to SEARCH is not valid IMAP: it has a literal")
    return line or b""


def _all_of(line: bytes) -> Sequence[bytes]:
    """The set of UIDs in an ESEARCH line; none when nothing was found."""
    words = _QUOTED.sub(b"", line).upper().replace(b")", b") ").split()
    return words[words.index(b"ALL") + 1 :][:1] if b"ALL" in words else []


def _uids(uid_set: bytes) -> Iterable[int]:
    if not _UID_SET.fullmatch(uid_set):
        raise UnreadableAnswer("the answer to SEARCH is not valid IMAP: it has values that are not UIDs")
    ends = [sorted(map(int, part.split(b":"))) for part in uid_set.split(b",")]
    if sum(end[-1] - end[0] for end in ends) > MAX_UIDS:
        raise UnreadableAnswer(f"the answer to SEARCH names more than {MAX_UIDS} mails")
    return (uid for end in ends for uid in range(end[0], end[-1] + 1))


# FETCH


def fetched(parts: Sequence[Part], asked: Sequence[int] = ()) -> dict[int, Items]:
    """The items of each mail by UID. Flags of other mails, which a server may send at any time, have no UID.

    Content without a UID belongs to the mail that was asked for, when it was only one.
    """
    found: dict[int, Items] = {}
    for items in _answers(_tokens(parts)):
        uid = number(items.get(b"UID"))
        if uid is None and content(items) is not None:
            if len(asked) != 1:
                raise UnreadableAnswer("the answer to FETCH names no UID")
            uid = asked[0]
        if uid is not None:
            found.setdefault(uid, {}).update(items)
    return found


def number(value: Value | None) -> int | None:
    """A number that a server wrote as one, or as a string."""
    return int(value) if isinstance(value, bytes | str) and value.isdigit() and len(value) < 20 else None


def content(items: Items) -> Value | None:
    """The content of a mail, or its beginning: bytes, unless the server sent something else; None without."""
    return next((items[name] for name in CONTENT if name in items), None)


def _answers(tokens: Iterator[Token]) -> Iterator[Items]:
    for kind, value in tokens:
        if kind == ")":  # some servers close an answer twice
            continue
        if kind != "atom" or not value.isdigit() or next(tokens, None) != ("(", b""):
            raise _not_valid()
        yield dict(_items(tokens))


def _items(tokens: Iterator[Token]) -> Iterator[tuple[bytes, Value]]:
    for kind, value in tokens:
        if kind == ")":
            return
        if kind != "atom":
            raise _not_valid()
        yield value.upper(), _value(tokens)
    raise _not_valid()


def _value(tokens: Iterator[Token]) -> Value:
    kind, value = next(tokens, (")", b""))
    if kind == "string":
        return value
    if kind == "atom":
        return value.decode("ascii", "replace")
    if kind == "(":
        return tuple(_list(tokens))
    raise _not_valid()


def _list(tokens: Iterator[Token]) -> Iterator[str]:
    depth = 1
    for kind, value in tokens:
        depth += (kind == "(") - (kind == ")")
        if depth == 0:
            return
        if kind in ("atom", "string"):
            yield value.decode("ascii", "replace")
    raise _not_valid()


def _tokens(parts: Sequence[Part]) -> Iterator[Token]:
    for part in parts:
        text, literal = part if isinstance(part, tuple) else (part or b"", None)
        yield from _tokens_of(text.rstrip() if literal is None else text[: text.rindex(b"{")].rstrip())
        if literal is not None:
            yield "string", literal


def _tokens_of(text: bytes) -> Iterator[Token]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise _not_valid()
        place = found.end()
        parenthesis, quoted, atom = found.groups()
        if parenthesis:
            yield ("(" if parenthesis == b"(" else ")"), b""
        elif atom:
            yield "atom", atom
        else:
            yield "string", _ESCAPED.sub(rb"\1", quoted)


def _not_valid() -> UnreadableAnswer:
    return UnreadableAnswer("the answer to FETCH is not valid IMAP")
