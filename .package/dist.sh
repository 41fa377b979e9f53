#!/bin/sh
# Makes pso-tools-VERSION-TARGET.tar.gz in TARGET_FOLDER/dist out of binaries that are built: dist.sh TARGET TARGET_FOLDER. The
# same input gives the same bytes: times are those of the last commit, or SOURCE_DATE_EPOCH
# (https://reproducible-builds.org/docs/archives/).
set -eu

target=$1
output=$2
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml)
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
binaries=$output/$target/dist

# The newest version of glibc that a symbol asks for.
needs_glibc() {
    LC_ALL=C readelf --version-info --wide "$binaries"/pso-* 2>/dev/null |
        grep -o 'GLIBC_[0-9][0-9.]*' | sort -uV | tail -n 1 | sed 's/GLIBC_//'
}

name=pso-tools-$version-$target
case $target in
*-musl) libc='static (musl): any Linux of that processor' ;;
*)
    glibc=$(needs_glibc)
    name=$name-glibc$glibc
    libc="glibc $glibc or newer"
    ;;
esac

stage=$output/dist/$name
rm -rf "$stage"
mkdir -p "$stage"
.package/stage.sh "$binaries" "$stage" "" "$output/dist/LICENSES.txt"
cat >"$stage/BUILD" <<END
pso tools $version
target    $target
needs     $libc
compiler  $(rustc --version)
install   cp -r bin share /usr/local/
END
chmod -R u=rwX,go=rX "$stage"
tar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --format=ustar \
    -C "$output/dist" -cf - "$name" | gzip -9n >"$output/dist/$name.tar.gz.new"
mv "$output/dist/$name.tar.gz.new" "$output/dist/$name.tar.gz"
rm -rf "$stage"
(cd "$output/dist" && sha256sum "$name.tar.gz" | tee "$name.tar.gz.sha256")
