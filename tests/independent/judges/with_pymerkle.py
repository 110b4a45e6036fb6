"""`pymerkle`: a tree built anew from the entries has the roots that were signed, at both sizes."""

import base64
import json
import sys
from pathlib import Path

from pymerkle import InmemoryTree, verify_consistency, verify_inclusion

asked = json.load(sys.stdin)


def leaves(folder):
    """The entries of all bundles in order; of partial ones the fullest."""
    bundles = {}
    for path in (Path(folder) / "tile" / "entries").rglob("*"):
        if path.is_file():
            number = path.parent.name.removesuffix(".p") if path.parent.suffix else path.name
            bundles[int(number)] = max(bundles.get(int(number), b""), path.read_bytes(), key=len)
    for _, content in sorted(bundles.items()):
        at = 0
        while at < len(content):
            end = at + 2 + int.from_bytes(content[at : at + 2], "big")
            yield content[at + 2 : end]
            at = end


def signed(path):
    _, size, root, *_ = Path(path).read_text().split("\n")
    return int(size), base64.b64decode(root)


verdicts = {}
for name, folder in asked["folders"].items():
    try:
        tree = InmemoryTree(algorithm="sha256")
        for leaf in leaves(folder):
            tree.append_entry(leaf)
        heads = [signed(Path(folder) / "checkpoint"), signed(asked["old_checkpoint"])]
        (size, root), (old_size, old_root) = heads
        assert [tree.get_state(size), tree.get_state(old_size)] == [root, old_root]
        verify_consistency(old_root, root, tree.prove_consistency(old_size, size))
        index = asked["index"] + 1
        verify_inclusion(tree.get_leaf(index), root, tree.prove_inclusion(index, size))
        verdicts[name] = True
    except Exception as error:  # noqa: BLE001 -- whatever it raises, it does not accept.
        sys.stderr.write(f"{name}: {error!r}\n")
        verdicts[name] = False
json.dump(verdicts, sys.stdout)
