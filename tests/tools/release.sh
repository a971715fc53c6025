#!/bin/bash
# tests/tools/release.sh - builds build/release as it is packaged: optimized, with link-time optimization. Says nothing unless it fails.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."

directory=build/release
log=$directory.log
mkdir -p build
if ! { [[ -f $directory/build.ninja ]] || meson setup "$directory" --buildtype=release -Db_lto=true -Dtests=false; } > "$log" 2>&1 < /dev/null ||
  ! ninja -C "$directory" >> "$log" 2>&1 < /dev/null; then
  tail -n 40 "$log" >&2
  exit 1
fi
