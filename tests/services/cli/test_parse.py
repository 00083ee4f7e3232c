"""`postroom parse` and the sources that it shares with `publish` and `try`."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from services.parser import limits, process
from services.parser.process import ParserProcess
from shared import mail_files
from shared.mail_files import split
from tests.builders import a_mail
from tests.harness.faulty import a_faulty_mail
from tests.services.cli.conftest import Run

Write = Callable[[str, str | bytes], Path]


def test_a_file_is_one_mail(run: Run, write: Write) -> None:
    path = write("one.eml", a_mail(subject="Größe", sender="Änne <a@example.com>"))
    done = run("parse", path)
    assert done.code == 0
    assert done.line["path"] == str(path)
    assert done.line["subject"] == "Größe"
    assert done.line["from"] == {"name": "Änne", "address": "a@example.com"}
    assert "Größe" in done.out


def test_standard_input_is_one_mail_even_with_an_mbox_line(run: Run) -> None:
    done = run(
        "parse",
        "-",
        stdin=b"From x Mon Jan  1 10:00:00 2024\nSubject: a\n\nb\n\nFrom y Mon Jan  1 10:00:00 2024\n\nc\n",
    )
    assert done.line["path"] == "-"
    assert "From y" in done.line["text"]


def test_a_folder_is_read_with_everything_below_it_in_order(run: Run, write: Write) -> None:
    write("in/b.eml", a_mail(subject="b"))
    write("in/deep/er/a.txt", a_mail(subject="deep"))
    write("in/a.eml", a_mail(subject="a"))
    folder = write("in/.hidden", "no").parent
    done = run("parse", folder, "--json")
    assert [line["subject"] for line in done.lines] == ["a", "b", "deep"]


def test_an_mbox_is_split_into_its_mails(run: Run, write: Write) -> None:
    path = write(
        "box.mbox", b"From a Mon Jan  1 10:00:00 2024\nSubject: a\n\n>From here on\n\nFrom b\nSubject: b\n\nb\n"
    )
    done = run("parse", path)
    assert [(line["path"], line["subject"], line["text"]) for line in done.lines] == [
        (f"{path}#1", "a", "From here on\n"),
        (f"{path}#2", "b", "b\n"),
    ]


@pytest.mark.parametrize(
    ("content", "mails"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"From a 10:00\nA: 1\n\nx\n", [b"A: 1\n\nx\n"]),
        (b"From a 10:00\r\nA: 1\r\n\r\nx\r\n\r\nFrom b 10:00\r\nB: 1\r\n", [b"A: 1\r\n\r\nx\r\n", b"B: 1\r\n"]),
        (b"A: 1\n\nno separator first\n", [b"A: 1\n\nno separator first\n"]),
        (b"From a 10:00\nA: 1\n\nFrom now on we meet\nat noon\n", [b"A: 1\n\nFrom now on we meet\nat noon\n"]),
        (b"From a 10:00\nA: 1\n\nx\nFrom b 10:00\nB: 1\n", [b"A: 1\n\nx\nFrom b 10:00\nB: 1\n"]),
        (b"From a 10:00\nA: 1\n\n>>From x\n", [b"A: 1\n\n>From x\n"]),
        (b"From a 10:00\nA: 1\n\nFrom last words", [b"A: 1\n\nFrom last words"]),
        (b"From a 10:00\nA: 1\n\nx\n\nFrom b 10:00\n", [b"A: 1\n\nx\n"]),
    ],
)
def test_separator_lines_follow_a_blank_line_and_look_like_one(content: bytes, mails: list[bytes]) -> None:
    assert [mail.raw for mail in split("box", io.BytesIO(content))] == mails


def test_a_mail_beyond_the_limit_is_reported_and_the_others_go_on(
    run: Run, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_files, "LARGEST", 400)
    write("in/a.eml", b"Subject: a\n\n" + b"x" * 1000)
    write("in/b.mbox", b"From a 10:00\nSubject: b\n\n" + b"x\n" * 500 + b"\nFrom b 10:00\nSubject: c\n\nc\n")
    folder = write("in/z.eml", b"Subject: z\n\n").parent
    done = run("parse", folder)
    assert done.code == 1
    assert [line.get("error", line.get("subject")) for line in done.lines] == [
        "mail-size: larger than 0 MB",
        "mail-size: larger than 0 MB",
        "c",
        "z",
    ]


def test_a_mail_that_the_parser_refuses_is_reported_with_the_limit(run: Run, write: Write) -> None:
    done = run("parse", write("many.eml", b"X: y\n" * 200_000 + b"\n"))
    assert done.code == 1
    assert set(done.line) == {"path", "sha256", "size", "error", "bound"}


def test_a_name_that_is_nothing_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    done = run("parse", tmp_path / "nothing")
    assert done.code == 2
    assert "there is no file or folder" in done.err


def test_any_bytes_make_one_object(run: Run) -> None:
    assert run("parse", "-", stdin=bytes(range(256)) * 40).code == 0
    assert run("parse", "-", stdin=b"").line["size"] == 0


def test_a_folder_without_mail_is_reported(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for command in ("parse", "try"):
        done = run(command, tmp_path / "empty")
        assert (done.code, done.out, done.err) == (0, "", f"no mail is in {tmp_path / 'empty'}\n")


def test_a_mail_that_kills_its_reader_is_a_line_and_the_others_go_on(
    run: Run, write: Write, faulty: ParserProcess
) -> None:
    for name in ("abort", "spin"):
        folder = write(f"in/{name}.eml", a_faulty_mail(name)).parent
    write("in/z.eml", a_mail(subject="the last"))
    done = run("parse", folder)
    assert done.code == 1
    assert [line.get("bound", line.get("subject")) for line in done.lines] == ["parse-crash", "parse-time", "the last"]
    tried = run("try", folder, "--json")
    assert [(line["outcome"], line["reason"][:39]) for line in tried.lines] == [
        ("dead", "the mail exceeds a bound: parse-crash: "),
        ("dead", "the mail exceeds a bound: parse-time: r"),
        ("recorded", "nothing in the mail names a record"),
    ]


def test_a_mail_that_is_not_read_in_time_is_a_line_too(
    run: Run, write: Write, faulty: ParserProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.1 - limits.wall_seconds(0))
    folder = write("in/a.eml", a_faulty_mail("sleep")).parent
    write("in/b.eml", a_mail(subject="the last"))
    for command in ("parse", "try"):
        done = run(command, folder, "--json")
        assert done.code == 1
        assert "the machine is busy" in done.lines[0]["error"]
        assert "error" not in done.lines[1]
