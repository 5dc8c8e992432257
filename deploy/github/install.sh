#!/usr/bin/env bash
# Installs `releases` of this checkout, with hashed requirements, into an environment of its own.
# Usage: install.sh DIRECTORY. One that has it already is left as it is.
set -euo pipefail

directory=${1:?usage: install.sh DIRECTORY}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

if [[ -x "$directory/bin/releases" ]]; then
  exit 0
fi
python3 - <<'CHECK'
import sys
if sys.version_info < (3, 11):
    sys.exit(f"releases needs Python 3.11 or newer, and this is {sys.version.split()[0]}: "
             "use actions/setup-python before this step")
CHECK
python3 -m venv "$directory"
pip=("$directory/bin/python" -m pip --quiet --disable-pip-version-check install --no-compile)
"${pip[@]}" --require-hashes -r "$root/requirements/runtime.txt" -r "$root/requirements/build.txt"
"${pip[@]}" --no-deps --no-build-isolation "$root"
