"""Bookkeeping of publisher confirms."""

from __future__ import annotations

from shared.rabbitmq.confirms import Confirms, PublishVerdict


class Clock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def sent(*names: str, clock: Clock | None = None) -> Confirms[str]:
    """Published in this order; the id is the name, the key its first letter."""
    confirms: Confirms[str] = Confirms(clock or Clock())
    for name in names:
        confirms.sent(name, name, name[0])
    return confirms


def test_one_ack_decides_one_publish() -> None:
    confirms = sent("a1", "a2", "a3")
    assert list(confirms.answered(2, multiple=False, ok=True)) == [("a2", PublishVerdict.CONFIRMED)]
    assert len(confirms) == 2


def test_a_multiple_ack_decides_all_up_to_it_that_still_wait() -> None:
    confirms = sent("a1", "a2", "a3", "a4")
    confirms.answered(2, multiple=False, ok=True)
    assert [work for work, _ in confirms.answered(3, multiple=True, ok=True)] == ["a1", "a3"]
    assert len(confirms) == 1


def test_a_nack_is_a_refusal() -> None:
    assert list(sent("a1", "a2").answered(2, multiple=True, ok=False)) == [
        ("a1", PublishVerdict.REFUSED),
        ("a2", PublishVerdict.REFUSED),
    ]


def test_an_ack_after_a_return_confirms_nothing() -> None:
    confirms = sent("a1", "b1")
    assert confirms.returned("a1", "a") == 1
    assert list(confirms.answered(2, multiple=True, ok=True)) == [
        ("a1", PublishVerdict.RETURNED),
        ("b1", PublishVerdict.CONFIRMED),
    ]


def test_a_return_of_an_id_in_flight_twice_spoils_both_but_not_another_key() -> None:
    confirms: Confirms[str] = Confirms(Clock())
    for work, key in (("first", "filter"), ("second", "filter"), ("third", "notifier")):
        confirms.sent(work, "same", key)
    assert confirms.returned("same", "filter") == 2
    verdicts = dict(confirms.answered(3, multiple=True, ok=True))
    assert verdicts == {
        "first": PublishVerdict.RETURNED,
        "second": PublishVerdict.RETURNED,
        "third": PublishVerdict.CONFIRMED,
    }


def test_an_answer_for_nothing_in_flight_is_nothing() -> None:
    confirms = sent("a1")
    assert not confirms.answered(7, multiple=False, ok=True)
    assert confirms.returned("unknown", "a") == 0
    assert len(confirms) == 1


def test_the_age_is_that_of_the_oldest_and_starts_again_after_a_blockade() -> None:
    clock = Clock()
    confirms = sent("a1", clock=clock)
    clock.now += 5
    confirms.sent("a2", "a2", "a")
    assert confirms.oldest_age() == 5
    confirms.start_again()
    assert confirms.oldest_age() == 0
    confirms.answered(2, multiple=True, ok=True)
    clock.now += 5
    assert confirms.oldest_age() == 0
