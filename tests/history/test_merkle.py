"""The tree and its proofs, against the definitions of RFC 6962 and against tampering."""

from itertools import pairwise

import pytest
from history import rfc6962
from history.whole import check_tiles
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.history.merkle import (
    EMPTY_ROOT,
    Frontier,
    Unproven,
    check_consistency,
    check_inclusion,
    leaf_hash,
)
from chalicelib.history.proof import Tree
from chalicelib.history.tiles import ENTRIES, Tile, all_tiles, grow, parse_path, row

LEAVES = [b"leaf %d" % number for number in range(700)]


def built(size, *steps):
    """The tiles of a tree that grew in `steps`, and its peaks."""
    tiles, edges, at = {}, {}, 0
    for step in (*sorted(steps), size):
        growth = grow(at, edges, LEAVES[at:step])
        tiles |= growth.tiles
        edges, at = growth.edges, step
    tree = Frontier()
    for leaf in LEAVES[:size]:
        tree.add(leaf_hash(leaf))
    return tiles, tree


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 255, 256, 257, 700])
def test_the_root_is_the_one_of_the_rfc(size):
    _, tree = built(size)
    assert tree.root() == rfc6962.mth(LEAVES[:size])
    assert Frontier().root() == EMPTY_ROOT


@pytest.mark.parametrize("with_peaks", [True, False])
@pytest.mark.parametrize("size", [1, 2, 5, 255, 256, 257, 511, 512, 600])
def test_proofs_out_of_tiles_are_those_of_the_rfc(size, with_peaks):
    tiles, built_tree = built(size, size // 3)
    tree = Tree(size, tiles.__getitem__, tuple(built_tree.peaks) if with_peaks else ())
    root = built_tree.root()
    for index in {0, size // 2, size - 1, 255 % size}:
        found = tree.inclusion(index)
        assert found == rfc6962.path(index, LEAVES[:size])
        check_inclusion(leaf_hash(LEAVES[index]), index, size, found, root)
    for old in {1, size // 2 or 1, size - 1 or 1, size}:
        found = tree.consistency(old)
        assert found == rfc6962.proof(old, LEAVES[:size])
        check_consistency(old, rfc6962.mth(LEAVES[:old]), size, root, found)
    assert tree.consistency(0) == []
    check_consistency(0, EMPTY_ROOT, size, root, [])


@given(st.integers(1, 300), st.data())
def test_no_altered_proof_holds(size, data):
    leaves = LEAVES[:size]
    index = data.draw(st.integers(0, size - 1))
    proof, root = rfc6962.path(index, leaves), rfc6962.mth(leaves)
    leaf = leaf_hash(leaves[index])
    check_inclusion(leaf, index, size, proof, root)
    # (A size is bound only as far as its shape shows on the way from the leaf to the root.)
    wrong = [
        (leaf_hash(b"another"), index, size, proof, root),
        (leaf, index, size, [*proof, leaf], root),
        (leaf, index, size, proof, leaf_hash(b"another")),
        (leaf, size, size, proof, root),
        (leaf, -1, size, proof, root),
    ]
    if size > 1:
        wrong.append((leaf, index ^ 1 if index ^ 1 < size else 0, size, proof, root))
        wrong.append((leaf, index, size, proof[:-1], root))
        at = data.draw(st.integers(0, len(proof) - 1))
        wrong.append((leaf, index, size, [*proof[:at], leaf, *proof[at + 1 :]], root))
    for case in wrong:
        with pytest.raises(Unproven):
            check_inclusion(*case)


@given(st.integers(1, 300), st.data())
def test_no_rewritten_past_is_consistent(new, data):
    old = data.draw(st.integers(1, new))
    leaves = LEAVES[:new]
    proof, root, before = rfc6962.proof(old, leaves), rfc6962.mth(leaves), rfc6962.mth(leaves[:old])
    check_consistency(old, before, new, root, proof)
    altered = [b"altered", *leaves[1:]]
    wrong = [
        (old, rfc6962.mth(altered[:old]), new, root, proof),
        (old, before, new, rfc6962.mth(altered), rfc6962.proof(old, altered)),
        (old, before, new, root, [*proof, root]),
        (new + 1, before, new, root, proof),
        (0, before, new, root, []),
        (0, EMPTY_ROOT, new, root, [root]),
    ]
    if proof:
        wrong.append((old, before, new, root, proof[:-1]))
        wrong.append((old, before, new, root, []))
    for case in wrong:
        with pytest.raises(Unproven):
            check_consistency(*case)


def test_there_are_no_proofs_of_what_is_not_there():
    tiles, _ = built(10)
    tree = Tree(10, tiles.__getitem__)
    with pytest.raises(ValueError, match="no leaf 10"):
        tree.inclusion(10)
    with pytest.raises(ValueError, match="cannot begin"):
        tree.consistency(11)


# Tiles.


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 999, 1), "tile/0/999.p/1"),
        (Tile(1, 1000), "tile/1/x001/000"),
        (Tile(ENTRIES, 1_234_067), "tile/entries/x001/x234/067"),
        (Tile(63, 5, 255), "tile/63/005.p/255"),
    ],
)
def test_a_tile_has_one_path(tile, path):
    assert tile.path == path
    assert parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p",
        "tile/data/000",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/../000",
        "tile/0/\u0660\u0660\u0660",
    ],
)
def test_no_other_path_is_understood(path):
    with pytest.raises(ValueError, match="not the path of a tile"):
        parse_path(path)


