#!/bin/sh
# Takes away what stage.sh has put there: unstage.sh ROOT PREFIX. Nothing of a deployment lies in these places.
set -eu

prefix=$1$2
cd "$(dirname "$0")/.."

for folder in tools/pso-*; do
    tool=${folder##*/}
    rm -f "$prefix/bin/$tool" "$prefix/share/man/man1/$tool.1.gz" \
        "$prefix/share/bash-completion/completions/$tool" "$prefix/share/zsh/site-functions/_$tool" \
        "$prefix/share/fish/vendor_completions.d/$tool.fish"
done
rm -rf "$prefix/share/pso" "$prefix/share/doc/pso-tools"
