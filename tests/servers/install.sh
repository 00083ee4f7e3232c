# Installs the servers that tests use, when it may (root, apt). Sourced by ./test and .ci/run, which set $root.

# the versions of tests/servers/rabbitmq_versions.py, each with the release of Debian that has it
rabbitmq_versions="3.10:bookworm 4.0:trixie"
cyrus_beside=/var/cache/postroom-tests/cyrus
courier_beside=/var/cache/postroom-tests/courier
prometheus_beside=/var/cache/postroom-tests/prometheus
courier_packages="courier-imap courier-base courier-authlib libcourier-unicode4 libgamin0 libidn12"

install_servers() {
    missing=""
    [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing="$missing rabbitmq-server"
    [ -x /usr/lib/dovecot/imap ] || missing="$missing dovecot-imapd"
    [ -x /usr/lib/dovecot/pop3 ] || missing="$missing dovecot-pop3d"
    ls /usr/lib/dovecot/modules/auth/*gssapi* >/dev/null 2>&1 || missing="$missing dovecot-gssapi"
    [ -x /usr/sbin/krb5kdc ] || missing="$missing krb5-kdc krb5-admin-server"
    [ -x /usr/bin/krb5-config ] || missing="$missing libkrb5-dev"
    [ -x /usr/sbin/postfix ] || missing="$missing postfix"
    [ -x /usr/lib/cyrus/bin/master ] && [ -x /usr/sbin/saslpasswd2 ] ||
        missing="$missing cyrus-common sasl2-bin libsasl2-modules"
    command -v chromium-headless-shell >/dev/null || missing="$missing chromium-headless-shell"
    install_packages $missing
    # the packages themselves and Dovecot's exclude each other; Cyrus adds one program to cyrus-common
    [ -x "$cyrus_beside/usr/lib/cyrus/bin/imapd" ] || unpack "$cyrus_beside" cyrus-imapd
    [ -x "$courier_beside/usr/bin/imapd" ] || unpack "$courier_beside" $courier_packages
    # Debian's package would start a service; only its two programs are needed
    [ -x "$prometheus_beside/usr/bin/promtool" ] || unpack "$prometheus_beside" prometheus
    for each in $rabbitmq_versions; do
        has_rabbitmq "${each%:*}" || install_rabbitmq "${each%:*}" "${each#*:}"
    done
}

install_gssapi() { # after prepare: it has no wheels for Linux, and is built with a compiler and the headers of Kerberos
    "$venv/bin/python" -c "import gssapi" 2>/dev/null && return 0
    command -v krb5-config >/dev/null && command -v cc >/dev/null &&
        pip_install --require-hashes --requirement "$root/requirements/kerberos.txt" ||
        echo "test: could not build gssapi; its tests are skipped" >&2
}

may_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

install_packages() {
    [ $# = 0 ] && return 0
    if ! may_install; then
        echo "test: not installed, their tests are skipped: $*" >&2
        return 0
    fi
    echo "test: installing $*" >&2
    apt-get update -qq >/dev/null
    # RUNLEVEL=1: the packages must not start services of their own
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
        echo "test: could not install $*; their tests are skipped" >&2
}

unpack() { # unpack FOLDER PACKAGE...: without installing them
    may_install || return 0
    beside="$1"
    shift
    mkdir -p "$beside" && (cd "$beside" && apt-get download -qq "$@" >/dev/null 2>&1 &&
        for each in *.deb; do dpkg -x "$each" . || exit 1; done && rm -- *.deb) ||
        echo "test: could not unpack $*; its tests are skipped" >&2
}

rabbitmq_beside() { # rabbitmq_beside VERSION: where a version goes that this machine's Debian does not have
    echo "/var/cache/postroom-tests/rabbitmq-$1"
}

has_rabbitmq() { # has_rabbitmq VERSION: it is installed, or not wanted
    [ "${POSTROOM_TEST_RABBITMQ:-$1}" = "$1" ] || return 0
    ls -d "/usr/lib/rabbitmq/lib/rabbitmq_server-$1".* >/dev/null 2>&1 ||
        [ -x "$(rabbitmq_beside "$1")/programs/rabbitmq-server" ]
}

install_rabbitmq() { # install_rabbitmq VERSION RELEASE
    if ! may_install; then
        echo "test: not installed, its tests are skipped: RabbitMQ $1" >&2
        return 0
    fi
    [ -x /usr/sbin/debootstrap ] || install_packages debootstrap
    echo "test: installing RabbitMQ $1 of Debian $2 (once, about two minutes)" >&2
    said="$("$root/tests/servers/install_rabbitmq.sh" "$2" "$(rabbitmq_beside "$1")" 2>&1)" || {
        echo "$said" | tail -n 5 >&2
        echo "test: could not install RabbitMQ $1; its tests are skipped" >&2
    }
}
