"""File names: one harmless path component, whatever the mail says."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.parser.defects import Defects
from services.parser.names import canonical, extension, safe_name, type_of


@pytest.mark.parametrize(
    ("claimed", "name"),
    [
        ("a.txt", "a.txt"),
        ("a b.txt", "a b.txt"),
        ("../../a.txt", "a.txt"),
        ("/etc/passwd", "passwd"),
        ("C:\\Users\\x\\a.txt", "a.txt"),
        ("C:a.txt", "a.txt"),
        ("\\\\server\\share\\a.txt", "a.txt"),
        ("a/", "a"),
        ("..", ""),
        (".", ""),
        ("...", ""),
        ("", ""),
        ("a.txt.", "a.txt"),
        ("a.txt ", "a.txt"),
        ("a\0.txt", "a.txt"),
        ("a\r\nb.txt", "ab.txt"),
        ("a very long\tname.txt", "a very long name.txt"),
        ("a very long\r\n\tname.txt", "a very long name.txt"),
        ("'a.exe'", "a.exe"),
        ("''", ""),
        ("Ann's file.txt", "Ann's file.txt"),
        ("'tis.txt", "'tis.txt"),
        ("\u200b.htaccess", ".htaccess"),
        (".\u200bhtaccess", ".htaccess"),
        ("a\u202efdp.exe", "afdp.exe"),
        ("\ud800.txt", ".txt"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("NUL .txt", "_NUL .txt"),
        ("COM1.log", "_COM1.log"),
        ("LPT\u00b9", "_LPT\u00b9"),
        ("console.txt", "console.txt"),
        ("e\u0301.txt", "\u00e9.txt"),
        ("größe.txt", "größe.txt"),
    ],
)
def test_a_name_is_made_canonical(claimed: str, name: str) -> None:
    assert canonical(claimed) == name


@given(st.text(max_size=400))
def test_any_name_becomes_one_safe_component(claimed: str) -> None:
    name = safe_name(claimed, "text/plain", {}, Defects())
    assert name
    assert name not in (".", "..")
    assert "/" not in name
    assert "\\" not in name
    assert len(name.encode("utf-8")) <= 255
    assert not {"Cc", "Cf", "Cs"} & {unicodedata.category(char) for char in name}


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("image/jpeg", ".jpg"), ("text/x-unknown", ".txt"), ("application/x-unknown", ".bin"), ("message/rfc822", ".eml")],
)
def test_types_have_extensions(kind: str, suffix: str) -> None:
    assert extension(kind) == suffix


def test_extensions_have_types() -> None:
    assert type_of("a.pdf") == "application/pdf"
    assert type_of(None) == "application/octet-stream"


@pytest.mark.parametrize("folder", ["", "folder/", "C:\\folder\\"])
def test_a_very_long_name_is_cut_before_it_is_looked_at(folder: str) -> None:
    defects = Defects()
    name = safe_name(folder + "b" + "\u0315\u0300" * 20_000 + ".pdf", "text/plain", {}, defects)
    assert name.startswith("b")
    assert name.endswith(".pdf")
    assert len(name.encode()) <= 255
    assert defects.words() == (("filename-truncated", "hostile-filename") if folder else ("filename-truncated",))


def test_generated_names_are_counted_on_and_step_over_claimed_ones() -> None:
    taken: dict[str, int] = {}
    names = [safe_name(name, "image/png", taken, Defects()) for name in ("image1.png", None, None, None)]
    assert names == ["image1.png", "image.png", "image2.png", "image3.png"]
