"""What a process remembers by key is bounded."""

from __future__ import annotations

from shared.bounded import forget_oldest


def test_what_was_put_in_first_is_forgotten_first() -> None:
    remembered = {"a": 1, "b": 2, "c": 3}
    forget_oldest(remembered, 3)
    assert list(remembered) == ["a", "b", "c"]
    remembered["a"] = remembered.pop("a")
    forget_oldest(remembered, 1)
    assert remembered == {"a": 1}
