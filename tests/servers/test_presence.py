"""Ports for the servers of the tests."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.servers.presence import HIGHEST, LOWEST, free_ports, own_ports


@pytest.mark.parametrize("count", [1, 2, 5, 64])
def test_two_processes_of_a_run_are_given_no_port_in_common(count: int) -> None:
    given = [set(islice(own_ports(number, count), HIGHEST - LOWEST)) for number in range(count)]
    assert sum(map(len, given)) == len(set[int]().union(*given))
    assert min(map(min, given)) >= LOWEST
    assert max(map(max, given)) < HIGHEST


def test_a_port_is_not_given_again_while_its_server_may_be_restarting() -> None:
    assert len({port for _ in range(100) for port in free_ports(5)}) == 500
