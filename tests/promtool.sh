#!/bin/sh
# Fetches promtool, which judges the OpenMetrics in the tests, out of Debian's package prometheus into target/promtool, unless
# it is on the PATH or there already. The package itself is not installed: it would start a server.
set -eu
cd "$(dirname "$0")/.."
into=${CARGO_TARGET_DIR:-target}/promtool

if command -v promtool >/dev/null 2>&1 || [ -x "$into/promtool" ]; then
    exit
fi
refuse() {
    echo "promtool is not there: $1; put it on the PATH (it is part of Prometheus), or make that work" >&2
    exit 3
}
for program in apt-get dpkg-deb; do
    command -v "$program" >/dev/null || refuse "there is no $program to fetch it with"
done
mkdir -p "$into"
work=$(mktemp -d "$into/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
fetch() {
    (cd "$work" && apt-get download -qq prometheus >&2)
}
# A fresh container has no lists of packages.
fetch 2>/dev/null || { apt-get update -qq >&2 && fetch; } || refuse 'apt-get could not fetch the package prometheus'
dpkg-deb -x "$work"/prometheus_*.deb "$work/package"
mv "$work/package/usr/bin/promtool" "$into/promtool"
