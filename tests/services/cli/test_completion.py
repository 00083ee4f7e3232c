"""Shell completion, set up as docs/operations.md says, in the shells themselves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

PAGE: Final = Path(__file__).parents[3] / "docs" / "operations.md"
COMMANDS: Final = {
    kind: command
    for command, kind in re.findall(r"`((?:mkdir[^`]*)?_POSTROOM_COMPLETE=(\w+)_source [^`]*)`", PAGE.read_text())
}
BASH: Final = """\
. ~/.postroom-complete.bash
for words in "postroom mai" "postroom mails list --outc" "postroom mails list --outcome "; do
  IFS=" " read -ra COMP_WORDS <<<"$words"
  [ "${words% }" = "$words" ] || COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _postroom_completion postroom
  printf "%s\\n" "${COMPREPLY[@]}"
done
"""
ZSH: Final = """\
zmodload zsh/zpty
zpty -b shell zsh -i
zpty -r -m shell shown "*ready>*"
zpty -w -n shell $'postroom mai\\t\\t'
zpty -r -m shell shown "*mails *mail-server *"
print -r -- $shown
zpty -w -n shell $'\\x15postroom mails list --outc\\t'
zpty -r -m shell shown "*--outcome*"
print -r -- $shown
zpty -w -n shell $'\\t'
zpty -r -m shell shown "*in-flight*"
print -r -- $shown
"""
FISH: Final = """\
for words in "postroom mai" "postroom mails list --outc" "postroom mails list --outcome "
  complete -C $words
end
"""
ZSHRC: Final = "PS1='ready> '\nautoload -Uz compinit && compinit\n. ~/.postroom-complete.zsh\n"


@pytest.mark.parametrize(("shell", "script"), [("bash", BASH), ("zsh", ZSH), ("fish", FISH)])
def test_a_shell_completes_commands_options_and_values(tmp_path: Path, shell: str, script: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / ".zshrc").write_text(ZSHRC)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"HOME": str(tmp_path), "PATH": path, "TERM": "dumb", "LANG": "C.UTF-8"}
    done = [
        subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
        for command in (["sh", "-c", COMMANDS[shell]], [shell, "-c", script])
    ]
    assert [each.stderr for each in done] == ["", ""]
    for expected in ("mails", "mail-server", "--outcome", "recorded", "in-flight"):
        assert expected in done[1].stdout
