"""The parser process with faults planted: a mail says in a header of its own what it does to whoever reads it.

`plants.parser_process` puts this module's `main` in the place of the product's.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from services.parser import child, frames, mime

FAULT = b"X-Fault: "


def main(parent: int) -> None:
    """The product's, with our `mime.read`."""
    child.mime.read = read  # type: ignore[assignment]
    child.main(parent)


def read(raw: bytes, *args: Any, **keys: Any) -> mime.Reading:
    """Do what the mail says, then read it."""
    _, found, after = raw.partition(FAULT)
    if found:
        name, *words = after.split(b"\r\n", 1)[0].decode().split()
        FAULTS[name](*words)
    return original(raw, *args, **keys)


original = mime.read


def wait(signpost: str) -> None:
    """Says that it is busy, and goes on when it may."""
    Path(f"{signpost}.busy").touch()
    while not Path(signpost).exists():
        time.sleep(0.01)


def spin() -> NoReturn:
    """Takes processor time for ever."""
    while True:
        pass


def eat() -> None:
    """Takes memory for ever."""
    eaten = [bytes(1)]
    while True:
        eaten.append(b"x" * (len(eaten[-1]) + (1 << 20)))


def segfault() -> None:
    """Reads where nothing is."""
    ctypes.string_at(0)


def die_of_memory() -> None:
    """As a library in Rust does when an allocation fails."""
    sys.stderr.write("memory allocation of 123456 bytes failed\n")
    sys.stderr.flush()
    os.abort()


def lie() -> None:
    """An invalid answer."""
    said = b'{"mail": {"subject": 1}, "sizes": []}'
    frames.frame = lambda *_: (frames.HEAD.pack(len(said), 0), said)


def promise() -> None:
    """An answer larger than any memory."""
    frames.frame = lambda *_: (frames.HEAD.pack(1 << 60, 0),)


def raise_() -> None:
    """A bug."""
    raise KeyError("no such thing")


def recurse() -> None:
    """Deeper than Python goes."""
    recurse()


def chatter() -> None:
    """Prints where the answers go."""
    sys.stdout.write("hello " * 1000)
    sys.stdout.flush()
    os.write(1, b"\0" * 5000)


FAULTS: dict[str, Callable[..., None]] = {
    "wait": wait,
    "spin": spin,
    "eat": eat,
    "abort": os.abort,
    "segfault": segfault,
    "die-of-memory": die_of_memory,
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda: os._exit(3),
    "sleep": lambda: time.sleep(600),
    "raise": raise_,
    "recurse": recurse,
    "lie": lie,
    "promise": promise,
    "chatter": chatter,
    "term": lambda: os.kill(os.getpid(), signal.SIGTERM),
}
