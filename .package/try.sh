#!/bin/sh
# Installs the packages that `make dist` and `make deb` have made in a fresh Debian, tries what they bring, removes them, and
# looks that nothing stays: try.sh TARGET_FOLDER. Needs root and debootstrap; what it makes is gone when it ends.
set -eu

output=$1
cd "$(dirname "$0")/.."
suite=bookworm

fail() {
    echo "package: $1" >&2
    exit 1
}

if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null; then
    echo 'a fresh root needs root, and debootstrap; run:  apt-get install debootstrap' >&2
    exit 3
fi
# newest FOLDER PATTERN: the file that was made last.
newest() {
    found=$(find "$1" -maxdepth 1 -name "$2" -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-)
    [ -n "$found" ] || fail "there is no $2 in $1: run make dist and make deb"
    echo "$found"
}
deb=$(newest "$output/debian" 'pso-tools_*.deb')
archive=$(newest "$output/dist" 'pso-tools-*.tar.gz')

# Where this machine gets its packages from.
mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
root=$(mktemp -d "${TMPDIR:-/tmp}/pso-package.XXXXXX")
trap 'rm -rf --one-file-system "$root"' EXIT
# man-db works as a user of its own.
chmod 755 "$root"
trap 'exit 129' HUP INT TERM
debootstrap --variant=minbase --include=man-db $suite "$root" "${mirror:-http://deb.debian.org/debian}" >"$root.log" 2>&1 ||
    { tail -n 5 "$root.log" >&2; rm -f "$root.log"; fail 'debootstrap made no root'; }
rm -f "$root.log"

# inside COMMAND...: in the fresh root, with nothing of this one's environment.
inside() {
    env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 chroot "$root" "$@"
}

# All that is there, but for what dpkg and man-db keep of their own.
listed() {
    (cd "$root" && find . -xdev ! -path './var/lib/dpkg/*' ! -path './var/cache/man/*' ! -path './var/log/*' \
        ! -path './root*' | LC_ALL=C sort)
}

# try PREFIX: everything that is installed there does what it is for.
try() {
    for folder in tools/pso-*; do
        tool=${folder##*/}
        inside "$tool" --version | grep -q "^$tool [0-9]" || fail "$tool does not say its version"
        inside "$tool" --help | grep -q '^Usage:' || fail "$tool has no help"
        page=$(inside man -w "$tool") || fail "$tool has no manual page"
        # /usr/local/man is a link to the other.
        page=$(inside readlink -f "$page")
        [ "$page" = "$1/share/man/man1/$tool.1.gz" ] || fail "the manual page of $tool is $page"
        inside lexgrog "$page" | grep -q "\"$tool - " || fail "the manual page of $tool has no name that whatis finds"
        inside bash -c ". $1/share/bash-completion/completions/$tool && complete -p $tool" >/dev/null ||
            fail "$tool completes nothing in bash"
    done
    for script in scripts/*.sh; do
        [ "$script" != scripts/lib.sh ] || continue
        inside "$1/share/pso/$script" --help | grep -qi '^usage' || fail "$script has no usage"
    done

    examples=$1/share/doc/pso-tools/examples
    inside pso-health --config "$examples/config.example.yaml" --print-config >/dev/null || fail 'the example configuration'

    # Nothing is up here: a critical record for each part is the right answer, from a configuration of a few lines.
    inside mkdir -p /root/planning/config /root/planning/logs
    cat >"$root/root/planning/config/config.yaml" <<'END'
maintenance:
  service: {url: "http://127.0.0.1:9"}
  postgres: {host: 127.0.0.1, port: 9, user: sync_user}
  qdrant: {url: "http://127.0.0.1:9"}
END
    code=0
    inside sh -c 'cd /root/planning && pso-health' >"$root/root/health.jsonl" || code=$?
    [ $code -eq 2 ] || fail "pso-health of what is down ends with $code"
    for part in service postgres qdrant; do
        grep -q "\"severity\":\"critical\",\"name\":\"$part\"" "$root/root/health.jsonl" ||
            fail "pso-health does not say that $part is down"
    done
}

listed >"$root/root/before"
cp "$deb" "$root/root/pso-tools.deb"
inside dpkg --install /root/pso-tools.deb >/dev/null || fail 'dpkg does not install it'
try /usr
inside dpkg --verify pso-tools || fail 'what is installed is not what the package says'
inside dpkg --purge pso-tools >/dev/null || fail 'dpkg does not remove it'
listed | diff "$root/root/before" - >&2 || fail 'the lines above stay, or went, with the Debian package'
echo "${deb##*/}: installed, tried, removed"

tar -C "$root/root" -xzf "$archive"
inside sh -c 'cd /root/pso-tools-*/ && cp -r bin share /usr/local/'
try /usr/local
echo "${archive##*/}: unpacked, tried"
