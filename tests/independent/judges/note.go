// Go's checksum database: golang.org/x/mod/sumdb/note opens the checkpoint, tlog proves records and
// the older tree out of our tiles. Arguments: key, old checkpoint, index, folder.
package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type tiles string

func (t tiles) Height() int { return 8 }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		// tile/8/0/… there is tile/0/… here.
		content, err := os.ReadFile(filepath.Join(string(t), strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		found = append(found, content)
	}
	return found, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func head(path string, key note.Verifier) (tlog.Tree, error) {
	written, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(written, note.VerifierList(key))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil {
		return tlog.Tree{}, err
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree, nil
}

func judge(key note.Verifier, old string, index int64, folder string) error {
	tree, err := head(filepath.Join(folder, "checkpoint"), key)
	if err != nil {
		return err
	}
	before, err := head(old, key)
	if err != nil {
		return err
	}
	// Every tile it reads is checked against the root.
	reader := tlog.TileHashReader(tree, tiles(folder))
	grown, err := tlog.ProveTree(tree.N, before.N, reader)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(grown, tree.N, tree.Hash, before.N, before.Hash); err != nil {
		return err
	}
	bundle, err := os.ReadFile(filepath.Join(folder, "tile/entries", fmt.Sprintf("%03d", index/256)))
	if err != nil {
		return err
	}
	for skipped := int64(0); skipped < index%256; skipped++ {
		bundle = bundle[2+int(bundle[0])<<8+int(bundle[1]):]
	}
	leaf := bundle[2 : 2+int(bundle[0])<<8+int(bundle[1])]
	proof, err := tlog.ProveRecord(tree.N, index, reader)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(leaf))
}

func main() {
	key, err := note.NewVerifier(os.Args[1])
	if err != nil {
		panic(err)
	}
	index, _ := strconv.ParseInt(os.Args[3], 10, 64)
	for _, folder := range os.Args[4:] {
		if err := judge(key, os.Args[2], index, folder); err != nil {
			fmt.Println("refused:", err)
		} else {
			fmt.Println("accepted")
		}
	}
}