def test_the_tiles_of_the_standards_example():
    """C2SP tlog-tiles: 70,000 entries."""
    found = list(all_tiles(70_000))
    hashes = [tile for tile in found if tile.level != ENTRIES]
    assert sum(tile.full and tile.level == 0 for tile in hashes) == 273
    assert [tile for tile in hashes if not tile.full] == [
        Tile(0, 273, 112),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    assert list(all_tiles(256)) == [Tile(ENTRIES, 0), Tile(0, 0), Tile(1, 0, 1)]


@given(st.lists(st.integers(0, 700), max_size=6))
def test_a_tree_has_the_same_tiles_however_it_grew(steps):
    tiles, tree = built(700, *steps)
    at_once, _ = built(700)
    wanted = set(all_tiles(700))
    assert wanted <= set(tiles)
    assert {tile: tiles[tile] for tile in wanted} == at_once
    sizes = sorted({0, *steps, 700})
    for before, after in pairwise(sizes):
        assert set(all_tiles(after, before)) <= set(tiles)
        assert row(0, after) - row(0, before) == after - before
    check_tiles(700, tree.root(), tiles.__getitem__)


@pytest.mark.parametrize(
    ("tile", "alter", "found"),
    [
        (Tile(ENTRIES, 1), lambda content: content.replace(b"leaf 300", b"leaf 30X"), "301:"),
        (Tile(0, 2, 188), lambda content: content[:-1] + b"\0", "position 700:"),
        (Tile(1, 0, 2), lambda content: content[::-1], "position 1:"),
        (Tile(1, 0, 2), lambda content: content[:32], "tile/1/000.p/2 is 32 bytes"),
        (Tile(ENTRIES, 2, 188), lambda content: content[:-3], "cut off in leaf 699"),
        (Tile(ENTRIES, 2, 188), lambda content: content[:-10], "187 leaves, not 188"),
        (Tile(ENTRIES, 2, 188), lambda content: content + b"\0\0", "189 leaves, not 188"),
    ],
)
def test_a_tampered_tile_is_found_with_its_place(tile, alter, found):
    tiles, tree = built(700)
    tiles[tile] = alter(tiles[tile])
    with pytest.raises(Unproven, match=found):
        check_tiles(700, tree.root(), tiles.__getitem__)


def test_tiles_that_agree_with_each_other_are_not_enough():
    tiles, _ = built(700)
    with pytest.raises(Unproven, match="root that was signed"):
        check_tiles(700, EMPTY_ROOT, tiles.__getitem__)
