"""What the pages say about optional libraries is so: which are in the lock, and which the lock leaves out."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def locked(name: str) -> set[str]:
    """The packages of a lock, in small letters."""
    return {
        each.lower() for each in re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / name).read_text(), re.MULTILINE)
    }


def packages(extra: str) -> set[str]:
    return {re.split(r"[^\w.-]", each)[0].lower() for each in EXTRAS[extra]}


def test_the_lock_for_running_has_every_extra_that_needs_no_compiler() -> None:
    for extra in EXTRAS.keys() - {"dev", "kerberos"}:
        assert packages(extra) <= locked("run.txt"), extra


def test_the_lock_for_kerberos_is_apart_and_the_readme_says_how_to_install_it() -> None:
    assert packages("kerberos") <= locked("kerberos.txt")
    assert not packages("kerberos") & locked("run.txt")
    assert "--require-hashes --requirement requirements/kerberos.txt" in (ROOT / "README.md").read_text()


def test_the_image_is_made_of_the_lock_for_running() -> None:
    image = (ROOT / "deploy/Dockerfile").read_text()
    assert "--require-hashes --requirement requirements/run.txt" in image
    assert "every extra but" in " ".join((ROOT / "docs/deployment.md").read_text().split())


def test_a_page_names_only_extras_that_exist() -> None:
    pages = (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
    named = {(page.name, each) for page in pages for each in re.findall(r"postroom\[([\w,]+)\]", page.read_text())}
    assert named
    assert {(page, each) for page, each in named if not set(each.split(",")) <= EXTRAS.keys()} == set()
