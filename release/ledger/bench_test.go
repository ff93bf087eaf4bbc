package ledger

import "testing"

// A history of 1,000 records that this machine knows: the tag list, and every
// signature again.
func BenchmarkWarmRead1000(b *testing.B) {
	w := newWorld(b)
	w.fill(1000)
	l := w.laptop()
	l.read()
	for b.Loop() {
		l.read()
	}
}
