# Makes the virtual environment of this checkout in .venv: the exact versions of requirements/*.txt, then Postroom.
# Sourced by ./postroom and ./test. Needs Python 3.11 or newer with venv; nothing is written outside the checkout.
# POSTROOM_PYTHON names the interpreter of a new environment. requirements/versions.sh sets the other two, to test
# other versions elsewhere: POSTROOM_VENV (the environment's folder), POSTROOM_LOCKS (the folder of run.txt, dev.txt).

fingerprint() { # fingerprint LABEL: changes with the lock, the project's metadata, the interpreter and the place
    echo "$venv" "$(readlink -f "$venv/bin/python")" "$(cat "$locks/$1.txt" "$root/pyproject.toml" "$root/setup.sh" | cksum)"
}

ready() { # ready LABEL: the environment exists and fits
    [ -x "$venv/bin/python" ] && [ "$(cat "$venv/$1.ready" 2>/dev/null)" = "$(fingerprint "$1")" ]
}

find_python() { # find_python [CANDIDATE...]: the first that is new enough and complete
    for candidate in "${POSTROOM_PYTHON:-}" "$@" python3 python3.14 python3.13 python3.12 python3.11; do
        [ -n "$candidate" ] || continue
        "$candidate" -c 'import sys, venv, ensurepip, sqlite3; sys.exit(sys.version_info < (3, 11))' 2>/dev/null &&
            { echo "$candidate"; return 0; }
    done
    echo "postroom: needs Python 3.11 or newer with the venv module (Debian: apt-get install python3 python3-venv)" >&2
    return 1
}

await_turn() { # await_turn PYTHON: lets one set-up of this checkout work at a time, by a lock on this script
    exec 9<"$root/setup.sh"
    "$1" -c '
import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("postroom: waiting for another set-up of this checkout", file=sys.stderr, flush=True)
    fcntl.flock(9, fcntl.LOCK_EX)'
}

pip_install() {
    PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip install --quiet "$@" >&2
}

prepare() { # prepare LABEL: "run" for running, "dev" for testing; sets $venv
    venv="${POSTROOM_VENV:-$root/.venv}"
    locks="${POSTROOM_LOCKS:-$root/requirements}"
    serves "$1" && return 0
    python="$(find_python)" || exit 2
    await_turn "$python" || exit 2
    serves "$1" || set_up "$1"
    exec 9<&-
}

serves() { # serves LABEL: what testing needs is more than what running needs
    ready "$1" || { [ "$1" = run ] && ready dev; }
}

set_up() { # set_up LABEL
    echo "postroom: setting up $venv (once, about half a minute)" >&2
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv" || exit 2
    # setuptools, which builds the project, is in the lock: the second command fetches nothing
    pip_install --require-hashes --requirement "$locks/$1.txt" &&
        pip_install --no-deps --no-index --no-build-isolation --editable "$root" ||
        { echo "postroom: pip could not install the packages of $locks/$1.txt" >&2; exit 2; }
    # at a start, reading the sources would take longer than all the rest; some environments forbid Python to keep it
    "$venv/bin/python" -m compileall -q "$root/services" "$root/shared" || true
    fingerprint "$1" >"$venv/$1.ready"
}
