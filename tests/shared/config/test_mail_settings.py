"""Settings of outgoing mail: pictures, signatures and prefixes are checked with their place and the remedy."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from shared.config.problems import InvalidConfiguration
from shared.config.reading import load, load_bytes
from shared.config.writing import to_yaml

PIXEL = b"\x89PNG\r\n\x1a\n"
DATA = f"data:image/png;base64,{b64encode(PIXEL).decode()}"
TEMPLATE = "mail_templates: [{name: a, subject: s, html: '<img src=\"cid:logo\">', images: {%s}}]"


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidConfiguration) as refused:
        load_bytes(text.encode(), base=Path("/nowhere"))
    return [line.partition(": ")[2] for line in str(refused.value).splitlines()]


@pytest.mark.req("NE-22")
def test_a_picture_of_a_file_is_stored_with_its_content(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(PIXEL)
    file = tmp_path / "postroom.yaml"
    file.write_text(TEMPLATE % "logo: logo.png")
    configuration = load(file)
    assert configuration.mail_templates[0].images == {"logo": DATA}
    assert load_bytes(to_yaml(configuration).encode()).mail_templates == configuration.mail_templates


@pytest.mark.req("NE-22")
@pytest.mark.parametrize(
    ("images", "problem"),
    [
        ("logo: x.png", "images.logo: the image /nowhere/x.png cannot be read: No such file or directory"),
        ("logo: 'data:text/html;base64,AAAA'", "images.logo: not an image; write a file, or data:image/png;base64,..."),
        ("logo: 'data:image/png;base64,%%%'", "images.logo: not an image; write a file, or data:image/png;base64,..."),
        (f"logoo: '{DATA}'", 'html: there is no image "logo"; did you mean "logoo"?'),
    ],
)
def test_a_picture_that_cannot_be_shown_is_refused(images: str, problem: str) -> None:
    assert f"mail_templates[0].{problem}" in problems(TEMPLATE.replace("%s", images))


def test_a_large_picture_and_another_kind_of_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(bytes(600 << 10))
    (tmp_path / "logo.svg").write_text("<svg/>")
    for name, why in (("large.png", "larger than 512KB"), ("logo.svg", "use .png, .jpg")):
        with pytest.raises(InvalidConfiguration, match=why):
            load_bytes((TEMPLATE % f"logo: {name}").encode(), base=tmp_path)


@pytest.mark.req("NE-23")
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "inboxes: [{name: a, address: a@example.com, signature: '{desck}'}]",
            'inboxes[0].signature: a signature has no variable {desck}; did you mean "desk"?',
        ),
        (
            "mail_servers: [{name: m, host: h, conversation_id: {prefix: call}}]",
            "mail_servers[0].conversation_id.prefix: call names the record type incident; choose another prefix",
        ),
        (
            "mail_servers: [{name: m, host: h, conversation_id: {prefix: 'a]b'}}]",
            'mail_servers[0].conversation_id.prefix: "a]b" has more than letters, digits, - and _ (20 at most)',
        ),
    ],
)
def test_signatures_and_prefixes_are_checked(text: str, problem: str) -> None:
    assert problems(text) == [problem]
