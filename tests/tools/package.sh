#!/bin/bash
# package.sh DIR - builds the Debian package from a copy of this tree, so that nothing is left in it, lets lintian judge it, and
# puts the .deb into DIR; fails at lintian's errors and warnings. What it needs: need.sh build package.
set -euo pipefail
root=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../..
mkdir -p "$1"
out=$(readlink -f "$1")
rm -f "$out"/warmpool*.deb
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

mkdir "$copy/warmpool"
tar -C "$root" -c --exclude-vcs --exclude='./build*' --exclude='./obj-*' --exclude=node_modules --exclude=__pycache__ . |
  tar -C "$copy/warmpool" -x --no-same-owner
cd "$copy/warmpool"
if ! dpkg-buildpackage -us -uc -b > "$copy/build.log" 2>&1; then
  tail -n 40 "$copy/build.log"
  exit 1
fi
grep -A 5 'warning:' "$copy/build.log" || true
lintian --allow-root --fail-on error,warning "$copy"/*.changes
cp "$copy"/*.deb "$out"
