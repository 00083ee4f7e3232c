"""The version of Postroom that is installed."""

from __future__ import annotations

from functools import cache


@cache
def version() -> str:
    """Its version, such as `0.1.0`; `unknown` where it runs without being installed."""
    from importlib import metadata

    try:
        return metadata.version("postroom")
    except metadata.PackageNotFoundError:
        return "unknown"
