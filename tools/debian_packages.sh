#!/bin/sh
# Installs the Debian packages whose programs the tests start, where it may: as root, or by sudo without a password.
#
#   debian_packages.sh PACKAGE:FILE ...     FILE (a pattern is fine) is there when PACKAGE is installed
#
# Silent when nothing is missing. Never fails: without a package, the tests that need it say so in one line.
set -u

missing=
for pair in "$@"; do
  # shellcheck disable=SC2086 # the pattern is meant to be filled in
  ls -d ${pair#*:} >/dev/null 2>&1 || missing="$missing ${pair%%:*}"
done
[ -n "$missing" ] || exit 0

give_up() {
  echo "$1: the tests that need$missing will fail; Debian and Ubuntu: apt install$missing"
  exit 0
}

apt() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 \
    -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 "$@" >/dev/null
}

command -v apt-get >/dev/null || give_up "This system has no apt-get"
as_root=
if [ "$(id -u)" != 0 ]; then
  as_root="sudo -n"
  $as_root true 2>/dev/null || give_up "Only root may install packages"
fi

echo "Installing the Debian packages that tests need:$missing ..."
# The lists of packages are fetched only where those at hand do not do.
# shellcheck disable=SC2086 # one word per package
apt install --no-install-recommends --no-upgrade $missing 2>/dev/null || {
  apt update && apt install --no-install-recommends --no-upgrade $missing
} || give_up "The installation failed"
