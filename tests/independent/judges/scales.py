"""`tlog-scales`: log's and witness's signatures, the root from tiles, consistency, inclusion."""

import json
import sys
from pathlib import Path

from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tiles import leaf_hash
from tlog_scales.tlog import Checkpoint

asked = json.load(sys.stdin)
old = Checkpoint.from_text(Path(asked["old_checkpoint"]).read_text())
verdicts = {}
for name, folder in asked["folders"].items():
    try:
        reader = TilesReader(LocalBackend(Path(folder)))
        head = reader.get_checkpoint()
        for key in (asked["key"], *asked["witnesses"]):
            head.verify(Vkey.from_string(key))
        assert reader.calculate_root_hash() == head.root_hash
        reader.get_consistency_proof(old.size, head.size).check(old.root_hash, head.root_hash)
        for index in (0, asked["index"], head.size - 1):
            leaf = leaf_hash(reader.get_entry(index))
            reader.get_inclusion_proof(index, head.size).check(leaf, head.root_hash)
        verdicts[name] = True
    except Exception as error:  # noqa: BLE001 -- whatever it raises, it does not accept.
        sys.stderr.write(f"{name}: {error!r}\n")
        verdicts[name] = False
json.dump(verdicts, sys.stdout)
