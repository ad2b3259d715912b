#!/bin/sh
# Writes the package-lock.json of this folder anew: versions and hashes, no address of a registry and none of a sponsor.
set -eu
npm install --package-lock-only --silent
node -e '
  const fs = require("fs");
  const lock = JSON.parse(fs.readFileSync("package-lock.json"));
  for (const entry of Object.values(lock.packages)) delete entry.funding;
  fs.writeFileSync("package-lock.json", JSON.stringify(lock, null, 2) + "\n");'
