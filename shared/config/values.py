"""Values of the configuration that are more than text or a number: scalars of any kind, and references to secrets."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

Scalar = str | int | float | bool | None
"""A value that a template, a quick action or a condition can hold."""

ENVIRONMENT_REFERENCE: Final = lazy_compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
FILE_REFERENCE: Final = "file:"
MAX_SECRET_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is kept: `${ENV_NAME}` or `file:path`. The value itself is never held here."""

    reference: str

    def __post_init__(self) -> None:
        """Refuse a secret in clear text, so that no repr, document or export can ever show one."""
        if not (ENVIRONMENT_REFERENCE.fullmatch(self.reference) or self.file):
            raise Misconfigured("a secret is written as ${ENV_NAME} or file:path, never as its value")

    @property
    def variable(self) -> str | None:
        """The name of the environment variable, when it is one."""
        found = ENVIRONMENT_REFERENCE.fullmatch(self.reference)
        return found[1] if found else None

    @property
    def file(self) -> str | None:
        """The path as written, when it is a file."""
        return self.reference.removeprefix(FILE_REFERENCE) if self.reference.startswith(FILE_REFERENCE) else None

    def reveal(self, base: Path = Path(), environ: Mapping[str, str] = os.environ) -> str:
        """The value. A relative file starts at `base`; one trailing line break is not part of the secret.

        Raises `Misconfigured`, which names the variable or the file, when there is no value.
        """
        if self.variable is not None:
            return _from_environment(self.variable, environ)
        return _from_file(base / (self.file or ""))


def _from_environment(variable: str, environ: Mapping[str, str]) -> str:
    if value := environ.get(variable):
        return value
    raise Misconfigured(f"the environment variable {variable} is not set; it holds a secret that is needed")


def _content_of(path: Path) -> bytes:
    """The bytes of a regular file; a pipe or a device, which may have no end, is not read. Raises `Misconfigured`."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Misconfigured(f"the secret file {path} is not a regular file")
        content = file.read(MAX_SECRET_BYTES + 1)
    if len(content) > MAX_SECRET_BYTES:
        raise Misconfigured(f"the secret file {path} is larger than {MAX_SECRET_BYTES} bytes, the limit for a secret")
    return content


def _from_file(path: Path) -> str:
    try:
        value = _content_of(path).decode("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
        raise Misconfigured(f"the secret file {path} cannot be read: {reason}") from None
    if not value:
        raise Misconfigured(f"the secret file {path} is empty")
    return value
