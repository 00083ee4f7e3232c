"""Hard mails, each named for its trouble, against what a person found right to read in them.

After a deliberate change, `python -m tests.services.parser.test_mime_corpus` writes the expectations anew; read the
difference before it is committed.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.parser import mime
from shared.contracts import codec

FOLDER = Path(__file__).resolve().parents[2] / "corpus"
MAILS = sorted(FOLDER.glob("*.eml"))


def seen(path: Path) -> dict[str, object]:
    return codec.mail_to_json(mime.read(path.read_bytes()).mail)


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_a_hard_mail_is_read_as_it_should_be(path: Path) -> None:
    assert seen(path) == json.loads(path.with_suffix(".json").read_text("utf-8"))


def test_every_mail_has_its_expectation_and_the_other_way_round() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {path.stem for path in MAILS}


def write() -> None:
    """Take what is read now as what is expected."""
    for path in MAILS:
        said = json.dumps(seen(path), ensure_ascii=False, indent=1) + "\n"
        path.with_suffix(".json").write_text(said, "utf-8")


if __name__ == "__main__":
    write()
