"""Mails that grow: by name, functions from a number of bytes to a mail of about that size.

Each repeats or nests one thing that costs a parser something. `test_growth` doubles the size and bounds the growth of
the work; whoever finds another kind adds a function to the module of its area, and it is measured like the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tests.growth import bodies, headers

CONSTRUCTIONS: Final[Mapping[str, Callable[[int], bytes]]] = {**bodies.CONSTRUCTIONS, **headers.CONSTRUCTIONS}
