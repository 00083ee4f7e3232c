"""Sanitises HTML bodies and converts them to readable text.

`sanitised` gives markup without scripts, styles, forms or anything that loads from elsewhere (nh3); `to_text` gives
plain text with lists, tables, links and quotations (`> `), leaving out what a reader would not see. Separate from
`mime` because markup has risks of its own: both build trees, so `htmltree` has to predict their size first.
"""

from __future__ import annotations

import re
from dataclasses import field
from functools import lru_cache
from html import unescape
from itertools import islice

import nh3
from selectolax.lexbor import LexborHTMLParser, LexborNode

from services.parser.htmltree.elements import names
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

_ANY_TAG = lazy_compile(r"<[^<>]{0,5000}>")
_BLANK_RUN = lazy_compile(r"[ \t\n\r\f]+")
_MANY_LINES = lazy_compile(r"\n{3,}")
_OF = r"\s{0,9}:\s{0,9}"
_ENDS = r"\s{0,9}(?:[;!]|$)"
_HIDDEN = lazy_compile(
    rf"display{_OF}none|mso-hide{_OF}all|(?<![\w-])opacity{_OF}(?:0(?:\.0{{0,9}})?|\.0{{1,9}})%?{_ENDS}"
    rf"|(?:text-indent|left|top){_OF}-(?:\d{{4,6}}(?:\.\d{{1,9}})?(?:px|pt)|\d{{3,6}}r?em)",
    re.IGNORECASE,
)
"""What hides an element with all that is in it, whatever that states: it is not shown, transparent or off the page."""
_NO_HEIGHT = lazy_compile(rf"(?<![\w-])(?:max-)?height{_OF}0(?:\.0{{1,9}})?(?:px|pt|r?em|%)?{_ENDS}", re.IGNORECASE)
_CUT = lazy_compile(rf"overflow(?:-y)?{_OF}hidden", re.IGNORECASE)
_SIZE = lazy_compile(
    rf"(?:^|;)\s{{0,99}}font(?:-size)?{_OF}[^;(]{{0,80}}?(?<![\w.#])"
    r"(?:(?P<size>\d{1,4}(?:\.\d{0,9})?|\.\d{1,9})(?P<unit>px|pt|r?em|%)"
    r"|(?P<zero>0)(?=[\s;!/]|$)|(?P<word>(?:x{0,3}-)?(?:small|large)|medium|initial)\b)",
    re.IGNORECASE,
)
_VISIBILITY = lazy_compile(rf"visibility{_OF}(?P<word>hidden|collapse|visible)", re.IGNORECASE)
_CACHED = 500
"""Characters of a style that is remembered."""
_SMALLEST = 2
"""Pixels or points of the smallest text that a reader sees."""
_SKIPPED = names("script style head title template noscript object iframe svg math select -comment")
_PARAGRAPHS = names("p h1 h2 h3 h4 h5 h6 ul ol table blockquote pre dl fieldset")
_BLOCKS = _PARAGRAPHS | names(
    "div tr li dt dd section article header footer address center form main nav aside figure figcaption caption tbody"
    " thead tfoot body html legend details summary"
)
_LINKS = lazy_compile(r"(?:https?|ftp|mailto|tel):", re.IGNORECASE)
_RULE = "_" * 32
_BULLETS = -1
_LONGEST_NUMBER = 5
_NEARBY = 1_500
"""Characters before a link that are searched for its address, so that it is not written twice."""


def _harmless(tag: str, attribute: str, value: str) -> str | None:
    """Keep only pictures that are in the mail, so that showing it fetches nothing."""
    if tag == "img" and attribute == "src":
        return value if value[:4].lower() == "cid:" else None
    return value


_ATTRIBUTES = {tag: allowed - {"cite"} for tag, allowed in nh3.ALLOWED_ATTRIBUTES.items()}
"""Without `cite`, because the library does not check the scheme of its address."""
_CLEANER = nh3.Cleaner(
    tags=nh3.ALLOWED_TAGS - {"map", "area"},
    clean_content_tags={"script", "style"},
    attributes={**_ATTRIBUTES, "img": {"alt", "height", "src", "width"}, "ol": {"start"}},
    attribute_filter=_harmless,
    url_schemes={"http", "https", "mailto", "cid", "tel"},
    strip_comments=True,
    link_rel="noopener noreferrer",
)


