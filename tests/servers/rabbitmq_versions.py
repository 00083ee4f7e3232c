"""Which versions of RabbitMQ the tests run on, and where their programs are.

`POSTROOM_TEST_RABBITMQ` names a single version, or the folder of its programs. Separate from the nodes, because the
children of the conformance tests read it and need no pytest.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

CHOICE = os.environ.get("POSTROOM_TEST_RABBITMQ", "")
VERSIONS = (CHOICE,) if CHOICE else ("3.10", "4.0")
"""Version numbers, or one folder of programs; `./test` installs them."""
SYSTEM = Path("/usr/lib/rabbitmq/bin")
"""The scripts themselves: the ones on the PATH of Debian switch to the user `rabbitmq`."""
BESIDE = Path("/var/cache/postroom-tests")
"""Where `install_rabbitmq.sh` puts the versions that this machine's Debian does not have."""


def newest() -> str:
    """The newest version that can be started here, or else that could be if it were installed."""
    return next((version for version in reversed(VERSIONS) if not missing(version)), VERSIONS[-1])


def programs_of(version: str) -> Path:
    """The folder with the programs of a version; they may not be there."""
    if "/" in version:
        return Path(version)
    of_this_machine = any(SYSTEM.parent.glob(f"lib/rabbitmq_server-{version}.*"))
    return SYSTEM if of_this_machine else BESIDE / f"rabbitmq-{version}" / "programs"


def missing(version: str) -> str | None:
    """Why no node of this version can be started here, or None."""
    programs = programs_of(version)
    if not (programs / "rabbitmq-server").exists():
        return f"RabbitMQ {version} is not installed ({programs} has no rabbitmq-server)"
    if not epmd_of(programs):
        return "epmd (Erlang) is not installed"
    if programs.is_relative_to(BESIDE) and os.geteuid() != 0:
        return f"RabbitMQ {version} in {BESIDE} can be started as root only"
    return None


def epmd_of(programs: Path) -> str | None:
    """Erlang's port mapper: that of the same installation, or any on the PATH; they are compatible."""
    return shutil.which("epmd", path=str(programs)) or shutil.which("epmd")
