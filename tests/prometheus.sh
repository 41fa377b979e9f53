#!/bin/sh
# Fetches what the tests hold the tools against: promtool, which judges OpenMetrics, and a real Alertmanager. They come out of
# Debian's packages into target/prometheus, unless they are on the PATH or there already. The packages themselves are not
# installed: they would start servers.
set -eu
cd "$(dirname "$0")/.."
into=${CARGO_TARGET_DIR:-target}/prometheus

refuse() {
    echo "$1; put it on the PATH (it is part of Prometheus), or make that work" >&2
    exit 3
}

# fetch PROGRAM PACKAGE
fetch() {
    if command -v "$1" >/dev/null 2>&1 || [ -x "$into/$1" ]; then
        return
    fi
    for needed in apt-get dpkg-deb; do
        command -v "$needed" >/dev/null || refuse "$1 is not there, nor is $needed to fetch it with"
    done
    # A fresh container has no lists of packages.
    download "$2" 2>/dev/null || { apt-get update -qq >&2 && download "$2"; } ||
        refuse "$1 is not there, and apt-get could not fetch the package $2"
    dpkg-deb -x "$work/$2"_*.deb "$work/$2"
    mv "$work/$2/usr/bin/$1" "$into/$1"
}

download() {
    (cd "$work" && apt-get download -qq "$1" >&2)
}

mkdir -p "$into"
work=$(mktemp -d "$into/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
fetch promtool prometheus
fetch prometheus-alertmanager prometheus-alertmanager