def sanitised(markup: str) -> str:
    """`markup` with harmless tags and attributes only; remote pictures lose their source."""
    return _CLEANER.clean(markup)


def stripped(markup: str) -> str:
    """Text of markup that is too deep or too broken to be parsed: only the tags are removed."""
    return _MANY_LINES.sub("\n\n", unescape(_ANY_TAG.sub(" ", markup)).replace("\xa0", " ")).strip()


def to_text(markup: str, most: int = 2 * 1024 * 1024) -> str:
    """Readable plain text of `markup`: LF line ends, no trailing blanks, at most one empty line in a row.

    It ends soon after `most` characters, because marks of quotations and lists, one for each level, are added.
    """
    tree = LexborHTMLParser(markup)
    root = tree.body
    if root is None:
        return ""
    writer = _Writer(room=most)
    _walk(root, writer, _Shown())
    return writer.text()


def _walk(root: LexborNode, writer: _Writer, shown: _Shown) -> None:
    """Visit every visible node in order, on entering and leaving, while there is room; without recursion."""
    node: LexborNode | None = root
    while node is not None and writer.room > 0:
        entered = _enter(node, writer, shown)
        if entered and node.child is not None:
            node = node.child
            continue
        while node is not None:
            if entered:
                writer.close(node.tag or "")
                shown.leave(node.mem_id)
            if node.mem_id == root.mem_id:
                return
            if node.next is not None:
                node = node.next
                break
            node, entered = node.parent, True


def _enter(node: LexborNode, writer: _Writer, shown: _Shown) -> bool:
    """Write the start of `node`; return whether its children are to be visited."""
    tag = node.tag
    if tag == "-text":
        if shown.is_shown:
            writer.words(node.text_content or "")
        return False
    if tag is None or tag in _SKIPPED:
        return False
    attributes = node.attributes
    style = _stated(attributes.get("style") or "")
    if "hidden" in attributes or style.is_hidden:
        return False
    shown.enter(node.mem_id, style, is_sized=tag == "font" and bool(attributes.get("size")))
    writer.open(tag, attributes, is_shown=shown.is_shown)
    return True


@dataclass(frozen=True, slots=True)
class _Style:
    """What a style says of whether text is seen. `is_sized` and `is_visible` None: as in the element around it."""

    is_hidden: bool = False
    is_sized: bool | None = None
    is_visible: bool | None = None


_NO_STYLE = _Style()


def _stated(style: str) -> _Style:
    """What a style says; the same few stand at most elements of a mail."""
    if not style:
        return _NO_STYLE
    return _read(style) if len(style) <= _CACHED else _read.__wrapped__(style)


@lru_cache(maxsize=512)
def _read(style: str) -> _Style:
    if _HIDDEN.search(style) or (_NO_HEIGHT.search(style) and _CUT.search(style)):
        return _Style(is_hidden=True)
    is_sized, is_visible = None, None
    for found in _SIZE.finditer(style):
        is_sized = _is_sized(found)
    for found in _VISIBILITY.finditer(style):
        is_visible = found["word"].lower() == "visible"
    return _Style(is_sized=is_sized, is_visible=is_visible)


def _is_sized(found: re.Match[str]) -> bool | None:
    """Whether text of this size is seen; None for a part of the size around it, which may be nothing."""
    if found["word"]:
        return True
    size, unit = float(found["size"] or 0), (found["unit"] or "").lower()
    if unit in ("em", "%"):
        return None if size > 0 else False
    return size > 0 if unit == "rem" else size >= _SMALLEST


@dataclass(slots=True)
class _Shown:
    """Whether a reader sees the text at one place: size and visibility hold within an element until one states its own.

    Programs that build mails write `font-size:0` around everything, against gaps, and a size at each text.
    """

    is_sized: bool = True
    is_visible: bool = True
    before: list[tuple[int, bool, bool]] = field(default_factory=list)
    """The elements that changed it, and what was before them."""

    @property
    def is_shown(self) -> bool:
        return self.is_sized and self.is_visible

    def enter(self, element: int, style: _Style, *, is_sized: bool) -> None:
        sized, visible = is_sized or self.is_sized, self.is_visible
        if style.is_sized is not None:
            sized = style.is_sized
        if style.is_visible is not None:
            visible = style.is_visible
        if (sized, visible) != (self.is_sized, self.is_visible):
            self.before.append((element, self.is_sized, self.is_visible))
            self.is_sized, self.is_visible = sized, visible

    def leave(self, element: int) -> None:
        if self.before and self.before[-1][0] == element:
            _, self.is_sized, self.is_visible = self.before.pop()


