"""`postroom doctor`: is everything reachable, is the configuration complete, is every mail accounted for?

The exit code is 1 when there is a problem. `services/operator/health/doctor.py` has the checks and their severities.
"""

from __future__ import annotations

import click

from services.cli import logs, output
from services.cli.base import PROBLEM, Command, location
from services.operator.health.doctor import examine, is_healthy
from services.operator.view import values_of


@click.command(cls=Command)
def doctor() -> int:
    """Is everything reachable, is the configuration complete, is every mail accounted for?"""
    logs.start_for_command()
    with output.watching("checking"):
        findings = examine(location())
    for each in findings:
        facts = values_of(each, ("check", "status", "message", "name"))
        output.result(facts, f"{each.status.ljust(7)}  {each.check.ljust(13)}  {each.message}")
    return 0 if is_healthy(findings) else PROBLEM
