#!/bin/sh
# Prints the target that a package is built for: static with musl where this machine can do that, else its own.
set -eu

host=$(rustc -vV | sed -n 's/^host: //p')
static=$(echo "$host" | sed 's/-gnu$/-musl/')
# SQLite, zstd and ring are C, and Debian's musl-gcc compiles C for its own processor.
if [ "$static" != "$host" ] && command -v musl-gcc >/dev/null &&
    [ -d "$(rustc --print sysroot)/lib/rustlib/$static/lib" ]; then
    echo "$static"
else
    echo "$host"
fi
