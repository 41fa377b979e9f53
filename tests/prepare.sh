#!/bin/sh
# Makes sure that what is not Rust is there for `make demo`, `make test` and `make bench`: installs it with apt-get when
# run as root on Debian, else prints the one command to run.
set -eu

missing=

# need PACKAGE COMMAND...: PACKAGE is missing unless one of the commands can be found.
need() {
    package=$1
    shift
    for command in "$@"; do
        if command -v "$command" >/dev/null 2>&1; then
            return
        fi
    done
    missing="$missing $package"
}

# The server's programs are on nobody's PATH in Debian.
need_postgresql() {
    for server in "${PSO_TEST_PG_BIN:-}" /usr/lib/postgresql/*/bin; do
        if [ -x "$server/postgres" ]; then
            return
        fi
    done
    need postgresql postgres
}

# The other versions of PostgreSQL, the newest or all, come through npm.
need_versions() {
    "$here/pg-versions.sh" --check "$1" || need npm npm
}

# meanwhile FILE LINE...: FILE holds these lines until the end of this script, unless there is such a file.
undo=:
meanwhile() {
    [ ! -e "$1" ] || return 0
    file=$1
    shift
    undo="$undo; rm -f $file"
    mkdir -p "${file%/*}"
    printf '%s\n' "$@" >"$file"
    chmod 755 "$file"
}

install() {
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "installing$missing" >&2
        export DEBIAN_FRONTEND=noninteractive
        # Debian would create a cluster and start what it installs; the tests start servers of their own.
        trap 'eval "$undo"' EXIT
        meanwhile /etc/postgresql-common/createcluster.conf 'create_main_cluster = false'
        meanwhile /usr/sbin/policy-rc.d '#!/bin/sh' 'exit 101 # "forbidden", to invoke-rc.d'
        apt-get update -qq >&2
        # shellcheck disable=SC2086 # a list of packages
        apt-get install -y -qq --no-install-recommends $missing >/dev/null
    else
        echo "these packages are missing; as root, run:  apt-get install --no-install-recommends$missing" >&2
        exit 3
    fi
}

here=$(dirname "$0")
case ${1:-} in
demo | test | test-pg-matrix | bench) ;;
*)
    echo "usage: $0 demo|test|test-pg-matrix|bench" >&2
    exit 3
    ;;
esac

need build-essential cc
need build-essential c++
need_postgresql
case $1 in
test)
    need shellcheck shellcheck
    need systemd systemd-analyze
    need groff groff
    # Debian's reads its templates below /usr/share, so that the program alone would not start.
    need prometheus-alertmanager prometheus-alertmanager alertmanager
    need_versions newest
    ;;
test-pg-matrix)
    need_versions all
    ;;
bench)
    need check-postgres check_postgres
    need hyperfine hyperfine
    need jq jq
    need ripgrep rg
    need time /usr/bin/time
    need zip zip
    ;;
esac

[ -z "$missing" ] || install

case $1 in
test)
    # Without it one can still test all the rest.
    "$here/pg-versions.sh" newest || echo 'the tests that need it will fail' >&2
    "$here/promtool.sh" || echo 'the tests that need it will fail' >&2
    ;;
test-pg-matrix)
    "$here/pg-versions.sh" all
    ;;
esac
