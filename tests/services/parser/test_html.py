"""HTML as text, and HTML made harmless."""

from __future__ import annotations

import pytest

from services.parser import html


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<div>a</div><div>b</div>", "a\nb"),
        (
            "<p class=MsoNormal>a</p><p class=MsoNormal>b</p><p class=MsoNormal>&nbsp;</p><p class=MsoNormal>c</p>",
            "a\nb\n\nc",
        ),
        ("<p style='margin:0'>a</p><p style='margin: 0cm 0cm 0pt'>b</p>", "a\nb"),
        ("<p style='margin:0 0 8px'>a</p><p style='margin:1em'>b</p><p>c</p>", "a\n\nb\n\nc"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("a  \n  b", "a b"),
        ("<b>a</b> <i>b</i>", "a b"),
        ("a<b>b</b>c", "abc"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("<ol><li>one<li>two</ol>", "1. one\n2. two"),
        ('<ol start="3"><li>one</ol>', "3. one"),
        ("<ul><li>one<ul><li>inner</li></ul></li></ul>", "- one\n  - inner"),
        ("<ul><li><p>one</p></li><li><p>two</p></li></ul>", "- one\n- two"),
        ("<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>", "A | B\n1 | 2"),
        ("<table><tr><td><p>1</p></td><td><p>2</p></td></tr></table>", "1 | 2"),
        ("<table><tr><td>a<br>b</td><td>c</td></tr></table>", "a\nb\nc"),
        ("<table><tr><td></td><td>c</td></tr></table>", "c"),
        ("<blockquote>a<br>b</blockquote>c", "> a\n> b\n\nc"),
        ("x<blockquote>a<blockquote>b</blockquote></blockquote>", "x\n\n> a\n>\n> > b"),
        ('<a href="https://x.example/p">here</a>', "here <https://x.example/p>"),
        ('<a href="https://x.example/">https://x.example</a>', "https://x.example"),
        ('<a href="http://www.x.example">x.example</a>', "x.example"),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example"),
        ('<a href="mailto:a@b.example">Anna</a>', "Anna <a@b.example>"),
        ('<p>Hi</p><a href="https://x.example/p">here</a> or', "Hi\n\nhere <https://x.example/p> or"),
        ('<p>Hi</p><a href="https://x.example/p"><p>here</p></a>or', "Hi\n\nhere <https://x.example/p>\n\nor"),
        (
            '<table><tr><td>a<td><a href="https://x.example/p"><p>b</p></a><td>c</table>',
            "a | b <https://x.example/p> | c",
        ),
        ('<p>Hi</p><a href="https://x.example/p"></a><p>x</p>', "Hi\n\nx"),
        ('<a href="https://x.example"><div>https://x.example</div></a>', "https://x.example"),
        ('<a href="https://x.example/p">your<br>order</a><p>x</p>', "your\norder <https://x.example/p>\n\nx"),
        ('<a href="https://x.example/p"><h3>Order</h3><p>Track it</p></a>', "Order\n\nTrack it <https://x.example/p>"),
        ('<a href="javascript:x()">here</a>', "here"),
        ('<a href="#top">here</a>', "here"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ('<img src="cid:x" alt="logo">', "[logo]"),
        ("a<hr>b", "a\n________________________________\nb"),
        ("a&nbsp;b &amp; &lt;c&gt;", "a b & <c>"),
        ("<style>p{}</style><script>x()</script>a<title>t</title>", "a"),
        ("a<!-- comment -->b", "ab"),
        ('a<span style="display:none">hidden</span>b', "ab"),
        ('a<span style="color:red;DISPLAY : none !important">hidden</span>b', "ab"),
        ('a<span style="font-size:0">hidden</span>b', "ab"),
        ('a<span style="font:0/0 x">hidden <a href="https://x.example">y</a><img alt="z"></span>b', "ab"),
        ('a<span style="visibility:hidden">hidden<span style="visibility:visible">shown</span></span>b', "ashownb"),
        ('<p style="font-size:0">x<span style="font-size:2em">y</span><font size="2">z</font></p>', "z"),
        ('a<p style="text-indent:-18.0pt;height:0;min-height:0;left:-300px">shown</p>b', "a\n\nshown\n\nb"),
        ('a<span style="font-size:0.9em">shown</span>b', "ashownb"),
        *(
            (f'a<span style="{without_effect}">shown</span>b', "ashownb")
            for without_effect in ("font-size:px", "font-size:", "opacity:", "opacity:;x:0", "font-size:max(0px, 2vw)")
        ),
        ("a<p hidden>hidden</p>b", "ab"),
        ("", ""),
        ("<", "<"),
        ("<p", ""),
        ("<p>a", "a"),
        ("</p></div>a", "a"),
    ],
)
def test_markup_becomes_readable_text(markup: str, text: str) -> None:
    assert html.to_text(markup) == text


@pytest.mark.req("PR-19")
@pytest.mark.parametrize(
    "stated",
    [
        "font-size:13px",
        "font-size: 1rem",
        "font:bold 12px/1.5 Arial",
        "font-size:small",
        "font-size:initial",
        "color:red;\n                FONT-SIZE : 11pt",
    ],
)
def test_text_with_a_size_of_its_own_is_kept_within_elements_of_size_zero(stated: str) -> None:
    """Programs that build mails, such as MJML, write `font-size:0px` on each cell, against gaps between pictures."""
    text = f'<div style="{stated}">Disk full <a href="https://desk.example/1">here</a></div>'
    cell = f'<table><tr><td style="direction:ltr;font-size:0px;padding:20px 0">{text}</td></tr></table>'
    nested = cell.replace(text, f'<div style="font-size:0">{cell}</div>')
    assert html.to_text(f"{nested}after") == "Disk full here <https://desk.example/1>\n\nafter"


@pytest.mark.parametrize(
    "markup",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)>",
        "<svg><script>alert(1)</script></svg>",
        "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
        "<a href='jav&#x09;ascript:alert(1)'>a</a>",
        "<a href=' javascript:alert(1)'>a</a>",
        "<iframe src=javascript:alert(1)>",
        "<form action=javascript:alert(1)><button>x</button></form>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
        "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
        "<p style='background:url(javascript:alert(1))'>x</p>",
        "<link rel=stylesheet href=http://x.example/a.css>",
        "<object data=javascript:alert(1)></object><embed src=javascript:alert(1)>",
        "<body onload=alert(1)>",
        "<input autofocus onfocus=alert(1)>",
        "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
        "<img src='http://tracker.example/x.gif'>",
        "<img src='//tracker.example/x.gif'>",
        "<video src=http://tracker.example/x><source src=http://tracker.example/y></video>",
        "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
        "<base href=http://x.example/><a href=a>a</a>",
    ],
)
def test_nothing_that_runs_or_loads_survives(markup: str) -> None:
    from selectolax.lexbor import LexborHTMLParser

    body = LexborHTMLParser(html.sanitised(markup)).body
    assert body is not None
    for node in body.traverse():
        assert node.tag not in {
            "script",
            "svg",
            "math",
            "style",
            "iframe",
            "object",
            "embed",
            "link",
            "form",
            "base",
            "video",
        }
        for name, value in node.attributes.items():
            assert not name.startswith("on")
            assert name not in {"style", "srcset", "background"}
            assert not (value or "").strip().lower().startswith(("javascript:", "data:"))
            assert name != "src" or (value or "").startswith("cid:")


