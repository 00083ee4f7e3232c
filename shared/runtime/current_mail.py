"""The id of the mail that this thread works on, so that every log line about it can name it; empty when there is none.

A worker sets it for each delivery, the parser as soon as it knows the id. Only log lines read it, no decision does.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

current_mail: Final[ContextVar[str]] = ContextVar("current_mail", default="")
