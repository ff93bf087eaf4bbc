package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
)

// checkStructure looks at the tree of pages before bbolt walks it: a page that
// is its own ancestor would overflow the stack, an absurd free list exhaust the
// memory, and no recover helps against either. It reads the inner pages only
// and is done once by each process, under the shared lock.
func (s *Store) checkStructure() error {
	if s.sound.Load() {
		return nil
	}
	info, err := os.Stat(s.Path())
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	var file *os.File
	panicked, err := guard(func() error {
		db, err := s.openDB(true, &file)
		if err != nil {
			return err
		}
		return errors.Join(walkFile(file), db.Close())
	})
	if panicked {
		abandon(file)
	}
	s.sound.Store(err == nil)
	return err
}

// The page format of bbolt v1.5.0 (internal/common: page.go, meta.go, inode.go);
// integers are in the byte order of the machine.
const (
	pageHeader  = 16 // id 8, flags 2, count 2, overflow 4
	elementSize = 16 // branch: pos 4, ksize 4, pgid 8; leaf: flags 4, pos 4, ksize 4, vsize 4
	branchFlag  = 0x01
	leafFlag    = 0x02
	freeFlag    = 0x10
	bucketFlag  = 0x01
	metaMagic   = 0xED0CDAED
	noFreelist  = ^uint64(0)
	manyFree    = 0xFFFF // the count of a free list that stands in its first entry
	maxPageSize = 16 << 20
	maxHeight   = 40 // levels of a tree: pages have two children or more
)

var order = binary.NativeEndian

// tree walks the pages of one file.
type tree struct {
	file     *os.File
	pageSize int
	end      uint64   // the first page number beyond the data
	seen     []uint64 // a bit for each page that has a parent
}

func walkFile(file *os.File) error {
	root, freelist, t, err := newestMeta(file)
	if err != nil {
		return err
	}
	if err := t.checkFreelist(freelist); err != nil {
		return err
	}
	var buckets []uint64
	if err := t.walk(root, func(leaf uint64) { buckets = append(buckets, leaf) }); err != nil {
		return err
	}
	for _, leaf := range buckets {
		if err := t.walkBuckets(leaf); err != nil {
			return err
		}
	}
	return nil
}

// newestMeta reads the valid meta page with the higher transaction number.
// bbolt has opened the file, so at least one is valid.
func newestMeta(file *os.File) (root, freelist uint64, t *tree, err error) {
	var newest uint64
	head := make([]byte, pageHeader+64)
	for at := int64(0); at <= maxPageSize; at = max(2*at, 512) { // the second one is one page in
		if _, err := file.ReadAt(head, at); err != nil {
			continue
		}
		m := head[pageHeader:]
		size, txid := order.Uint32(m[8:]), order.Uint64(m[48:])
		if order.Uint32(m) != metaMagic || checksum(m[:56]) != order.Uint64(m[56:]) || size < 512 || size > maxPageSize || at != 0 && at != int64(size) {
			continue
		}
		if t == nil || txid > newest {
			newest, root, freelist = txid, order.Uint64(m[16:]), order.Uint64(m[32:])
			t = &tree{file: file, pageSize: int(size), end: order.Uint64(m[40:])}
		}
	}
	if t == nil {
		return 0, 0, nil, damage("it has no valid head")
	}
	info, err := file.Stat()
	if err != nil {
		return 0, 0, nil, err //nolint:wrapcheck // explain says what was tried
	}
	if t.end > uint64(info.Size())/uint64(t.pageSize) { //nolint:gosec // neither is negative
		return 0, 0, nil, damage("it was cut off")
	}
	t.seen = make([]uint64, t.end/64+1)
	return root, freelist, t, nil
}

func checksum(b []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(b)
	return h.Sum64()
}

// page is one page of inner nodes, buckets or free pages, as read.
type page struct {
	flags uint16
	count int
	body  []byte // with its head
}

