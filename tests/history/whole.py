"""A whole tree, read back from its files: each tile against the entries, all against the root."""

from chalicelib.history.merkle import Frontier, Unproven, complete_root, leaf_hash
from chalicelib.history.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    decode_entries,
    decode_hashes,
    row,
    tiles_of,
)


def check_tiles(size, root, read):
    """Check all tiles of a tree against its entries, and both against its root.

    Raises:
        Unproven: a tile or an entry is not what was sealed; the message names the place.
    """
    tree = Frontier()
    below = []
    for bundle in tiles_of(ENTRIES, size):
        tile = Tile(0, bundle.number, bundle.width)
        leaves = [leaf_hash(leaf) for leaf in decode_entries(bundle, read(bundle))]
        _same(tile, leaves, read)
        for leaf in leaves:
            tree.add(leaf)
        if bundle.full:
            below.append(complete_root(leaves))
    level = 1
    while row(level, size):
        above = []
        for tile in tiles_of(level, size):
            hashes = below[tile.start : tile.start + tile.width]
            _same(tile, hashes, read)
            if tile.full:
                above.append(complete_root(hashes))
        below, level = above, level + 1
    if tree.root() != root:
        raise Unproven(f"the entries do not have the root that was signed for {size}")


def _same(tile, expected, read):
    held = decode_hashes(tile, read(tile))
    for offset, (one, other) in enumerate(zip(held, expected, strict=True)):
        if one != other:
            # One hash of level L stands for 256**L positions; the first of them is named.
            position = (tile.start + offset) * WIDTH**tile.level + 1
            raise Unproven(f"position {position}: {tile.path} is not what the entries hash to")
