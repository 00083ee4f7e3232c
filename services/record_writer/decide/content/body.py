"""The body language: several records in one mail, and fields by name (IV-33, IV-34, IV-42).

A record marker separates parts; blank parts make none. A line `Name<separator>text` sets a field; no white space may
stand before the separator. The lines that follow belong to the value of a text field; a number, date, switch, status,
owner or the record's number is one line, and so is the last field's text when a blank line follows it at once. A
line that only looks like a field (an unknown name, or white space before the separator) sets nothing: it stays text,
and so do the lines after it, as after a signature's `--` or a rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from shared.config.model import RECORD_FIELDS, RecordType
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.text import UNSEEN
from shared.typed import BadValue

MAX_PARTS: Final = 1000
"""Records that one mail may make or change."""
MAX_BODY: Final = 2_000_000
"""Characters of a body that is read for records and fields; they are kept with every record they make."""
_CELL: Final = lazy_compile(r"[^\S\n]{0,8}\|[^\S\n]")
"""The border between the cells of a table: a name in one cell, its value in the next."""
_WORD: Final = lazy_compile(r"\s*([^\W\d][\w-]{0,39})")
_END: Final = lazy_compile(r"-- ?\r?|\s*_{5,}\s*")


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a body: its fields as written, the text that is not a field, and the part as it was sent.

    `withheld` are fields that the part states and that stay text, because they are protected (IV-42).
    """

    fields: tuple[tuple[str, str], ...]
    text: str
    raw: str
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """The names with which a line may begin. `names` maps folded names to those configured; `short` are values of
    one line, `protected` fields that this sender does not set.
    """

    names: Mapping[str, str]
    short: frozenset[str]
    longest: int
    protected: frozenset[str] = frozenset()


def form_of(type_: RecordType, protected: frozenset[str] = frozenset()) -> Form:
    """The fields of a type, the record's own properties, and its number."""
    names = names_of(type_)
    short = {name for name, kind in type_.fields.items() if kind != "text"}
    return Form(names, frozenset({*short, *RECORD_FIELDS, type_.number_field}), max(map(len, names)), protected)


def whole(text: str) -> Block:
    """A body in which no fields are read."""
    return Block((), text, text)


def parts(text: str, marker: str | None) -> list[str]:
    """The body, cut at the record marker; parts without any text are left out. Raises `BadValue` for too much."""
    if not marker:
        return [text]
    if len(text) > MAX_BODY:
        raise BadValue(f"the body has {len(text)} characters; at most {MAX_BODY} are read for several records")
    found = [part.strip("\n") for part in text.split(marker) if part.strip(UNSEEN)] or [text]
    if len(found) > MAX_PARTS:
        raise BadValue(f"the body is cut into {len(found)} records by {marker!r}; one mail makes at most {MAX_PARTS}")
    return found


def read(text: str, separator: str | None, form: Form) -> Block:
    """Fields and remaining text of one part."""
    if not separator:
        return whole(text)
    found: list[tuple[str, list[str]]] = []
    rest: list[str] = []
    withheld: list[str] = []
    into, before_last = rest, 0
    for line in text.split("\n"):
        hit = _field(line, separator, form)
        if hit and hit[0] in form.protected:
            withheld.append(hit[0])
            into = rest
        elif hit:
            found.append((hit[0], [hit[1]]))
            into, before_last = rest if hit[0] in form.short else found[-1][1], len(rest)
            continue
        if into is not rest and _ends_value(line, separator, form):
            into = rest
        into.append(line)
    if found:
        rest[before_last:before_last] = _after_last(found[-1][1])
    fields = tuple((name, "\n".join(lines).strip(UNSEEN)) for name, lines in found)
    return Block(fields, "\n".join(rest).strip(UNSEEN), text, tuple(dict.fromkeys(withheld)))


def is_signature(block: Block) -> bool:
    """Whether a part is only a signature (RFC 3676, section 4.3)."""
    return not block.fields and block.raw.strip(UNSEEN).partition("\n")[0].rstrip() == "--"


def _after_last(lines: list[str]) -> list[str]:
    """Remove from the last field the text after its first line and a blank line: usually a greeting."""
    if len(lines) == 1 or not lines[0].strip() or lines[1].strip():
        return []
    after = lines[1:]
    del lines[1:]
    return after


def _field(line: str, separator: str, form: Form) -> tuple[str, str] | None:
    """The field that a line sets, and the beginning of its value; names may hold the separator's characters."""
    indent = len(line) - len(line.lstrip(UNSEEN))
    for head in _heads(line, separator, form.longest):
        if head == head.rstrip() and (name := form.names.get(head.casefold())):
            value = line[indent + len(head) + len(separator) :]
            return name, value[cell.end() :] if (cell := _CELL.match(value)) else value
    return None


def _heads(line: str, separator: str, longest: int) -> Iterator[str]:
    """The text before each separator, up to the length of the longest name."""
    begin = line.lstrip(UNSEEN)[: 2 * longest + len(separator)]
    at = begin.find(separator)
    while at > 0:
        yield begin[:at]
        at = begin.find(separator, at + 1)


def _ends_value(line: str, separator: str, form: Form) -> bool:
    """Whether a line that sets no field ends the value above it."""
    if _END.fullmatch(line):
        return True
    if any(head.rstrip().casefold() in form.names for head in _heads(line, separator, form.longest)):
        return True
    word = _WORD.match(line)
    return bool(word and line.startswith(separator, word.end()) and not line.startswith("://", word.end()))


def names_of(type_: RecordType) -> dict[str, str]:
    """The names with which a line may begin: the type's fields, the record's own properties, the number field."""
    return {name.casefold(): name for name in (*type_.fields, *RECORD_FIELDS, type_.number_field)}