func (t *tree) page(id uint64) (page, error) {
	if id < 2 || id >= t.end {
		return page{}, damage(fmt.Sprintf("it points at page %d of %d", id, t.end))
	}
	body := make([]byte, t.pageSize)
	if err := t.read(id, body); err != nil {
		return page{}, err
	}
	overflow := uint64(order.Uint32(body[12:]))
	if order.Uint64(body) != id || id+overflow >= t.end {
		return page{}, damage(fmt.Sprintf("page %d is another page", id))
	}
	p := page{flags: order.Uint16(body[8:]), count: int(order.Uint16(body[10:])), body: body}
	if p.flags&branchFlag == 0 {
		return p, nil
	}
	if size := pageHeader + p.count*elementSize; size > len(body) { // with its overflow
		p.body = make([]byte, size)
		return p, t.read(id, p.body)
	}
	return p, nil
}

func (t *tree) read(id uint64, into []byte) error {
	if _, err := t.file.ReadAt(into, int64(id)*int64(t.pageSize)); err != nil { //nolint:gosec // within the file
		return damage(fmt.Sprintf("page %d is cut off", id))
	}
	return nil
}

// claim notes that a page has a parent; a second one would close a circle.
func (t *tree) claim(id uint64) error {
	if id < 2 || id >= t.end || t.seen[id/64]&(1<<(id%64)) != 0 {
		return damage(fmt.Sprintf("page %d has two parents or does not exist", id))
	}
	t.seen[id/64] |= 1 << (id % 64)
	return nil
}

// walk visits the inner pages from id downwards and calls leaf for each leaf.
// Leaves are all at one level, so the way along the first children tells where,
// and no leaf has to be read.
func (t *tree) walk(id uint64, leaf func(uint64)) error {
	height, at := 0, id
	for ; ; height++ {
		p, err := t.page(at)
		if err != nil {
			return err
		}
		if p.flags&branchFlag == 0 {
			return t.descend(id, height, leaf)
		}
		if p.count == 0 || height == maxHeight {
			return damage(fmt.Sprintf("page %d has no leaves", id))
		}
		at = p.child(0)
	}
}

func (t *tree) descend(id uint64, height int, leaf func(uint64)) error {
	if err := t.claim(id); err != nil {
		return err
	}
	if height == 0 {
		leaf(id)
		return nil
	}
	p, err := t.page(id)
	if err != nil {
		return err
	}
	if p.flags&branchFlag == 0 {
		return damage(fmt.Sprintf("page %d is at the wrong level", id))
	}
	for i := range p.count {
		if err := t.descend(p.child(i), height-1, leaf); err != nil {
			return err
		}
	}
	return nil
}

func (p page) child(i int) uint64 { return order.Uint64(p.body[pageHeader+i*elementSize+8:]) }

// walkBuckets walks the trees of the buckets in a leaf of the root.
func (t *tree) walkBuckets(leaf uint64) error {
	p, err := t.page(leaf)
	if err != nil {
		return err
	}
	if p.flags&leafFlag == 0 {
		return damage(fmt.Sprintf("page %d is no leaf", leaf))
	}
	for i := range p.count {
		at := pageHeader + i*elementSize
		if at+elementSize > len(p.body) {
			return damage(fmt.Sprintf("page %d holds no buckets", leaf))
		}
		e := p.body[at:]
		value := uint64(at) + uint64(order.Uint32(e[4:])) + uint64(order.Uint32(e[8:]))
		if order.Uint32(e)&bucketFlag == 0 || value+16 > uint64(len(p.body)) {
			return damage(fmt.Sprintf("page %d holds no buckets", leaf))
		}
		root := order.Uint64(p.body[value:])
		if root == 0 { // a small bucket, in place
			continue
		}
		if err := t.walk(root, func(uint64) {}); err != nil {
			return err
		}
	}
	return nil
}

// checkFreelist checks that the list of free pages fits into its pages.
func (t *tree) checkFreelist(id uint64) error {
	if id == noFreelist {
		return damage("it has no list of free pages")
	}
	p, err := t.page(id)
	if err != nil {
		return err
	}
	if p.flags&freeFlag == 0 {
		return damage(fmt.Sprintf("page %d is no list of free pages", id))
	}
	if p.count != manyFree {
		return nil
	}
	if order.Uint64(p.body[pageHeader:]) > t.end {
		return damage("the list of free pages is too long")
	}
	return nil
}
