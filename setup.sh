# Makes the virtual environment of this checkout in .venv, once for each state of pyproject.toml.
# Sourced by ./postroom and ./test. Needs Python 3.11 or newer with venv; nothing is written outside the checkout.

ready() { # ready EXTRAS: the environment exists and fits
    [ -x "$root/.venv/bin/python" ] && [ "$(cat "$root/.venv/$1.ready" 2>/dev/null)" = "$(cksum <"$root/pyproject.toml")" ]
}

find_python() {
    for candidate in "${POSTROOM_PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        [ -n "$candidate" ] || continue
        "$candidate" -c 'import sys, venv, ensurepip, sqlite3; sys.exit(sys.version_info < (3, 11))' 2>/dev/null &&
            { echo "$candidate"; return 0; }
    done
    echo "postroom: needs Python 3.11 or newer with the venv module (Debian: apt-get install python3 python3-venv)" >&2
    return 1
}

prepare() { # prepare EXTRAS: "" for running, "dev" for testing
    label="${1:-run}"
    ready "$label" && return 0
    [ "$label" = run ] && ready dev && return 0 # what testing needs is more
    python="$(find_python)" || exit 2
    echo "postroom: setting up .venv (once, about half a minute)" >&2
    [ -x "$root/.venv/bin/python" ] || "$python" -m venv "$root/.venv" || exit 2
    PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 "$root/.venv/bin/python" -m pip install --quiet \
        --editable "$root${1:+[$1]}" >&2 || { echo "postroom: pip could not install the packages" >&2; exit 2; }
    cksum <"$root/pyproject.toml" >"$root/.venv/$label.ready"
}
