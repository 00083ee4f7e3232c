"""A key is declared once, as a field: its type says how it is read, its default whether it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest

from shared.config import keys
from shared.config.problems import Location, ProblemLog, UnusablePart
from shared.config.schema import section_of
from shared.config.tree import of_document
from shared.config.values import Secret


@dataclass(frozen=True, slots=True)
class Inner:
    """A part of a part."""

    word: keys.Name


@dataclass(frozen=True, slots=True)
class Part:
    """A field of each kind that keys have."""

    name: keys.Name
    on: bool = False
    size: keys.Size = 0
    choice: Literal["one", "two"] = "one"
    changed: Annotated[Literal["a", "b", ""], keys.Line] = ""
    secret: Secret | None = None
    port: keys.Port | None = None
    words: tuple[keys.Name, ...] = ()
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()
    texts: Mapping[keys.FieldName, keys.AnyText] = field(default_factory=dict)
    here: Annotated[frozenset[str], keys.NOT_A_KEY] = frozenset()


def read(stated: Mapping[str, object]) -> tuple[Part, list[str]]:
    """The part that is stated, and the problems."""
    log = ProblemLog()
    part = section_of(Part)(of_document(stated), Location("", log))
    return part, [str(each) for each in log.problems]


def test_the_type_of_a_field_reads_its_key() -> None:
    part, problems = read(
        {
            "name": "x",
            "on": "yes",
            "size": "2KB",
            "choice": "TWO",
            "secret": "${TOKEN}",
            "port": 25,
            "words": ["a", "b"],
            "inner": {"word": "c"},
            "inners": [{"word": "d"}],
            "texts": {"Impact": "high"},
        }
    )
    assert problems == []
    assert part == Part(
        "x",
        on=True,
        size=2048,
        choice="two",
        secret=Secret("${TOKEN}"),
        port=25,
        words=("a", "b"),
        inner=Inner("c"),
        inners=(Inner("d"),),
        texts={"Impact": "high"},
    )


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("on", "perhaps", 'on: "perhaps" is neither true nor false'),
        ("choice", "three", 'choice: "three" is not one of one, two'),
        ("port", 70_000, 'port: "70000" is not a number from 1 to 65535'),
        ("inner", {}, "inner.word: missing, and it is needed"),
        ("inners", {"word": "d"}, "inners: expected a list (start each entry with a dash), found a mapping"),
        ("texts", {"a.b": "c"}, 'texts.a.b: "a.b" is not a valid field name; leave out . and $'),
        ("here", "x", 'here: unknown key; did you mean "secret"?'),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(key: str, value: object, problem: str) -> None:
    assert read({"name": "x", key: value})[1] == [problem]


def test_a_field_without_a_default_is_needed() -> None:
    with pytest.raises(UnusablePart):
        read({"on": True})


def test_a_field_whose_type_names_no_reader_is_refused_at_once() -> None:
    @dataclass(frozen=True)
    class Unread:
        word: str

    with pytest.raises(TypeError):
        section_of(Unread)
