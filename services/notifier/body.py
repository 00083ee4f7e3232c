"""The body of an outgoing mail: plain text, or text and HTML side by side with the pictures that it shows (NE-22).

HTML passes nh3, whatever it was made of: no scripts, no forms, nothing that is fetched but links. Pictures are `data:`
addresses or pictures of a mail template (`cid:name`); they leave as attachments with a Content-ID, or within the HTML.
The same input gives the same bytes, so that a retry sends the same mail again.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import field
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, cast

from shared.config.readers import IMAGES
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.mail_text.html_text import html_of

if TYPE_CHECKING:
    import nh3

_WIDTH: Final = 78
_POLICY: Final = SMTP.clone(cte_type="7bit", max_line_length=_WIDTH)
_SURROGATE: Final = lazy_compile(r"[\ud800-\udfff]")
_SOURCE: Final = lazy_compile(r'(<img\b[^>]*?\bsrc=")(cid:|data:)([^"]*)(")')
_DATA: Final = lazy_compile(r"(image/[a-z]+);base64,([A-Za-z0-9+/]+={0,2})")
_TYPE: Final = lazy_compile(r"([a-z]{1,20})/([a-z0-9.+_-]{1,100})")
_STYLES: Final = frozenset(
    (
        *("color", "background-color", "font-family", "font-size", "font-style", "font-weight", "line-height"),
        *("text-align", "text-decoration", "vertical-align", "white-space", "width", "height", "max-width"),
        *("margin", "margin-top", "margin-right", "margin-bottom", "margin-left"),
        *("padding", "padding-top", "padding-right", "padding-bottom", "padding-left"),
        *("border", "border-top", "border-right", "border-bottom", "border-left", "border-radius"),
        *("border-collapse", "border-spacing", "display"),
    )
)
"""Properties of `style`; none of them fetches anything."""
_LAYOUT: Final = frozenset({"align", "bgcolor", "border", "cellpadding", "cellspacing", "height", "valign", "width"})


@dataclass(frozen=True, slots=True)
class File:
    """A file that a mail carries."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Body:
    """What a mail says. `html` None: plain text only. `images` are those that its HTML names, as `data:` addresses."""

    text: str
    html: str | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    embedded_images: Literal["cid", "inline"] = "cid"
    files: tuple[File, ...] = ()


@dataclass(frozen=True, slots=True)
class _Picture:
    content_id: str
    content_type: str
    content: bytes


def html_body(text: str, html: str | None) -> str:
    """The HTML of a mail: its own, or one made from the text."""
    return html if html is not None else html_of(text)


def message(body: Body, message_id: str) -> EmailMessage:
    """The body with its MIME headers."""
    made = EmailMessage(policy=_POLICY)
    made["MIME-Version"] = "1.0"
    made.set_content(lines(body.text))
    if body.html is not None:
        markup, pictures = _with_pictures(_cleaner().clean(lines(body.html)), body, message_id)
        made.add_alternative(f"<!DOCTYPE html>\n<html><body>\n{markup}\n</body></html>\n", subtype="html")
        _add(made, pictures)
    for each in body.files:
        main, sub = _type_of(each)
        made.add_attachment(each.content, main, sub, filename=lines(each.name))
    if made.is_multipart():
        _name_boundaries(made, message_id)
    return made


def _type_of(file: File) -> tuple[str, str]:
    """The type under which a file leaves; a mail or a multipart is a file like any other."""
    found = _TYPE.fullmatch(file.content_type)
    if found is None or found[1] in {"message", "multipart"}:
        return "application", "octet-stream"
    return found[1], found[2]


def lines(text: str) -> str:
    """Text with plain line ends, which UTF-8 can carry."""
    return _SURROGATE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", ""))


@cache
def _cleaner() -> nh3.Cleaner:
    import nh3  # a desk that sends plain text does not load it

    attributes = {tag: allowed - {"cite"} for tag, allowed in nh3.ALLOWED_ATTRIBUTES.items()}
    of_tables = {tag: attributes.get(tag, set()) | _LAYOUT for tag in ("table", "tr", "td", "th", "tbody", "thead")}
    return nh3.Cleaner(
        tags=nh3.ALLOWED_TAGS - {"map", "area"},
        clean_content_tags={"script", "style", "title"},
        attributes={**attributes, **of_tables, "*": {"style", "dir", "lang"}},
        filter_style_properties=set(_STYLES),
        attribute_filter=_without_remote_pictures,
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        link_rel="noopener noreferrer",
    )


def _without_remote_pictures(tag: str, attribute: str, value: str) -> str | None:
    """A picture is in the mail; a link is never a `data:` address."""
    scheme = value.strip().partition(":")[0].lower()
    if (tag, attribute) == ("img", "src"):
        return value.strip() if scheme in {"cid", "data"} else None
    if attribute == "href" and scheme == "data":
        return None
    return None if attribute == "style" and "url(" in value.lower() else value


def _with_pictures(markup: str, body: Body, message_id: str) -> tuple[str, list[_Picture]]:
    """The HTML with the addresses of its pictures, and those that are attached; a picture that is not there goes."""
    attached = dict[str, _Picture]()

    def source(found: re.Match[str]) -> str:
        before, scheme, value, end = found.groups()
        address = body.images.get(value, "") if scheme == "cid:" else f"data:{value}"
        data = _DATA.fullmatch(address.removeprefix("data:"))
        if data is None or data[1] not in IMAGES.values():
            return before + end
        if body.embedded_images == "inline":
            return f"{before}{address}{end}"
        picture = _picture(data[1], b64decode(data[2]), message_id)
        attached[picture.content_id] = picture
        return f"{before}cid:{picture.content_id}{end}"

    return _SOURCE.sub(source, markup), list(attached.values())


def _picture(content_type: str, content: bytes, message_id: str) -> _Picture:
    digest = hashlib.sha256(content).hexdigest()[:16]
    domain = message_id.strip("<>").rpartition("@")[2] or "postroom.invalid"
    return _Picture(f"{digest}@{domain}", content_type, content)


def _add(made: EmailMessage, pictures: list[_Picture]) -> None:
    """Put pictures beside the HTML (RFC 2387)."""
    html = cast("list[EmailMessage]", made.get_payload())[-1]  # of multipart/alternative: text, then HTML
    for number, each in enumerate(pictures, start=1):
        main, _, sub = each.content_type.partition("/")
        name = f"image{number}.{'jpg' if sub == 'jpeg' else sub}"
        html.add_related(each.content, main, sub, cid=f"<{each.content_id}>", filename=name, disposition="inline")


def _name_boundaries(made: EmailMessage, message_id: str) -> None:
    """Set boundaries from the id and the depth instead of random ones."""
    for number, part in enumerate(each for each in made.walk() if each.is_multipart()):
        part.set_boundary("=_" + hashlib.sha256(f"{message_id} {number}".encode()).hexdigest()[:32])
