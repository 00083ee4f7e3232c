"""Libraries that only some logins need: imported when they are used, and named when they are missing."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from shared.contracts.errors import Misconfigured


def required(module: str, extra: str) -> Any:
    """Import a module of an optional extra. Raises `Misconfigured`, which says how to install it."""
    try:
        return import_module(module)
    except ImportError as error:
        library = error.name or module
        raise Misconfigured(
            f"the Python library {library} is not installed; install Postroom with it: pip install 'postroom[{extra}]'"
        ) from error


def is_installed(module: str) -> bool:
    """Whether a module can be imported; it is not imported, but the packages above it are."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package above it is missing
        return False
