"""`aics-tlog` and its command line: checkpoint and quorum, consistency, inclusion, every tile."""

import contextlib
import io
import json
import sys
from pathlib import Path

from aics_tlog import FileSystemTileReader, audit_tiles, parse_checkpoint, parse_note
from aics_tlog.cli import main

asked = json.load(sys.stdin)
verdicts = {}
for name, folder in asked["folders"].items():
    tiles = ["--tiles", folder, "--vkey-file", asked["key_file"]]
    calls = {
        "checkpoint": ["verify-checkpoint", *tiles, "--policy-file", asked["witness_policy"]],
        "inclusion": ["verify-inclusion", *tiles, "--index", str(asked["index"])],
        "consistency": ["verify-consistency", *tiles, "--old-checkpoint", asked["old_checkpoint"]],
    }
    found = {}
    for what, words in calls.items():
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            found[what] = main(words) == 0
    try:
        note = parse_note((Path(folder) / "checkpoint").read_bytes())
        head = parse_checkpoint(note.text)
        audit_tiles(FileSystemTileReader(folder), head.size, head.root)
        found["tiles"] = True
    except (ValueError, RuntimeError):
        found["tiles"] = False
    verdicts[name] = all(found.values())
json.dump(verdicts, sys.stdout)
