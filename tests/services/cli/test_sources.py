"""What a person names on the command line."""

from __future__ import annotations

import os
from pathlib import Path

from services.cli import sources


def test_only_files_and_folders_are_at_hand(tmp_path: Path) -> None:
    """A thread that reads a pipe ahead may take what nobody asks for any more, and that cannot be read again."""
    mail, pipe = tmp_path / "mail.eml", tmp_path / "pipe"
    mail.write_bytes(b"Subject: x\n\n")
    os.mkfifo(pipe)
    assert sources.is_at_hand(str(mail))
    assert sources.is_at_hand(str(tmp_path))
    assert not sources.is_at_hand(str(pipe))
    assert not sources.is_at_hand(sources.STANDARD_INPUT)
