package evidence

import (
	"encoding/base64"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"rekey/internal/journal"
)

// Only hashes over whole blocks of entries are kept: what lies below is hashed
// anew from the entries, at most 255 at the open end. A million entries keep some
// 7,800 hashes this way, instead of two million.
const (
	blockLevel = 8
	blockSize  = 1 << blockLevel
)

// LeafHash is the hash of an entry in the tree.
func LeafHash(e journal.Entry) tlog.Hash { return tlog.RecordHash(e.Leaf()) }

func encode(h tlog.Hash) string { return base64.StdEncoding.EncodeToString(h[:]) }

func decode(s string) (tlog.Hash, error) { return tlog.ParseHash(s) }

// ridge is the right edge of a tree that grows leaf by leaf: the roots of the whole
// subtrees that it consists of, the largest first.
type ridge struct {
	size  int64
	peaks []tlog.Hash
}

// add adds a leaf and calls whole, which may be nil, for every subtree that it
// completes.
func (r *ridge) add(h tlog.Hash, whole func(level int, n int64, h tlog.Hash)) {
	n := r.size
	for level := 0; ; level++ {
		if whole != nil {
			whole(level, n, h)
		}
		if n&1 == 0 {
			break
		}
		h = tlog.NodeHash(r.peaks[len(r.peaks)-1], h)
		r.peaks = r.peaks[:len(r.peaks)-1]
		n >>= 1
	}
	r.peaks = append(r.peaks, h)
	r.size++
}

// root of the tree so far (RFC 6962 §2.1).
func (r *ridge) root() tlog.Hash {
	if len(r.peaks) == 0 {
		h, _ := tlog.TreeHash(0, nil)
		return h
	}
	h := r.peaks[len(r.peaks)-1]
	for i := len(r.peaks) - 2; i >= 0; i-- {
		h = tlog.NodeHash(r.peaks[i], h)
	}
	return h
}

// reader gives the hashes of a journal's tree: kept ones, and below these such as
// are made from the entries.
// What it has read it remembers: a hash of the tree never changes.
type reader struct {
	t      *journal.Tree
	blocks map[int64][][]tlog.Hash // trees of blocks, level by level, as far as they were needed
	above  map[[2]int64]tlog.Hash  // kept hashes, by level and number
}

func newReader(t *journal.Tree) *reader {
	return &reader{t, map[int64][][]tlog.Hash{}, map[[2]int64]tlog.Hash{}}
}

// ReadHashes implements tlog.HashReader.
func (r *reader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		var err error
		if level >= blockLevel {
			out[i], err = r.kept(level, n)
		} else {
			out[i], err = r.below(level, n)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *reader) kept(level int, n int64) (tlog.Hash, error) {
	if h, ok := r.above[[2]int64{int64(level), n}]; ok {
		return h, nil
	}
	s, err := r.t.Hash(level, n)
	if err != nil {
		return tlog.Hash{}, err
	}
	h, err := decode(s)
	if err != nil {
		from, to := span(level, n)
		return h, &Unsound{From: from, To: to, Why: "the tree's hash over these entries is missing or damaged"}
	}
	r.above[[2]int64{int64(level), n}] = h
	return h, nil
}

// below makes a hash from the entries of its block.
func (r *reader) below(level int, n int64) (tlog.Hash, error) {
	block := n << level >> blockLevel
	tree, ok := r.blocks[block]
	if !ok {
		var err error
		if tree, err = r.block(block); err != nil {
			return tlog.Hash{}, err
		}
		if len(r.blocks) > 64 {
			clear(r.blocks)
		}
		r.blocks[block] = tree
	}
	at := n - block<<(blockLevel-level)
	if level >= len(tree) || at >= int64(len(tree[level])) {
		return tlog.Hash{}, &journal.Broken{Seq: block<<blockLevel + int64(len(tree[0])) + 1, Why: "it is missing"}
	}
	return tree[level][at], nil
}

// block makes the whole subtrees of a block from its entries.
func (r *reader) block(block int64) ([][]tlog.Hash, error) {
	first := block<<blockLevel + 1
	entries, err := r.t.Entries(first, first+blockSize-1)
	if err != nil {
		return nil, err
	}
	tree := [][]tlog.Hash{{}}
	for i, e := range entries {
		if e.Seq != first+int64(i) {
			return nil, &journal.Broken{Seq: first + int64(i), Why: "it is missing"}
		}
		tree[0] = append(tree[0], LeafHash(e))
	}
	for level := 0; len(tree[level]) > 1; level++ {
		var up []tlog.Hash
		for k := 0; k+1 < len(tree[level]); k += 2 {
			up = append(up, tlog.NodeHash(tree[level][k], tree[level][k+1]))
		}
		tree = append(tree, up)
	}
	return tree, nil
}

// span is which entries a subtree covers.
func span(level int, n int64) (from, to int64) { return n<<level + 1, (n + 1) << level }

// Unsound says that something signed or kept does not fit the entries.
type Unsound struct {
	From, To int64 // entries
	Why      string
}

func (u *Unsound) Error() string { return fmt.Sprintf("entries %d..%d: %s", u.From, u.To, u.Why) }

// blocksIn is how many whole blocks so many entries are.
func blocksIn(size int64) int64 { return size >> blockLevel }

// completes is how many levels of subtrees above a block end with it.
func completes(block int64) int { return bits.TrailingZeros64(uint64(block + 1)) }

// RootAt is the root of the tree as it was when an entry was its last, from the proof
// that holds for that entry in a later tree: what stood to its left then stands there
// still, and nothing stood to its right (RFC 9162 §2.1.3.2 tells which is which).
func RootAt(seq, size int64, leaf tlog.Hash, proof tlog.RecordProof) tlog.Hash {
	h, i, last := leaf, seq-1, size-1
	for _, p := range proof {
		if i&1 == 1 || i == last {
			h = tlog.NodeHash(p, h)
			for i&1 == 0 && i != 0 {
				i, last = i>>1, last>>1
			}
		}
		i, last = i>>1, last>>1
	}
	return h
}
