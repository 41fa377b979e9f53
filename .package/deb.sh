#!/bin/sh
# Makes the Debian package in TARGET_FOLDER/debian out of binaries that are built: deb.sh TARGET TARGET_FOLDER. What is in it
# stands in common/Cargo.toml, below package.metadata.deb.
set -eu

target=$1
output=$2
cd "$(dirname "$0")/.."
command -v cargo-deb >/dev/null || {
    echo 'cargo-deb is missing; run:  cargo install --locked cargo-deb' >&2
    exit 3
}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

# cargo-deb reads the tree from the place that its assets name.
stage=target/deb
rm -rf "$stage"
.package/stage.sh "$output/$target/dist" "$stage" /usr "$output/dist/LICENSES.txt"
# Debian's zsh looks here.
mv "$stage/usr/share/zsh/site-functions" "$stage/usr/share/zsh/vendor-completions"
cargo-deb --quiet --package pso-common --no-build --no-strip --no-dbgsym --output "$output/debian/"
rm -rf "$stage"
