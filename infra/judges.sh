#!/bin/bash
# Tools of other people that judge our log and our documents (tests/independent), each kind in a
# folder of its own: some need a newer Python than the service, one needs Node. Without those, or
# without the packages, their tests are skipped.
set -euo pipefail
skipped() {
  echo "$1: the tests with it will be skipped" >&2
}

python_judges() {
  for python in python3.13 python3.12 python3.14 "$HOME"/.pyenv/versions/3.1[2-9].*/bin/python; do
    "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || continue
    PYTHON=$python infra/venv.sh .venv-judges tests/independent/requirements.txt ||
      skipped "the independent tools could not be installed"
    return
  done
  skipped "no Python from 3.12 on for the independent tools"
}

node_judges() {
  local folder=.venv-judges-node wanted
  command -v npm >/dev/null || { skipped "no npm for AsyncAPI's own parser"; return; }
  mkdir -p .local
  exec 9>.local/venv-judges-node.lock
  flock 9
  wanted=$(cat tests/independent/package*.json infra/judges.sh | sha256sum)
  [ -f "$folder/.stamp" ] && [ "$(cat "$folder/.stamp")" = "$wanted" ] && return
  echo "installing $folder (once)"
  rm -rf "$folder"
  mkdir "$folder"
  cp tests/independent/package*.json "$folder"
  # What is installed runs nothing of its own meanwhile.
  if npm ci --prefix "$folder" --omit=dev --ignore-scripts --no-audit --no-fund --silent 9>&-; then
    echo "$wanted" >"$folder/.stamp"
  else
    skipped "AsyncAPI's own parser could not be installed"
  fi
}

python_judges
node_judges
