"""What stands before a subject: one table for the parser, for rules and for the guards against loops."""

from __future__ import annotations

import pytest

from shared.subject_prefixes import is_answer, is_forward, is_prefixed, without_prefixes, without_tags

ANSWERS = [
    "Re: Printer", "RE : Printer", "re:Printer", "Re\uff1aPrinter", "Re[2]: Printer", "Re(3): Printer", "Re^2: Printer",
    "AW: WG: Printer", "Antw.: Printer", "R: Printer", "SV: Printer", "Odp.: Printer", "Ynt: Printer", "VÁ: Printer",
    "回复: Printer", "返信: Printer", "답장: Printer", "השב: Printer", "رد: Printer", "На: Printer",
    "[EXTERNAL] Re: Printer", "{Spam?} Re: Printer", "***SPAM*** Re: Printer", "(EXT) Re: Printer", "EXT: Re: Printer",
    "AW: [EXT] Re: Printer", "[list] [EXTERNAL] Re: Fwd: Printer", "  Re:   Re: Printer ",
]  # fmt: skip


@pytest.mark.req("PR-02")
@pytest.mark.parametrize("subject", ANSWERS)
def test_an_answer_is_known_by_its_prefix_behind_tags(subject: str) -> None:
    assert is_answer(subject)
    assert is_prefixed(subject)
    assert without_prefixes(subject) == "Printer"


@pytest.mark.parametrize("subject", ["Fwd: Printer", "[EXTERNAL] FW: Printer", "WG: AW: Printer", "转发：Printer"])
def test_a_forward_is_known_by_its_prefix_behind_tags(subject: str) -> None:
    assert is_forward(subject)
    assert not is_answer(subject)
    assert without_prefixes(subject) == "Printer"


@pytest.mark.parametrize(
    "subject",
    ["Printer", "[EXTERNAL] Printer", "Report: printer", "Room 5: printer", "[Call - INC1] Printer", "(a) b: c", ""],
)
def test_other_subjects_stay_as_they_are(subject: str) -> None:
    assert not is_prefixed(subject)
    assert without_prefixes(subject) == subject


@pytest.mark.parametrize(
    ("subject", "untagged"),
    [
        ("[EXTERNAL] Printer", "Printer"),
        ("{Spam?} [x] Printer", "Printer"),
        ("[Automatic reply]", "[Automatic reply]"),
        ("Printer [x]", "Printer [x]"),
    ],
)
def test_tags_are_left_out_if_something_follows(subject: str, untagged: str) -> None:
    assert without_tags(subject) == untagged


def test_a_long_subject_takes_no_time() -> None:
    for piece in ("Re: ", "[a] ", "[", "(", "*", "** ", "{", " ", "ext: "):
        assert len(without_prefixes(piece * 100_000)) <= len(piece) * 100_000
        without_tags(piece * 100_000)
