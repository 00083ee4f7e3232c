"""The body language as a table: what a line sets, and what stays text."""

from __future__ import annotations

import pytest

from services.record_writer.decide.content.body import MAX_PARTS, form_of, parts, read
from shared.config.model import RecordType
from shared.typed import BadValue

TYPE = RecordType(
    "change",
    prefix="CHG",
    fields={
        "Summary": "text",
        "Details": "text",
        "Cost Centre": "text",
        "E-Mail": "text",
        "Größe": "text",
        "Amount": "number",
        "Due": "date",
        "Urgent": "boolean",
    },
)
FORM = form_of(TYPE)


@pytest.mark.parametrize(
    ("text", "separator", "fields", "rest"),
    [
        pytest.param("Summary$text", "$", {"Summary": "text"}, "", id="a field by name"),
        pytest.param("  sUMMARY$text", "$", {"Summary": "text"}, "", id="whatever the case, indented"),
        pytest.param("Summary $x", "$", {}, "Summary $x", id="white space before the separator"),
        pytest.param("Summary\u00a0$x", "$", {}, "Summary\u00a0$x", id="a blank that does not break is one"),
        pytest.param("Summary$  x ", "$", {"Summary": "x"}, "", id="white space after it"),
        pytest.param("Cost$7\nSummary$x", "$", {"Summary": "x"}, "Cost$7", id="unknown before a field"),
        pytest.param("Summary$x\nCost$7", "$", {"Summary": "x"}, "Cost$7", id="unknown after a field"),
        pytest.param("Amount$2\nSummary $y", "$", {"Amount": "2"}, "Summary $y", id="a mistaken field after a field"),
        pytest.param("Summary$x $ y$z", "$", {"Summary": "x $ y$z"}, "", id="a value that holds the separator"),
        pytest.param("Details$a\nb$ is 7 $\nc", "$", {"Details": "a"}, "b$ is 7 $\nc", id="a word that names nothing"),
        pytest.param("Details$a\nand 7$ more", "$", {"Details": "a\nand 7$ more"}, "", id="a price is not a field"),
        pytest.param(
            "Details:a\nhttp://x.example/", ":", {"Details": "a\nhttp://x.example/"}, "", id="nor is an address"
        ),
        pytest.param(
            "Details:a\nb\n\nc\nSummary:d", ":", {"Details": "a\nb\n\nc", "Summary": "d"}, "", id="several lines"
        ),
        pytest.param("Details:\na\nb", ":", {"Details": "a\nb"}, "", id="a value that begins on the next line"),
        pytest.param("Amount:2\nthanks\nAnna", ":", {"Amount": "2"}, "thanks\nAnna", id="a number is one line"),
        pytest.param("Status:Active\n\nBye", ":", {"Status": "Active"}, "Bye", id="a status is one line"),
        pytest.param("ChangeNumber:CHG5\n12", ":", {"ChangeNumber": "CHG5"}, "12", id="a number of a record too"),
        pytest.param("Details:a\n\nThanks\n-- \nAnna", ":", {"Details": "a"}, "Thanks\n-- \nAnna", id="a greeting"),
        pytest.param("Details:a\nb\n\nc", ":", {"Details": "a\nb\n\nc"}, "", id="several paragraphs at the end"),
        pytest.param("Details:a\n________\nb", ":", {"Details": "a"}, "________\nb", id="a rule"),
        pytest.param("Details:a\n-- \nAnna", ":", {"Details": "a"}, "-- \nAnna", id="a signature belongs to no value"),
        pytest.param("Hello,\nSummary:a", ":", {"Summary": "a"}, "Hello,", id="text before the first field"),
        pytest.param("Cost Centre=K1", "=", {"Cost Centre": "K1"}, "", id="a name with a blank"),
        pytest.param("E-Mail-a@b.example", "-", {"E-Mail": "a@b.example"}, "", id="a name that holds the separator"),
        pytest.param("größe::42", "::", {"Größe": "42"}, "", id="a long separator and a name beyond ASCII"),
        pytest.param("GRÖSSE:42", ":", {"Größe": "42"}, "", id="folded as Unicode says"),
        pytest.param(
            "\ufeffSummary:\u200b a\n\u200bDetails: b", ":", {"Summary": "a", "Details": "b"}, "", id="zero width"
        ),
        pytest.param(
            "Summary: | a | b\nAmount: | 2", ":", {"Summary": "a | b", "Amount": "2"}, "", id="cells of a table"
        ),
        pytest.param(
            "\u200fGröße: \u05d2\u05d3\u05d5\u05dc\u200e",
            ":",
            {"Größe": "\u05d2\u05d3\u05d5\u05dc"},
            "",
            id="right to left",
        ),
        pytest.param(
            "\u202aSummary: a\u202c\n\u2068Details: b\u2069",
            ":",
            {"Summary": "a", "Details": "b"},
            "",
            id="embedded left to right",
        ),
        pytest.param("Summary|a", "|", {"Summary": "a"}, "", id="a separator that looks like a border"),
        pytest.param("Summary", "$", {}, "Summary", id="no separator"),
        pytest.param("$Summary", "$", {}, "$Summary", id="no name"),
        pytest.param("Summary:a\u2028b\x0bc", ":", {"Summary": "a\u2028b\x0bc"}, "", id="only line ends end lines"),
        pytest.param("Summary:", ":", {"Summary": ""}, "", id="an empty value"),
        pytest.param("Summary:a\nSummary:b", ":", {"Summary": "b"}, "", id="the last of several"),
        pytest.param("Summary:a", None, {}, "Summary:a", id="without a separator nothing is read"),
    ],
)
def test_a_line_sets_a_field_or_stays_text(text: str, separator: str | None, fields: dict[str, str], rest: str) -> None:
    block = read(text, separator, FORM)
    assert (dict(block.fields), block.text, block.raw) == (fields, rest, text)


@pytest.mark.parametrize(
    ("text", "marker", "expected"),
    [
        ("one#two", "#", ["one", "two"]),
        ("#one##\n \n#two#", "#", ["one", "two"]),
        ("one\n---\ntwo", "---", ["one", "two"]),
        ("one#\u200b\n#two", "#", ["one", "two"]),
        ("one#two", None, ["one#two"]),
        ("##", "#", ["##"]),
    ],
)
def test_a_marker_cuts_and_blank_parts_make_nothing(text: str, marker: str | None, expected: list[str]) -> None:
    assert parts(text, marker) == expected


def test_more_parts_than_a_mail_may_have_are_refused() -> None:
    assert len(parts("x#" * MAX_PARTS, "#")) == MAX_PARTS
    with pytest.raises(BadValue, match="1001 records"):
        parts("x#" * (MAX_PARTS + 1), "#")
