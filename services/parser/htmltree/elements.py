"""The names of HTML's elements by what a tree builder does with them (HTML standard, section 13.2)."""

from __future__ import annotations


def names(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


VOID = names("area base basefont bgsound br col embed frame hr image img input keygen link meta param source track wbr")
IN_HEAD = names("base basefont bgsound link meta param source track")
RAW = names("script style xmp iframe noembed noframes textarea title")
MADE_BY_END_TAGS = names("p br")
"""An end tag that closes nothing makes one of these."""
EXOTIC = names("svg math select noscript template frameset plaintext")
ROOTS = names("html head body")
FORMATTING = names("a b big code em font i nobr s small strike strong tt u")
HEADINGS = names("h1 h2 h3 h4 h5 h6")
LEAVES_P = (
    names(
        "address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer header"
        " hgroup main menu nav ol p search section summary ul pre listing form li dd dt hr xmp"
    )
    | HEADINGS
)
ENDS_IN_SCOPE = names(
    "address article aside blockquote button center details dialog dir div dl fieldset figcaption figure footer header"
    " hgroup listing main menu nav ol pre search section summary ul dd dt"
)
IMPLIED = names("dd dt li optgroup option p rb rp rt rtc")
ROWS = names("tbody thead tfoot")
TABLE_PARTS = names("caption col colgroup tbody td tfoot th thead tr")
CONTEXTS = TABLE_PARTS - {"col"} | {"table"}
FOSTERING = names("table tbody thead tfoot tr")
MARKING = names("applet marquee object td th caption")
SCOPE = names("applet caption html table td th marquee object template")
BUTTON_SCOPE = SCOPE | {"button"}
ITEM_SCOPE = SCOPE | {"ol", "ul"}
SPECIAL = (
    LEAVES_P | VOID | RAW | ROOTS | TABLE_PARTS | EXOTIC - {"svg", "math"} | names("applet button marquee object table")
) - {"dialog", "search", "image", "basefont"}
AROUND_ITEMS = SPECIAL - {"address", "div", "p"}
"""What an item of a list is not closed across."""
IN_SELECT = names("option optgroup hr")
IN_NOSCRIPT = names("img br")
HTML_IN_FOREIGN = (
    FORMATTING
    | LEAVES_P
    | VOID
    | RAW
    | ROOTS
    | EXOTIC
    | TABLE_PARTS
    | names("table ruby span strong sub sup var foreignobject desc annotation-xml mi mo mn ms mtext mglyph malignmark")
)
FRAGILE = names("option optgroup")
CELLS = frozenset({"td", "th"})
BLOCKS = LEAVES_P | CONTEXTS
"""Elements that may close a paragraph, a row or a cell, and all elements open in it."""
