"""What HTML would grow to is predicted from its tags, never too low."""

from __future__ import annotations

import random

import pytest
from selectolax.lexbor import LexborHTMLParser

from services.parser.htmltree import size as module
from services.parser.htmltree.builder import Builder, Limits
from services.parser.htmltree.size import Size, followed, size
from services.parser.htmltree.tokens import TooComplexError, tokens

DEEP, COMPLEX = Size(0, fits=False, is_deep=True), Size(0, fits=False)
LIMITS = Limits(depth=400, elements=200_000)
NAMES = str.split(
    "a b i font nobr p div span table tr td th tbody caption colgroup col ul li dd dt h1 h2 form button option optgroup"
    " br hr img object marquee center pre x ruby rb rp rt rtc textarea style blockquote address body html head em u"
    " input svg select dl ol thead tfoot applet script title iframe"
)


def built(markup: str) -> tuple[int, int]:
    """Depth below body and number of elements of the tree that a library builds."""
    body = LexborHTMLParser(markup).body
    depth = deepest = elements = 0
    node = body
    while node is not None and body is not None:
        if node.child is not None:
            node, depth = node.child, depth + 1
        else:
            while node.next is None and depth > 0:
                assert node.parent is not None
                node, depth = node.parent, depth - 1
            if depth <= 0 or node.next is None:
                break
            node = node.next
        if node.tag and not node.tag.startswith("-"):
            elements, deepest = elements + 1, max(deepest, depth)
    return deepest, elements


def soup(seed: int) -> str:
    """Tags in no order, over and over, so that what is counted too low drifts."""
    chance = random.Random(seed)
    names = chance.sample(NAMES, chance.randint(2, 7))
    out = []
    for _ in range(chance.randint(3, 14)):
        kind, name = chance.random(), chance.choice(names)
        if kind < 0.5:
            out.append(f"<{name}{chance.choice(['', '', ' a=1', f' b={chance.randint(0, 9)}'])}>")
        elif kind < 0.85:
            out.append(f"</{name}>")
        else:
            out.append(chance.choice(["x", " ", "<!-- </div> -->", "<p a='</p>'>", "<?x>", "</>", "<!-->", "&amp;"]))
    return "".join(out) * 40


