#!/bin/sh
# Puts everything that a package has below a folder: stage.sh BINARIES ROOT PREFIX LICENCES. ROOT is the folder (DESTDIR),
# PREFIX where things are in the end. The layout is that of hier(7) and of each shell.
set -eu
# The folders are for all users, also where root's umask is 077.
umask 022

binaries=$1
root=$2
prefix=$3
licences=$4
cd "$(dirname "$0")/.."

share=$root$prefix/share
documentation=$share/doc/pso-tools

# put MODE FILE FOLDER [NAME]
put() {
    mkdir -p "$3"
    install -m "$1" "$2" "$3/${4:-${2##*/}}"
}

# generate TOOL KIND FOLDER NAME: what the tool makes of its own flags.
generate() {
    mkdir -p "$3"
    "$binaries/$1" --generate "$2" >"$3/$4"
    chmod 0644 "$3/$4"
}

for folder in tools/pso-*; do
    tool=${folder##*/}
    put 0755 "$binaries/$tool" "$root$prefix/bin"
    generate "$tool" man "$share/man/man1" "$tool.1"
    gzip -9nf "$share/man/man1/$tool.1"
    generate "$tool" bash "$share/bash-completion/completions" "$tool"
    generate "$tool" zsh "$share/zsh/site-functions" "_$tool"
    generate "$tool" fish "$share/fish/vendor_completions.d" "$tool.fish"
    generate "$tool" powershell "$share/pso/completions" "$tool.ps1"
done

# Scripts and what they share; a `.sh` or `.ps1` that is no program is as harmless executable as not.
find scripts -type f ! -path 'scripts/examples/*' | LC_ALL=C sort | while read -r file; do
    folder=$share/pso/${file%/*}
    case $file in
    *.sh | *.ps1) put 0755 "$file" "$folder" ;;
    *) put 0644 "$file" "$folder" ;;
    esac
done

# The schedules name the scripts and the tools where `make install` puts them; so does the tar.gz, which is for /usr/local.
case $prefix in
'' | /usr/local) ;;
*)
    for file in "$share"/pso/scripts/schedule/crontab "$share"/pso/scripts/schedule/systemd/*.service; do
        sed -i -e "s|/usr/local/share/pso/|$prefix/share/pso/|" \
            -e "s|PATH=/usr/local/bin:|PATH=$prefix/bin:/usr/local/bin:|" "$file"
    done
    ;;
esac

for file in README.md CHANGELOG.md LICENSE; do
    put 0644 "$file" "$documentation"
done
put 0644 "$licences" "$documentation" LICENSES.txt
for file in scripts/examples/*.yaml; do
    put 0644 "$file" "$documentation/examples"
done
put 0644 tools/pso-alert/src/examples.yaml "$documentation/examples" channels.example.yaml