def test_pictures_that_came_with_the_mail_stay() -> None:
    assert html.sanitised('<img src="cid:a@b" alt="x">') == '<img src="cid:a@b" alt="x">'


def test_deep_markup_is_stripped_without_being_parsed() -> None:
    assert html.stripped("<div>" * 100_000 + "a &amp; b") == "a & b"


def test_text_ends_soon_after_the_room_for_it() -> None:
    markup = "<blockquote>" * 300 + "x<br>" * 1_000
    assert 10_000 < len(html.to_text(markup, 10_000)) < 11_000
    assert 10_000 < len(html.to_text("<blockquote>" * 300 + "<pre>" + "x\n" * 1_000, 10_000)) < 11_000


def test_the_address_of_a_link_is_not_repeated_in_its_line() -> None:
    assert html.to_text("http://a.example/b <a href='http://a.example/b'>here</a>") == "http://a.example/b here"
    assert html.to_text("<a href='mailto:'>nobody</a>") == "nobody"


@pytest.mark.parametrize("tag", ["blockquote", "q", "ins", "del"])
def test_no_address_is_left_whose_scheme_nobody_looked_at(tag: str) -> None:
    assert html.sanitised(f'<{tag} cite="javascript:alert(1)">x</{tag}>') == f"<{tag}>x</{tag}>"


def test_every_attribute_that_may_hold_an_address_is_one_whose_scheme_is_checked() -> None:
    """Whatever the library allows in a later version: it checks `href` and `src`."""
    names = "action background cite classid codebase data formaction icon longdesc manifest ping poster profile srcset"
    allowed = set().union(*html._ATTRIBUTES.values())  # the table is what is tested
    assert not allowed & set(names.split())
