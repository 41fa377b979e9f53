#!/bin/sh
# Fetches promtool, which judges OpenMetrics: it comes out of Debian's package into target/prometheus, unless it is on the PATH or
# there already. The package itself is not installed: it is large, and of a server that nobody needs here.
set -eu
cd "$(dirname "$0")/.."
into=${CARGO_TARGET_DIR:-target}/prometheus

if command -v promtool >/dev/null 2>&1 || [ -x "$into/promtool" ]; then
    exit
fi

refuse() {
    echo "promtool is not there, $1; put it on the PATH (it is part of Prometheus), or make that work" >&2
    exit 3
}

for needed in apt-get dpkg-deb; do
    command -v "$needed" >/dev/null || refuse "nor is $needed to fetch it with"
done

download() {
    (cd "$work" && apt-get download -qq prometheus >&2)
}

mkdir -p "$into"
work=$(mktemp -d "$into/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
# A fresh container has no lists of packages.
download 2>/dev/null || { apt-get update -qq >&2 && download; } || refuse 'and apt-get could not fetch the package prometheus'
dpkg-deb -x "$work"/prometheus_*.deb "$work/prometheus"
mv "$work/prometheus/usr/bin/promtool" "$into/promtool"
