"""A function in a process of its own, forked from one that has imported everything it needs.

Starting Python and importing a broker takes half a second of processor time, more than most children then work. The
process that forks is the standard library's (`multiprocessing`, `forkserver`): it has no threads, and no file or
connection of the tests.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, Final

PRELOADED: Final = ("tests.conformance.child", "shared.embedded.broker", "shared.rabbitmq.broker")
"""Modules that are imported before anything is forked."""


class Child:
    """`main(*words)` of a module; what it prints can be read here."""

    def __init__(self, module: str, words: Sequence[str]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(PRELOADED))
        from_child, to_us = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(to_us, module, list(words)), daemon=True)
        self._process.start()
        to_us.close()
        self._printed = os.fdopen(os.dup(from_child.fileno()), encoding="utf-8")
        from_child.close()

    def report(self) -> Any:
        """The next line of JSON that it prints; None at its end."""
        line = self._printed.readline()
        return json.loads(line) if line else None

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()

    def wait(self) -> int:
        """How it ended: 0, or minus the signal that ended it."""
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    def end(self) -> None:
        """Whatever state it is in."""
        self.kill()
        self.wait()
        self._printed.close()
        self._process.close()


def _work(printed: Connection, module: str, words: Sequence[str]) -> None:
    os.dup2(printed.fileno(), 1)
    importlib.import_module(module).main(*words)
