#!/bin/sh
# Renews the lock, and runs the tests on other versions than those of the lock:
#
#     requirements/versions.sh renew                        # run.txt and dev.txt: the newest versions of everything
#     requirements/versions.sh newest [pytest arguments]    # ./test with the newest versions, the lock stays
#     requirements/versions.sh lowest [pytest arguments]    # ./test with the lower bounds of pyproject.toml
#
# Made for a scheduled job. `uv` resolves; it is fetched into a temporary folder, as is every environment, so .venv
# stays as it is. `lowest` prefers Python 3.11: older versions of packages have no wheels for newer ones.
set -eu
root="$(dirname "$(dirname "$(readlink -f "$0")")")"
. "$root/setup.sh"
unset POSTROOM_VENV POSTROOM_LOCKS

usage() {
    sed -n 's/^# \{0,1\}//; 2,6p' "$0" >&2
    exit 2
}

fetch_uv() { # fetch_uv PYTHON
    "$1" -m venv "$work/uv"
    "$work/uv/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check uv
}

# these have no wheels for Macs with Intel processors from some version on
intel_mac="sys_platform == 'darwin' and platform_machine == 'x86_64'"
bounds="cryptography<49; $intel_mac
argon2-cffi-bindings<26; $intel_mac"
optional="--extra console --extra ews --extra google --extra logins --extra oidc --extra otel"
extras="--extra dev $optional" # kerberos.txt is apart: gssapi has no wheels for Linux

resolve() { # resolve OUTPUT [uv arguments]: a requirements file with hashes, from wheels alone, build back-end included
    output="$1"
    shift
    cd "$root"
    "$work/uv/bin/python" -c 'import sys, tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], *sys.argv[1:], sep="\n")' "$bounds" |
        TMPDIR="$work" UV_CACHE_DIR="$work/cache" UV_CUSTOM_COMPILE_COMMAND="requirements/versions.sh renew" \
            "$work/uv/bin/uv" pip compile --quiet --no-config --generate-hashes --only-binary :all: --output-file "$output" \
            "$@" pyproject.toml -
}

renew() {
    resolve "$work/dev.txt" --universal --python-version 3.11 $extras
    check_wheels
    mv "$work/dev.txt" "$root/requirements/"
    resolve "$work/run.txt" --universal --python-version 3.11 $optional --constraint requirements/dev.txt
    mv "$work/run.txt" "$root/requirements/"
}

check_wheels() { # every supported Python and platform finds a wheel for every line of the lock
    for version in 3.11 3.12 3.13 3.14; do
        for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28 x86_64-apple-darwin aarch64-apple-darwin; do
            resolve "$work/checked.txt" --no-deps --python-version "$version" --python-platform "$platform" "$work/dev.txt"
        done
    done
}

run_tests() { # run_tests RESOLUTION PYTHON [pytest arguments]
    resolve "$work/dev.txt" --resolution "$1" --python "$2" $extras
    export POSTROOM_VENV="$work/venv" POSTROOM_LOCKS="$work" POSTROOM_PYTHON="$2"
    shift 2
    "$root/test" "$@"
}

action="${1:-}"
[ $# -gt 0 ] && shift
case "$action" in
    renew | newest) python="$(find_python)" ;;
    lowest) python="$(find_python python3.11)" ;;
    *) usage ;;
esac
work="$(mktemp -d "${TMPDIR:-/tmp}/postroom-versions.XXXXXX")"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
fetch_uv "$python"
case "$action" in
    renew) renew ;;
    newest) run_tests highest "$python" "$@" ;;
    lowest) run_tests lowest-direct "$python" "$@" ;;
esac