@pytest.mark.parametrize("seed", range(0, 4_000, 100))
def test_a_tree_is_never_deeper_or_larger_than_predicted(seed: int) -> None:
    for number in range(seed, seed + 25):
        markup = soup(number)
        deepest, elements = built(markup)
        predicted = followed(markup, markup.count("<"), Limits(depth=deepest - 9, elements=10**9))
        assert not predicted.fits or deepest < 10, markup[: len(markup) // 40]
        predicted = followed(markup, markup.count("<"), Limits(depth=10**6, elements=10**9))
        assert not predicted.fits or predicted.elements >= elements - 130, markup[: len(markup) // 40]
        assert size(markup, LIMITS).elements >= min(elements, predicted.elements)
        assert not size(markup, LIMITS).fits or deepest <= 1_000


NEWSLETTER = (
    "<table><tr><td><p><a href='https://a.example/?b=1'><b>More</b></a> <FONT size=2>x<br>y</FONT></p></td></tr>"
)


def test_links_and_bold_words_that_are_closed_at_once_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "followed", lambda *_: pytest.fail("each tag was followed"))
    assert size(NEWSLETTER * 80 + "</table>", LIMITS).fits


@pytest.mark.parametrize(
    "opening",
    [
        "<b n{0} t='</b>'>",
        "<b n{0} t='></b>'>",
        '<b n{0} t=x" t="y" u="></b>">',
        "<b n{0}><!-- </b> -->",
        "<b n{0}><img alt='</b>'>",
        "<b n{0}><img alt='></b>'>",
        "<b n{0}><style></b></style>",
        "<b n{0}><a><i t='</i></a></b>'></i></a>",
        "<b n{0}><table><td></b>",
    ],
)
def test_what_only_seems_to_be_closed_is_opened_again(opening: str) -> None:
    markup = f"<div>{''.join(map(opening.format, range(200)))}</div>{'<p>x</p>' * 200}{'< ' * 200}"
    predicted = size(markup, LIMITS)
    assert not predicted.fits or predicted.elements >= built(markup)[1]


def test_most_markup_is_predicted_exactly() -> None:
    exact = 0
    for seed in range(300):
        markup = soup(seed)
        builder = Builder(Limits(depth=10**6, elements=10**9), quirks=True)
        try:
            builder.follow(markup)
        except TooComplexError:
            continue
        exact += abs(builder.elements - built(markup)[1]) <= 5
    assert exact > 200


@pytest.mark.parametrize(
    "markup",
    [
        "<p>some <b>words</b></p>" * 60_000,
        "<p>not closed" * 5_000,
        "<ul>" + "<li>not closed" * 5_000,
        "<table>" + "<tr><td>not closed" * 5_000,
        "<table>" + "<tr><td><p><font size=2>x</font></p></td></tr>" * 5_000 + "</table>",
        "<b><p>misnested</b></p>" * 1_000,
        "<p><i>unclosed</p>" * 1_000,
        "<br>" * 100_000,
        "<div>" * 399,
        "<select>" + "<option>x</option>" * 500 + "</select>",
        "<p>x</p>" * 500 + "<svg viewBox='0'><path d='x'/></svg>",
        "<!-- <div> -->" * 1_000,
        "<p title='<div><div>'>x</p>" * 1_000,
        "<style>" + "<div>" * 1_000 + "</style>",
        "<a href='?a=1&amp;b=2'>x</a> &nbsp;" * 2_000,
        "<p>\xa0¿Qué? &nbsp;" * 10_000,
    ],
)
def test_what_programs_write_is_built(markup: str) -> None:
    assert size(markup, LIMITS).fits


@pytest.mark.parametrize(
    ("markup", "verdict"),
    [
        ("<div>" * 401, DEEP),
        ("<div></x>" * 401, DEEP),
        ("<div></div a='</div>'><div><!--</div>-->" * 401, DEEP),
        ("<p>" + "".join(f"<font a={n}>" for n in range(401)), DEEP),
        ("<p>" + "".join(f"<font a={n}>" for n in range(399)) + "<p>x" * 1_000, COMPLEX),
        ("<table>" + "<br>" * 6_000, COMPLEX),
        ("<p " + "".join(f"a{n} " for n in range(1_001)) + ">", COMPLEX),
        ("<p " + "".join(f"a{n} " for n in range(2_001)), COMPLEX),
        ("<p " + "".join(f"a{n}='>' " for n in range(2_001)) + ">", COMPLEX),
        ("".join(f"<body a{n}>" for n in range(401)), COMPLEX),
        ("<span>" * 390 + "</p>" * 60_000, COMPLEX),
        ("<select>" + "<option>" * 3_000 + "</select>", COMPLEX),
        ("<template>" * 401, COMPLEX),
        ("<svg><style><div>" * 401, COMPLEX),
        ("<svg><![CDATA[</svg>]]></svg>" * 401, COMPLEX),
        ("<script><!--<script></script>" * 401, COMPLEX),
        ("&" * 1_000_000, COMPLEX),
        ("\xa0" * 1_000_000, COMPLEX),
        ('<p title="' + "\x85\xa9" * 200_000 + '">', COMPLEX),
        ("<" * 1_000_000, COMPLEX),
        ("<br>" * 200_001, COMPLEX),
        ("<table>x" + "<tr>x<td>" * 6_000, COMPLEX),
    ],
)
def test_what_would_grow_beyond_bounds_is_not_built(markup: str, verdict: Size) -> None:
    assert size(markup, LIMITS) == verdict


def test_tags_in_comments_attributes_and_scripts_are_none() -> None:
    markup = "<!-- <a> --><b c='<d>'><script><e></script><!--><f/>></>"
    assert [name for _, _, _, name, _ in tokens(markup)] == ["", "b", "script", "script", "", "f", ""]
