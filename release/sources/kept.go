package sources

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"plimsoll/config"
	"plimsoll/gates"
)

// Shelf is where answers are kept between runs; a store is one.
type Shelf interface {
	Snapshot(kind, key string, into any) (found bool, err error)
	PutSnapshot(kind, key string, v any) error
}

const (
	shelfKind = "answers.v1"
	shelfKey  = "all"
	keptMost  = 1000 // answers; the oldest go
)

// kept is the answers that may be shown again. They are read from the shelf at
// the first question and written to it by Flush, all at once.
type kept struct {
	shelf Shelf
	once  sync.Once

	mu      sync.Mutex
	answers map[string]keptAnswer // by keyOf
	changed bool
}

type keptAnswer struct {
	At      time.Time      `json:"at"`
	Until   time.Time      `json:"until"` // of no use after it
	Answers []gates.Answer `json:"answers"`
}

func newKept(s Shelf) *kept { return &kept{shelf: s, answers: map[string]keptAnswer{}} }

// keyOf tells questions to a source apart. The source's own configuration is
// in it: an answer to another question is not taken for one to this.
func keyOf(dir string, c config.Source, q Question) string {
	raw, err := json.Marshal([]any{dir, c, q.Service, q.Staging, q.Digest, q.Revision, q.Images})
	if err != nil {
		panic("sources: a configuration of strings cannot be encoded: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}

// find is an answer that is younger than age.
func (k *kept) find(key string, now time.Time, age time.Duration) ([]gates.Answer, bool) {
	if age <= 0 {
		return nil, false
	}
	k.once.Do(k.load)
	k.mu.Lock()
	defer k.mu.Unlock()
	a, ok := k.answers[key]
	if !ok || now.Before(a.At) || now.Sub(a.At) >= age { // one from the future says that a clock moved
		return nil, false
	}
	return slices.Clone(a.Answers), true
}

// put keeps answers, none of which is an error.
func (k *kept) put(key string, now time.Time, keep time.Duration, answers []gates.Answer) {
	k.once.Do(k.load)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answers[key], k.changed = keptAnswer{now, now.Add(keep), slices.Clone(answers)}, true
}

// load reads the shelf. One that cannot be read costs only that everything is asked again.
func (k *kept) load() {
	if k.shelf == nil {
		return
	}
	before := map[string]keptAnswer{}
	if found, err := k.shelf.Snapshot(shelfKind, shelfKey, &before); err != nil || !found {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answers = before
}

// Flush writes the answers of this run to the shelf, in one transaction. What is
// too old to be shown is left out.
func (s *Sources) Flush() error {
	k, now := s.kept, s.Now()
	k.mu.Lock()
	maps.DeleteFunc(k.answers, func(_ string, a keptAnswer) bool { return now.After(a.Until) })
	if len(k.answers) > keptMost {
		ages := slices.SortedFunc(maps.Values(k.answers), func(a, b keptAnswer) int { return b.At.Compare(a.At) })
		oldest := ages[keptMost-1].At
		maps.DeleteFunc(k.answers, func(_ string, a keptAnswer) bool { return a.At.Before(oldest) })
	}
	changed, answers := k.changed, maps.Clone(k.answers)
	k.changed = false
	k.mu.Unlock()
	if k.shelf == nil || !changed {
		return nil
	}
	return k.shelf.PutSnapshot(shelfKind, shelfKey, answers) //nolint:wrapcheck // the store's errors say what was tried
}
