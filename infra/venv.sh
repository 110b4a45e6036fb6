#!/bin/bash
# A virtualenv with exactly the requirements asked for: infra/venv.sh FOLDER REQUIREMENTS...
# Nothing happens when it is up to date; two at once wait for each other. PYTHON may name another
# Python than the 3.11 that the service runs on.
set -euo pipefail
folder=$1
shift
python=${PYTHON:-$(command -v python3.11 || command -v python3 || true)}
if [ -z "${PYTHON:-}" ] && ! "${python:-false}" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
  echo "Python 3.11 is needed and was not found: install python3.11 with its venv module." >&2
  exit 1
fi
mkdir -p .local
exec 9>".local/venv${folder//\//-}.lock"
flock 9
wanted=$(cat "$@" infra/venv.sh | sha256sum)
[ -f "$folder/.stamp" ] && [ "$(cat "$folder/.stamp")" = "$wanted" ] && exit 0
echo "installing $folder (once)"
rm -rf "$folder"
"$python" -m venv "$folder"
# Most modules are never imported: Python compiles those that are. The lock is not inherited: it must
# not outlive this script in some child.
"$folder/bin/python" -m pip install -qq --no-compile --disable-pip-version-check --no-input "${@/#/-r}" 9>&-
echo "$wanted" >"$folder/.stamp"
