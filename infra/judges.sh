#!/bin/bash
# Tools of other people that judge our log (tests/independent), in a virtualenv of their own: some
# need a newer Python than the service. Without one, or without the packages, their tests are skipped.
set -euo pipefail
for python in python3.13 python3.12 python3.14 "$HOME"/.pyenv/versions/3.1[2-9].*/bin/python; do
  "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || continue
  PYTHON=$python infra/venv.sh .venv-judges tests/independent/requirements.txt ||
    echo "the independent tools could not be installed: their tests will be skipped" >&2
  exit 0
done
echo "no Python from 3.12 on: the tests with independent tools will be skipped" >&2
