"""The configuration file as a tree of items that know their lines.

Separate from the readers so that these see one form, whether a value comes from a file (`yaml_events`) or from a stored
document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass

NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})


class Unparsable(Misconfigured):
    """The file is not YAML that we read; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class Text:
    """A scalar. `plain`: written without quotes, so that `5`, `true` and `null` mean what they look like.

    `comment`: what follows on the line and looks like text, such as `#12`.
    """

    text: str
    line: int = 0
    plain: bool = False
    comment: str = ""

    @property
    def is_null(self) -> bool:
        """Whether nothing is stated here."""
        return self.plain and self.text in NULL


@dataclass(slots=True)
class Sequenced:
    """A list."""

    items: list[Item]
    line: int = 0
    weight: int = 1


@dataclass(slots=True)
class Mapped:
    """A mapping in the order of the file; a repeated key is in it as often as it was written."""

    pairs: list[tuple[Text, Item]]
    line: int = 0
    weight: int = 1


Item = Text | Sequenced | Mapped


def cut_texts(root: Item) -> Iterator[Text]:
    """The texts without quotes behind which a comment stands that may belong to them: `Ticket #12`."""
    left = [root]
    while left:
        match left.pop():
            case Sequenced(items):
                left += items
            case Mapped(pairs):
                left += [each for _, each in pairs]
            case Text() as text if text.comment and re.search(r"[^\W\d]", text.text):
                yield text


def of_document(value: object) -> Item:
    """The item of a stored value: what `parse` would give for the same value in a file."""
    match value:
        case None:
            return Text("null", plain=True)
        case bool():
            return Text("true" if value else "false", plain=True)
        case int():
            return Text(str(value), plain=True)
        case float():
            return Text(_with_point(repr(value)), plain=True)
        case Mapping():
            return Mapped([(Text(str(key)), of_document(each)) for key, each in value.items()])
        case Sequence() if not isinstance(value, str):
            return Sequenced([of_document(each) for each in value])
        case _:
            return Text(str(value))


def _with_point(number: str) -> str:
    """A float as YAML writes it: `1e+20` has to be `1.0e+20`."""
    mantissa, e, exponent = number.partition("e")
    return number if "." in mantissa or not e else f"{mantissa}.0e{exponent}"


def line_at(root: Item, path: str) -> int:
    """The line of `inboxes[0].sender.policy`, or of the nearest item above it that is there."""
    item, line = root, root.line
    for step in re.findall(r"[^.\[\]]+", path):
        found = _child(item, step)
        if found is None:
            break
        line, item = found
    return line


def _child(item: Item, step: str) -> tuple[int, Item] | None:
    if isinstance(item, Sequenced) and step.isdigit() and int(step) < len(item.items):
        child = item.items[int(step)]
        return child.line, child
    if isinstance(item, Mapped):
        return next(((key.line, each) for key, each in item.pairs if key.text == step), None)
    return None
