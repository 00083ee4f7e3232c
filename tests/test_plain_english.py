"""Plain English: phrases that we do not write, in documentation, code, messages, helpers and names of tests.

A reader from anywhere understands a sentence at the first reading. Each row has what to write instead. CHANGELOG.md is
left out, because it quotes what texts said before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PHRASES = {
    r"(?:is|are|was|were|be) told(?! (?:to|by|from) )": "is shown, reported, printed, named",
    r"told apart": "distinguished",
    r"came to be|comes? to be": "was created",
    r"work(?:s|ed)? off": "processed",
    r"put(?:s|ting)? off": "requeued later",
    r"world is away": "a dependency is unavailable",
    r"stated in vain|in vain": "ignored, without effect",
    r"heed(?:s|ed|ing)?|unheeded": "ignored, followed",
    r"(?:its|their) fate": "delivery status, outcome",
    r"no rule objects": "accepted: no rule matched",
    r"version 0 is none|is no object": "invalid version, must be a JSON object",
    r"that (?:is|are) none": "an invalid one",
    r"leavings": "backlog",
    r"a crash left is": "backlog left by a crash",
    r"how (?:it|they) fares?|fares?": "state",
    r"by hand": "manually",
    r"is mended|mend the|padding mended": "is fixed, repaired",
    r"(?:is|was|be) away": "is unavailable, cannot be reached",
    r"(?<!there )(?:is|are|was|were) no (?!longer|more|less|other|such|one\b|\w+er\b)\w+": "is not a",
    r"shall": "will, is to be",
    r"foretold|foretells?": "predicted",
    r"(?:is|stands?) (?:here|there) twice": "appears twice",
    r"no (?:mails?|records?|people|dead letters) like that": "no matching mails",
    r"at most so many|the newest so many": "at most this many",
    r"(?:for|after|above|by|of|start) so (?:long|many|much)(?! (?:as|that)\b)": "for this long, above this many",
    r"when left out": "if omitted",
    r"say --\w+": "use --all",
    r"should not have happened": "unexpected error",
    r"nobody is known by": "no person has this address",
    r"which is enough here": "the setting that allows it",
    r"keeps it back": "blocks it",
    r"(?:wants|want) a login": "requires a login",
    r"the line broke": "the connection was lost",
    r"(?:answers?|talks?|greets) without end": "an endless answer",
    r"without trouble": "without errors",
    r"hold(?:s|ing)? up (?:no|nothing|none|neither)": "delays no other",
    r"through the door|at the door": "handed in, at intake",
    r"whole story": "description",
    r"hears? (?:of|nothing)|heard of": "is notified, gets an event",
    r"round again": "processed again",
    r"without a word": "unnoticed, when it is killed",
    r"of (?:its|their) own accord": "by itself",
    r"for good": "permanently",
    r"is to be had|cannot be had": "is available, not available",
}
"""Phrase → what to write instead."""
NAMES = {
    "in_vain": "ignored_settings",
    "by_hand": "manual_edits",
    "telling": "replies",
    "told_of_missing": "missing_record_notice",
    "why_shut_out": "sender_refusal",
    "NotSo": "InvalidEdit",
    "Beside": "BackgroundPart",
    "turn_about": "run_round_robin",
    "work_off_leavings": "drain_backlog",
    "parcel": "envelope",
    "Sight": "FolderScan",
    "owed": "to_archive",
    "Patience": "PublishTimeouts",
    "Leaving": "PendingSettlement",
    "Spot": "Location",
    "Spoken": "Supported",
    "furnish": "seed_defaults",
    "LEAST_OF_AN_ID": "MIN_ID_PREFIX",
    "Shelf": "ParserStores",
    "NotPossible": "NotAvailable",
    "NotTaken": "Refused",
}
"""Name → the name that says what it is."""
FOLDERS = ("*.md", "docs/**/*.md", "docs/skeletons/*.py", "services/**/*.py", "shared/**/*.py", "examples/*.*")
HELPERS = ("bench/**/*.py", "tests/harness/*.py", "tests/servers/*.py")
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (*FOLDERS, *HELPERS)
    for path in ROOT.glob(pattern)
    if path.suffix in {".md", ".py", ".sh", ".js"} and path.name not in {"CHANGELOG.md", "requirements.md"}
)


ANY_PHRASE = re.compile(rf"\b(?:{'|'.join(PHRASES)})\b", re.IGNORECASE)
ANY_NAME = re.compile(rf"\b_?(?:{'|'.join(NAMES)})\b")
"""One search finds most texts to be in order, in an eighth of the time."""


def offences(text: str) -> Iterator[str]:
    """What a text has of the lists above, as it stands there, with what to write instead."""
    flat = re.sub(r"\s+(?:# )?", " ", text)
    for phrase, instead in PHRASES.items() if ANY_PHRASE.search(flat) else ():
        for found in re.finditer(rf"\b(?:{phrase})\b", flat, re.IGNORECASE):
            yield f"{found[0].lower()} → {instead}"
    for name, instead in NAMES.items() if ANY_NAME.search(text) else ():
        if re.search(rf"\b_?{name}\b", text):
            yield f"{name} → {instead}"


@pytest.mark.parametrize("file", FILES)
def test_a_file_reads_in_plain_english(file: str) -> None:
    assert list(offences((ROOT / file).read_text("utf-8"))) == []


def test_the_names_of_tests_read_in_plain_english() -> None:
    """Each is a sentence: `test_a_closed_record_stays_closed`."""
    texts = (path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py"))
    names = (name for text in texts for name in re.findall(r"^ *(?:async )?def test_(\w+)", text, re.MULTILINE))
    found = {name: list(offences(name.replace("_", " "))) for name in names}
    assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.parametrize(
    "text",
    [
        "A missing queue\n    is told.",
        "what was left is worked off",
        "def in_vain():",
        "The world is away",
        "It fares well",
        "a part that is no\n    text",
        "the broker is away",
    ],
)
def test_the_list_finds_a_phrase_across_lines_and_in_names(text: str) -> None:
    assert list(offences(text))


@pytest.mark.parametrize(
    "text",
    [
        "the worker is told to stop",
        "there is no inbox",
        "it is no longer read",
        "a fair share",
        "handled by handlers",
        "is_by_handle",
    ],
)
def test_the_list_lets_plain_sentences_pass(text: str) -> None:
    assert list(offences(text)) == []
