"""Making the next item while the one before is worked on."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from traceback import walk_stack

import pytest

from shared.read_ahead import one_ahead
from tests.servers.presence import PATIENCE_SECONDS


def test_the_next_item_is_made_while_one_is_worked_on() -> None:
    made = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for number, each in enumerate(made):
            each.set()
            yield number

    seen = []
    for number in one_ahead(items()):
        assert number == len(made) - 1 or made[number + 1].wait(PATIENCE_SECONDS)
        seen.append(number)
    assert seen == [0, 1, 2]


def test_an_error_comes_where_it_would_have_come() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise LookupError("the second")

    ahead = one_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(LookupError, match="the second"):
        next(ahead)


def test_who_stops_early_makes_one_item_too_many_at_most() -> None:
    made = []
    for number in one_ahead(number for number in range(9) if made.append(number) is None):
        if number == 3:
            break
    assert made in ([0, 1, 2, 3], [0, 1, 2, 3, 4])


def test_who_stops_early_does_not_wait_for_the_item_that_is_being_made() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 1
        begun.set()
        may_end.wait(PATIENCE_SECONDS)
        yield 2

    ahead = one_ahead(items())
    assert next(ahead) == 1
    assert begun.wait(PATIENCE_SECONDS)
    ahead.close()  # type: ignore[attr-defined]
    (thread,) = (each for each in threading.enumerate() if each.name == "read-ahead")
    may_end.set()
    thread.join()


def test_an_interrupt_that_does_not_wake_the_waiting_thread_ends_it_nevertheless() -> None:
    """As one that arrives just before the thread begins to wait; here the other thread gets the signal."""
    may_end, ended = threading.Event(), list[bool]()
    main = threading.main_thread().ident
    assert main is not None

    def items() -> Iterator[int]:
        yield 1
        while "join" not in (frame.f_code.co_name for frame, _ in walk_stack(sys._current_frames()[main])):
            time.sleep(0.001)
        time.sleep(0.05)  # from the call of join until it waits
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        ended.append(may_end.wait(PATIENCE_SECONDS))
        yield 2

    ahead = one_ahead(items())
    with pytest.raises(KeyboardInterrupt):
        list(ahead)
    assert ended == []
    may_end.set()
