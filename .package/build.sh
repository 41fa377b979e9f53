#!/bin/sh
# Builds tools for a package: build.sh TARGET PACKAGE... With the same sources and the same compilers the same bytes come
# out, wherever the sources, cargo's folder and the target folder are: their paths are the one thing that would differ
# (panic messages have them; so has C's __FILE__). https://reproducible-builds.org/docs/build-path/
set -eu

target=$1
shift
cd "$(dirname "$0")/.."
sources=$(pwd)
cargo_home=${CARGO_HOME:-$HOME/.cargo}
output=${CARGO_TARGET_DIR:-$sources/target}
case $output in
/*) ;;
*) output=$sources/$output ;;
esac

# The last one that fits is used, and the target folder may lie in the sources' or in cargo's.
c=
separator=$(printf '\037')
rust=
for map in "$cargo_home=/cargo" "$sources=/pso" "$output=/target"; do
    # shellcheck disable=SC2089 # the cc crate takes them for quotes
    c="$c '-ffile-prefix-map=$map'"
    rust="$rust${rust:+$separator}--remap-path-prefix=$map"
done
# This form, unlike RUSTFLAGS, takes a space in a path.
CARGO_ENCODED_RUSTFLAGS=$rust
CFLAGS="${CFLAGS:-}$c"
CXXFLAGS="${CXXFLAGS:-}$c"
# Flags are then words as a shell has them; else a space in a path would end one.
CC_SHELL_ESCAPED_FLAGS=1
# shellcheck disable=SC2090
export CARGO_ENCODED_RUSTFLAGS CFLAGS CXXFLAGS CC_SHELL_ESCAPED_FLAGS
case $target in
*-musl)
    name=$(echo "$target" | tr - _)
    export "CC_$name=${MUSL_CC:-musl-gcc}"
    ;;
esac

for package; do
    set -- "$@" -p "$package"
    shift
done
exec "${CARGO:-cargo}" build --locked --profile dist --target "$target" "$@"
