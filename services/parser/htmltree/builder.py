"""Simulates an HTML tree builder without building a tree (HTML standard, section 13.2.6).

Counts the elements of the tree for some markup; raises when a limit is exceeded. It keeps the stack of open elements
and the list of active formatting elements, because they decide which elements are added without a tag: an unclosed
formatting element is opened again in each block, and rows create the table parts that they need. Regions with rules
of their own (`svg`, `select`) are skipped when their content is simple; otherwise the size counts as unpredictable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from services.parser.htmltree.elements import (
    AROUND_ITEMS,
    BUTTON_SCOPE,
    CONTEXTS,
    ENDS_IN_SCOPE,
    EXOTIC,
    FORMATTING,
    FOSTERING,
    HEADINGS,
    HTML_IN_FOREIGN,
    IMPLIED,
    IN_HEAD,
    IN_NOSCRIPT,
    IN_SELECT,
    ITEM_SCOPE,
    LEAVES_P,
    MARKING,
    RAW,
    ROOTS,
    ROWS,
    SCOPE,
    SPECIAL,
    TABLE_PARTS,
    VOID,
)
from services.parser.htmltree.tokens import (
    MOST_ATTRIBUTES,
    TooComplexError,
    TooDeepError,
    count_attributes,
    end_of_raw,
    same,
    tokens,
)
from shared.lazy_dataclass import dataclass

_MOST_FOSTERED = 5_000
"""Nodes inside a table but outside its cells: each is moved before the table, whose place is searched for."""
_MOST_OPTIONS = 2_000
_MOST_STEPS = 2_000_000
"""Total open elements that may be searched for those that end tags close."""
MOST_DEPTHS = 20_000_000
"""Sum of the open elements at each tag, because builders search them for those that the tag closes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest depth and size that a tree may have."""

    depth: int
    elements: int


class _Element:
    """An open element, or one that is to be opened again."""

    __slots__ = ("attributes", "depth", "is_open", "name")

    def __init__(self, name: str, attributes: str, depth: int = 0) -> None:
        self.depth = depth
        self.name = name
        self.attributes = attributes
        self.is_open = depth > 0


class Builder:
    """The state of a tree builder without a tree."""

    def __init__(self, limits: Limits, *, quirks: bool) -> None:
        self.limits = limits
        self.quirks = quirks
        self.doubtful = False
        """Whether the two ways to read a table in a paragraph (quirks mode or not) differ for this markup."""
        self.stack: list[_Element] = []
        self.counts: Counter[str] = Counter()
        self.active: list[_Element | None] = []
        self.contexts: list[_Element] = []
        self.form: _Element | None = None
        self.elements = self.fostered = self.options = self.steps = self.depths = self.root_attributes = 0

    def follow(self, markup: str) -> bool:
        """Read all tags; return whether the tree would be different without quirks mode."""
        position = 0
        skip_to = 0
        for start, end, closing, name, attributes in tokens(markup):
            if start < skip_to:
                continue
            if start > position:
                self._text(markup, position, start)
            position = end
            self.depths += len(self.stack)
            if self.depths > MOST_DEPTHS:
                raise TooComplexError
            if not name:
                continue
            if closing:
                self._close(name)
            elif name in EXOTIC:
                if name == "plaintext":
                    break
                position = skip_to = self._skip_region(markup, end, name)
            else:
                self._open(name, attributes)
                if name in RAW:
                    position = end_of_raw(markup, end, name)
        return self.doubtful

    def _text(self, markup: str, start: int, end: int) -> None:
        context = self.contexts[-1].name if self.contexts else ""
        if context in FOSTERING or context == "colgroup":
            if not markup[start:end].strip():
                return
            if context == "colgroup":
                self._pop_through(self.contexts[-1])
            self._foster()
        self._reconstruct()

    def _skip_region(self, markup: str, position: int, name: str) -> int:
        """Skip a region with rules of its own if its content is simple; return the offset after it."""
        allowed = IN_SELECT if name == "select" else IN_NOSCRIPT if name == "noscript" else None
        if name in ("template", "frameset"):
            raise TooComplexError
        self._reconstruct()
        self._add()
        inside = 0
        for start, end, closing, inner, attributes in tokens(markup, position):
            if closing and inner == name:
                if "<![CDATA[" in markup[position:start]:
                    break
                return end
            count_attributes(attributes)
            if inner and (inner in HTML_IN_FOREIGN if allowed is None else inner not in allowed):
                break
            if closing or not inner:
                continue
            inside += 1
            self._add()
            self._count_option(inner)
            if allowed is None and len(self.stack) + inside > self.limits.depth:
                break
        raise TooComplexError

    def _count_option(self, name: str) -> None:
        self.options += name == "option"
        if self.options > _MOST_OPTIONS:
            raise TooComplexError

    # Start tags

    def _open(self, name: str, attributes: str) -> None:
        number = count_attributes(attributes)
        if name in ROOTS:
            self.root_attributes += max(number, 1) if attributes else 0
            if self.root_attributes > MOST_ATTRIBUTES:
                raise TooComplexError
            return
        context = self.contexts[-1].name if self.contexts else ""
        if context:
            if name in TABLE_PARTS:
                self._open_table_part(name, attributes, context)
                return
            if self._opened_in_table(name, attributes, context):
                return
        if name not in TABLE_PARTS and name != "frame":
            self._open_in_body(name, attributes)

    def _open_table_part(self, name: str, attributes: str, context: str) -> None:
        """Open a row, cell or caption: close elements that cannot contain it, and create those that it needs."""
        if context in ("td", "th", "caption"):
            context = self._leave_context()
            self._clear_to_marker()
        if context == "colgroup":
            if name == "col":
                self._add()
                return
            context = self._leave_context()
        if context == "tr" and name not in ("td", "th"):
            context = self._leave_context()
        if context in ROWS and name not in ("td", "th", "tr"):
            context = self._leave_context()
        self._clear_to_context()
        if name == "col":
            self._push("colgroup")
            self._add()
            return
        if context == "table" and name in ("td", "th", "tr"):
            self._push("tbody")
            context = "tbody"
        if context in ROWS and name in ("td", "th"):
            self._push("tr")
        self._push(name, attributes)
        if name in MARKING:
            self.active.append(None)

    def _context(self) -> str:
        return self.contexts[-1].name if self.contexts else ""

    def _leave_context(self) -> str:
        """Close the innermost table or part of it; return the name of the one around it."""
        self._pop_through(self.contexts[-1])
        return self._context()

    def _clear_to_context(self) -> None:
        """Close the elements that are in a table but outside its cells."""
        while self.stack and self.contexts and self.stack[-1] is not self.contexts[-1]:
            self._pop()

    def _opened_in_table(self, name: str, attributes: str, context: str) -> bool:
        """Whether a tag between table cells has rules of its own there; other tags are moved out of the table."""
        if context == "colgroup":
            context = self._leave_context()
        if context not in FOSTERING:
            return False
        if name == "table":
            self._close("table")
            self._open(name, attributes)
        elif name == "form":
            if self.form is None:  # opened and closed at once, it counts as open until its end tag
                self._add()
                self.form = _Element("form", attributes)
        elif name in ("style", "script") or (name == "input" and "hidden" in attributes.lower()):
            self._add()  # in the table or before it: the size is the same
        else:
            self._foster()
            return False
        return True

    def _foster(self) -> None:
        if self.stack and self.stack[-1].name in FOSTERING:
            self.fostered += 1
            if self.fostered > _MOST_FOSTERED:
                raise TooComplexError

    def _open_in_body(self, name: str, attributes: str) -> None:
        if name in VOID:
            self._add_void(name)
            return
        if name == "form" and self.form is not None:
            return
        if name in FORMATTING:
            self._open_formatting(name, attributes)
            return
        if name in ("li", "dd", "dt"):
            self._close_in_scope(("li",) if name == "li" else ("dd", "dt"), AROUND_ITEMS)
        if name in LEAVES_P:
            self._close_in_scope(("p",), BUTTON_SCOPE)
            if name in HEADINGS and self.stack and self.stack[-1].name in HEADINGS:
                self._pop()
        elif name == "table":
            self._open_table()
        else:
            self._open_inline(name)
        if name in RAW:
            self._add()  # its text is skipped, so it is already closed
            return
        element = self._push(name, attributes)
        if name == "form":
            self.form = element
        if name in MARKING:
            self.active.append(None)

    def _add_void(self, name: str) -> None:
        if name == "hr":
            self._close_in_scope(("p",), BUTTON_SCOPE)
        elif name not in IN_HEAD:
            self._reconstruct()
        self._add()

    def _open_table(self) -> None:
        if (paragraph := self._in_scope(("p",), BUTTON_SCOPE)) is not None:
            self.doubtful = True
            if not self.quirks:
                self._pop_through(paragraph)

    def _open_inline(self, name: str) -> None:
        """Open an inline element, after opening formatting elements again."""
        if name == "button":
            self._close_in_scope((name,), SCOPE)
        elif name in ("rb", "rtc", "rp", "rt") and self._in_scope(("ruby",), SCOPE) is not None:
            self._close_implied("rtc" if name in ("rp", "rt") else "")
        if name in ("option", "optgroup"):
            self._count_option(name)
            if self.stack and self.stack[-1].name == "option":
                self._pop()
        if name not in ("rb", "rtc", "rp", "rt", "style", "script", "title", "noframes"):
            self._reconstruct()

    def _open_formatting(self, name: str, attributes: str) -> None:
        if name == "a" and (anchor := self._active("a")) is not None:
            self._adopt("a")
            self._forget(anchor)
            self._remove(anchor)
        self._reconstruct()
        if name == "nobr" and self._in_scope(("nobr",), SCOPE) is not None:
            self._adopt("nobr")
            self._reconstruct()
        self._activate(self._push(name, attributes))

    def _activate(self, element: _Element) -> None:
        """Note a formatting element; of equal ones only the last three count."""
        equal = []
        for other in reversed(self.active):
            self._step()
            if other is None:
                break
            if other.name == element.name and same(other.attributes, element.attributes):
                equal.append(other)
        if len(equal) >= 3:
            self._forget(equal[-1])
        self.active.append(element)

    # End tags

    def _close(self, name: str) -> None:
        context = self._context()
        if context == "colgroup" and name != "col":
            context = self._leave_context()
            if name == "colgroup":
                return
        if name == "table" or name in TABLE_PARTS:
            if context:
                self._close_table_part(name)
            return
        if name not in ROOTS:
            self._close_in_body(name)

    def _close_table_part(self, name: str) -> None:
        """Close a table or a part of it, and the parts that are open inside."""
        for element in reversed(self.contexts):
            self._step()
            if element.name == name:
                break
            if element.name == "table":
                return
        else:
            return
        if name in ("td", "th", "caption") and element is not self.contexts[-1]:
            return
        while self.contexts:
            inner = self.contexts[-1]
            self._pop_through(inner)
            if inner.name in MARKING:
                self._clear_to_marker()
            if inner is element:
                return

    def _close_in_body(self, name: str) -> None:
        if name in FORMATTING:
            self._adopt(name)
        elif name == "p":
            self._close_or_make_paragraph()
        elif name == "br":
            self._reconstruct()
            self._add()
        elif name == "form":
            self._close_form()
        elif name == "li":
            self._close_in_scope((name,), ITEM_SCOPE)
        elif name in HEADINGS:
            self._close_in_scope(HEADINGS, SCOPE)
        elif name in ENDS_IN_SCOPE:
            self._close_in_scope((name,), SCOPE)
        elif name in ("applet", "marquee", "object"):
            if self._close_in_scope((name,), SCOPE):
                self._clear_to_marker()
        else:
            self._close_in_scope((name,), SPECIAL)

    def _close_in_scope(self, names: Collection[str], barrier: frozenset[str]) -> bool:
        element = self._in_scope(names, barrier)
        if element is not None:
            self._pop_through(element)
        return element is not None

    def _close_or_make_paragraph(self) -> None:
        if not self._close_in_scope(("p",), BUTTON_SCOPE):
            self._add()
            if self._context() in FOSTERING:
                self._foster()

    def _close_form(self) -> None:
        form, self.form = self.form, None
        if form is not None and form.is_open and self._reaches(form):
            self._close_implied("")
            self._remove(form)

    def _reaches(self, wanted: _Element) -> bool:
        for element in reversed(self.stack):
            self._step()
            if element is wanted:
                return True
            if element.name in SCOPE:
                return False
        return False

    def _adopt(self, name: str) -> None:
        """The adoption agency algorithm: a formatting element ends across the blocks that were opened in it."""
        if self.stack and self.stack[-1].name == name and self.stack[-1] not in self.active:
            self._pop()
            return
        for _ in range(8):
            element = self._active(name)
            if element is None:
                self._close_in_scope((name,), SPECIAL)
                return
            if not element.is_open:
                self._forget(element)
                return
            if not self._reaches(element):
                return
            place = self._place(element)
            block = next((n for n in range(place + 1, len(self.stack)) if self.stack[n].name in SPECIAL), None)
            if block is None:
                self._pop_through(element)
                self._forget(element)
                return
            self._move(element, place, block)

    def _move(self, element: _Element, place: int, block: int) -> None:
        """One turn: a clone of the formatting element is put into the furthest block, those between are cloned too."""
        between = self.stack[place + 1 : block]
        kept: list[_Element] = []
        clones = 0
        for counter, inner in enumerate(reversed(between), start=1):
            self._step()
            if counter > 3 and inner in self.active:
                self._forget(inner)
            if inner not in self.active:
                self._closed(inner)
                continue
            clones += 1
            kept.append(inner)
        self._add(clones + 1)
        clone = _Element(element.name, element.attributes)
        clone.is_open = True
        self.counts[clone.name] += 1
        self._closed(element)
        self.active[self.active.index(element)] = clone
        self._bookmark(clone, kept)
        furthest, above = self.stack[block], self.stack[block + 1 :]
        moved = (self.stack[place - 1].depth if place else 0) + len(kept) + 1 - furthest.depth
        self.stack[place:] = [*reversed(kept), furthest, clone, *above]
        for depth, inner in enumerate([*reversed(kept), furthest, clone], start=furthest.depth + moved - len(kept)):
            inner.depth = depth
        for inner in above:
            self._step()
            inner.depth += moved + 1

    def _bookmark(self, clone: _Element, kept: list[_Element]) -> None:
        """Insert the clone in the list after the last of the elements that were kept in between."""
        if kept:
            self.active.remove(clone)
            self.active.insert(max(self.active.index(inner) for inner in kept[:1]) + 1, clone)

    # The stack and the list

    def _step(self) -> None:
        self.steps += 1
        if self.steps > _MOST_STEPS:
            raise TooComplexError

    def _add(self, number: int = 1) -> None:
        self.elements += number
        if self.elements > self.limits.elements:
            raise TooComplexError

    def _push(self, name: str, attributes: str = "") -> _Element:
        self._add()
        depth = self.stack[-1].depth + 1 if self.stack else 1
        if depth > self.limits.depth:
            raise TooDeepError
        element = _Element(name, attributes, depth)
        self.stack.append(element)
        self.counts[name] += 1
        if name in CONTEXTS:
            self.contexts.append(element)
        return element

    def _pop(self) -> None:
        self._closed(self.stack.pop())

    def _closed(self, element: _Element) -> None:
        element.is_open = False
        self.counts[element.name] -= 1
        if self.contexts and self.contexts[-1] is element:
            self.contexts.pop()

    def _pop_through(self, element: _Element) -> None:
        place = self._place(element)
        inside = self.stack[place:]
        del self.stack[place:]
        for each in reversed(inside):
            self._closed(each)

    def _remove(self, element: _Element) -> None:
        """Remove an element from any position of the stack."""
        if element.is_open:
            del self.stack[self._place(element)]
            self._closed(element)

    def _place(self, element: _Element) -> int:
        return next(n for n in range(len(self.stack) - 1, -1, -1) if self.stack[n] is element)

    def _in_scope(self, names: Collection[str], barrier: frozenset[str]) -> _Element | None:
        """The last open element of one of these names, unless one of `barrier` was opened after it."""
        if not any(self.counts[name] for name in names):
            return None
        for element in reversed(self.stack):
            self._step()
            if element.name in names:
                return element
            if element.name in barrier:
                return None
        return None

    def _close_implied(self, kept: str) -> None:
        while self.stack and self.stack[-1].name in IMPLIED and self.stack[-1].name != kept:
            self._pop()

    def _active(self, name: str) -> _Element | None:
        """The last formatting element of a name since the last marker."""
        for element in reversed(self.active):
            self._step()
            if element is None:
                return None
            if element.name == name:
                return element
        return None

    def _forget(self, element: _Element) -> None:
        if element in self.active:
            self.active.remove(element)

    def _clear_to_marker(self) -> None:
        while self.active and self.active.pop() is not None:
            pass

    def _reconstruct(self) -> None:
        """Open again the formatting elements that were closed only because a block around them was."""
        first = len(self.active)
        while first and (element := self.active[first - 1]) is not None and not element.is_open:
            first -= 1
        for place in range(first, len(self.active)):
            known = self.active[place]
            assert known is not None
            self.active[place] = self._push(known.name, known.attributes)
