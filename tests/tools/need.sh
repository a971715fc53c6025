#!/bin/bash
# need.sh GROUP... - installs with apt what is missing of the packages below, and says nothing when all is there.
# The one list of Debian packages that building, the demonstration and the tests need. A row COMMAND:PACKAGE is
# satisfied by a command of that name from anywhere, because some machines have it from elsewhere than Debian.
set -euo pipefail

declare -A groups=(
  [build]="gcc libc6-dev meson ninja-build pkg-config libevent-dev libssl-dev libc-ares-dev libyaml-dev libjansson-dev libevhtp-dev libonig-dev libsystemd-dev ca-certificates"
  [demo]="python3 openssl iproute2 util-linux"
  [test]="check python3-pytest python3-pytest-timeout python3-pytest-xdist python3-requests python3-aiohttp python3-yaml
          curl:curl valgrind strace node:nodejs npm:npm procps systemctl:systemd ip:iproute2 unshare:util-linux haproxy:haproxy
          promtool:prometheus"
  [browser]="chromium:chromium"
  [pictures]="chromium:chromium pngquant:pngquant"
  [fuzz]="clang libclang-rt-14-dev"
  [static]="clang clang-tidy clang-tools"
  [coverage]="gcovr"
  [package]="build-essential debhelper lintian man:man-db systemd"
  [bench]="python3 openssl nginx haproxy wrk valgrind strace"
)

# Of these packages the tests want the program alone: the service that comes along neither starts now nor at the next boot.
services=(haproxy prometheus)
policy=/usr/sbin/policy-rc.d # asked by Debian's packages before they start a service

missing() {
  local row
  for row in "$@"; do
    if [[ $row == *:* ]] && command -v "${row%%:*}" > /dev/null; then
      continue
    fi
    if [[ $(dpkg-query -W -f '${db:Status-Status}' "${row##*:}" 2> /dev/null) != installed ]]; then
      echo "${row##*:}"
    fi
  done
}

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo > /dev/null; then
    sudo "$@"
  else
    echo "need.sh: run this as root, or install sudo: $*" >&2
    return 1
  fi
}

can_install() {
  apt-get install --simulate --no-install-recommends "$@" > /dev/null 2>&1
}

install() {
  # The lists of packages are fetched only when those at hand do not do.
  if ! can_install "$@" || ! quietly install "$@"; then
    quietly update && quietly install "$@"
  fi
}

quietly() {
  local verb=$1
  shift
  as_root env DEBIAN_FRONTEND=noninteractive apt-get "$verb" ${1:+--yes --no-install-recommends} \
    -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 \
    -o Acquire::Retries=3 "$@" < /dev/null > "$log" 2>&1
}

forbid_services() {
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' | as_root /usr/bin/install -m 755 /dev/stdin "$policy"
    is_policy_ours=1
  fi
}

disable_services() {
  local service
  for service in "${services[@]}"; do
    if [[ " ${wanted[*]} " == *" $service "* ]] && command -v systemctl > /dev/null; then
      as_root systemctl disable "$service.service" > "$log" 2>&1 || true
    fi
  done
}

clean() {
  rm -f "$log"
  if [[ -n ${is_policy_ours:-} ]]; then
    as_root rm -f "$policy"
  fi
}

main() {
  local group rows=()
  for group in "$@"; do
    read -r -d '' -a words <<< "${groups[$group]:?no such group: $group}" || true
    rows+=("${words[@]}")
  done
  mapfile -t wanted < <(missing "${rows[@]}")
  if [[ ${#wanted[@]} == 0 ]]; then
    return
  fi
  if ! command -v apt-get > /dev/null; then
    echo "These Debian packages, or what they are called here, must be installed first: ${wanted[*]}" >&2
    return 1
  fi
  echo "Installing with apt: ${wanted[*]}"
  log=$(mktemp)
  trap clean EXIT
  forbid_services
  if ! install "${wanted[@]}"; then
    cat "$log" >&2
    echo "need.sh: apt could not install: ${wanted[*]}" >&2
    return 1
  fi
  disable_services
}

main "$@"