@dataclass(slots=True)
class _Row:
    """A table row while it is written: whether its last cell was a single line that is not empty."""

    lines: int = 0
    single: bool = False


@dataclass(slots=True)
class _Writer:
    """Collects lines; knows quotation depth, list markers and the current table row."""

    room: int
    """Characters that may still be written."""
    lines: list[str] = field(default_factory=list)
    line: list[str] = field(default_factory=list)
    gap: int = 0
    quote: int = 0
    pre: int = 0
    lists: list[int] = field(default_factory=list)
    rows: list[_Row] = field(default_factory=list)
    links: list[tuple[str, int, int | None]] = field(default_factory=list)
    """For each open link its address, its line by `started` and, where its own text is not seen, the room before it."""
    started: int = 0
    """Lines with text that were begun, the current one included."""
    tight: list[bool] = field(default_factory=list)
    """For each open paragraph, whether it has no margin: word processors write each line as a paragraph."""
    marker: str = ""
    fresh: bool = False
    """Whether this cell or item is still empty: margins of its first element are ignored."""
    quoted: int = 0
    """Quotation depth of the last line."""
    tail: str = ""
    joined: int = 0
    """Number of pieces of the current line that are in `tail`."""

    def words(self, text: str) -> None:
        """Running text; blanks are folded outside of `pre`."""
        if self.pre:
            first, *rest = text.split("\n")
            self._put(first)
            for line in rest:
                if self.room <= 0:
                    return
                self.newline()
                self._put(line)
            return
        text = _BLANK_RUN.sub(" ", text)
        if not self.line or self.line[-1].endswith(" "):
            text = text.lstrip(" ") if not self.line or self.line[-1] else text
        if text:
            self._put(text)

    def _put(self, text: str) -> None:
        if not text:
            return
        if not self.line:
            self._start_line()
        self.line.append(text)
        self.room -= len(text)

    def _start_line(self) -> None:
        if self.lines and self.gap > 1:
            self.lines.append(("> " * min(self.quote, self.quoted)).rstrip())
            self.room -= len(self.lines[-1])
        self.gap, self.fresh, self.quoted = 0, False, self.quote
        self.started += 1
        indent = "  " * max(len(self.lists) - 1, 0) + (self.marker or ("  " if self.lists else ""))
        self.line.append("> " * self.quote + indent)
        self.room -= len(self.line[0]) + 1
        self.marker = ""

    def newline(self) -> None:
        """End the current line; a second call writes an empty line."""
        if self.line:
            self.lines.append("".join(self.line).rstrip(" "))
            self.line.clear()
            self.joined, self.tail = 0, ""
            self.gap = max(self.gap, 1)
        else:
            self.gap += 1

    def block(self, gap: int) -> None:
        """A block begins or ends here: at least `gap` line ends before what follows."""
        if self.line and self.fresh:
            return
        if self.line:
            self.newline()
        self.gap = max(self.gap, 1 if self.fresh else gap)

    def open(self, tag: str, attributes: dict[str, str | None], *, is_shown: bool) -> None:
        if tag == "br":
            self.newline()
        elif tag in ("td", "th"):
            self._open_cell()
        elif tag in _BLOCKS:
            if tag == "p":
                self.tight.append(_is_tight(attributes))
            self.block(self._margin(tag))
            self._open_block(tag, attributes)
        elif tag == "a":
            line = self.started if self.line else self.started + 1
            self.links.append((attributes.get("href") or "", line, None if is_shown else self.room))
            if self.line:
                self.line.append("")
        elif tag == "img" and is_shown and (alt := (attributes.get("alt") or "").strip()):
            self.words(f"[{alt}]")
        elif tag == "hr":
            self.block(1)
            self._put(_RULE)
            self.block(1)

    def _margin(self, tag: str) -> int:
        if tag not in _PARAGRAPHS or (self.lists and tag in ("ul", "ol")):
            return 1
        if tag == "p" and self.tight and self.tight[-1]:
            return 1
        return 2

    def _open_block(self, tag: str, attributes: dict[str, str | None]) -> None:
        if tag == "blockquote":
            self.quote += 1
        elif tag == "pre":
            self.pre += 1
        elif tag in ("ul", "ol"):
            start = attributes.get("start") or "1"
            first = int(start) if start.isdecimal() and len(start) <= _LONGEST_NUMBER else 1
            self.lists.append(first if tag == "ol" else _BULLETS)
        elif tag == "li":
            self._open_item()
        elif tag == "tr":
            self.rows.append(_Row(len(self.lines)))

    def _open_item(self) -> None:
        if not self.lists or self.lists[-1] < 0:
            self.marker = "- "
        else:
            self.marker = f"{self.lists[-1]}. "
            self.lists[-1] += 1
        self.fresh = True

    def _open_cell(self) -> None:
        row = self.rows[-1] if self.rows else None
        if row and row.single and self.line:
            self.line.append(" | ")
            row.lines = len(self.lines)
        elif row and self.line:
            self.newline()
        if row:
            row.single, row.lines = False, len(self.lines)
        self.fresh = True

    def close(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._close_cell()
        elif tag == "a":
            self._close_link()
        elif tag in _BLOCKS:
            self._close_block(tag)

    def _close_cell(self) -> None:
        """End a cell; a cell of one line keeps its row open, even if it is inside several paragraphs."""
        row = self.rows[-1] if self.rows else None
        self.fresh = False
        if not row:
            return
        written = list(islice((line for n in range(row.lines, len(self.lines)) if (line := self.lines[n])), 2))
        if not self.line and len(written) == 1 and self.lines[-1:] == written:
            self.line, self.gap = [self.lines.pop()], 0
            self.joined, self.tail = 0, ""
            written = []
        row.single = bool(self.line) and not written

    def _close_block(self, tag: str) -> None:
        if tag in ("ul", "ol") and self.lists:
            self.lists.pop()
        self.marker = ""
        if tag in ("tbody", "thead", "tfoot", "html", "body"):
            return
        self.block(self._margin(tag))
        if tag == "blockquote":
            self.quote = max(self.quote - 1, 0)
        elif tag == "pre":
            self.pre = max(self.pre - 1, 0)
        elif tag == "p" and self.tight:
            self.tight.pop()
        elif tag == "li":
            self.gap = min(self.gap, 1)
        elif tag == "tr" and self.rows:
            self.rows.pop()

    def _close_link(self) -> None:
        if not self.links:
            return
        href, line, room = self.links.pop()
        if room == self.room:
            return
        if not _LINKS.match(href) or line > self.started or len(href) > 2_000:
            return
        target = href.partition(":")[2] if href[:7].lower() == "mailto:" or href[:4].lower() == "tel:" else href
        bare, written = _bare(target), f" <{target}>"
        if not bare:
            return
        if self.line:
            if bare != _bare(self.line[-1]) and bare not in _bare(self._end_of_line()):
                self._put(written)
        elif bare not in _bare(self.lines[-1][-_NEARBY:]):  # a block within the link has ended the line
            self.lines[-1] += written
            self.room -= len(written)

    def _end_of_line(self) -> str:
        """The last characters of the current line; its pieces are joined only once."""
        self.tail = (self.tail + "".join(self.line[self.joined :]))[-_NEARBY:]
        self.joined = len(self.line)
        return self.tail

    def text(self) -> str:
        self.block(1)
        joined = "\n".join(line.replace("\xa0", " ").rstrip() for line in self.lines)
        return _MANY_LINES.sub("\n\n", joined).strip("\n")


def _is_tight(attributes: dict[str, str | None]) -> bool:
    """Whether a paragraph is a single line: by Word's class, or a margin of 0."""
    if (attributes.get("class") or "").startswith("Mso"):
        return True
    return bool((style := attributes.get("style")) and _NO_MARGIN.search(style))


_NO_MARGIN = lazy_compile(
    r"margin\s{0,9}:\s{0,9}(?:0(?:\.0{0,3}1?)?(?:px|pt|cm|in|em)?\s{0,5}){1,4}(?:;|$)"
    r"|margin-bottom\s{0,9}:\s{0,9}0?(?:\.0{0,3}1?)?(?:px|pt|cm|in|em)?\s{0,5}(?:;|$)",
    re.IGNORECASE,
)


def _bare(url: str) -> str:
    """A link without scheme and trailing slash, for comparison with its text."""
    return url.strip().lower().removeprefix("http://").removeprefix("https://").removeprefix("www.").rstrip("/ ")
