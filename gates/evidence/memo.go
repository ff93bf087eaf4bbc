package evidence

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"sync"

	"plimsoll/config"
)

// memo remembers answers for the life of the process: a console asks the same
// questions every few seconds. Its keys are SHA-256 over all that an answer
// depends on, so that one can never be taken for another's. It is full after most
// answers and then begins anew. Safe for concurrent use.
type memo[T any] struct {
	mu      sync.Mutex
	answers map[[sha256.Size]byte]T
	most    int
}

func newMemo[T any](most int) *memo[T] {
	return &memo[T]{answers: map[[sha256.Size]byte]T{}, most: most}
}

// checked remembers which key made which signature: about 4 MB.
var checked = newMemo[bool](50_000)

// question is a memo's key: of checked over public key, message and signature.
func question(parts ...[]byte) [sha256.Size]byte {
	h := sha256.New()
	for _, part := range parts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// ask returns the remembered answer, or finds it out.
func (m *memo[T]) ask(key [sha256.Size]byte, find func() T) T {
	m.mu.Lock()
	answer, ok := m.answers[key]
	m.mu.Unlock()
	if ok {
		return answer
	}
	answer = find()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.answers) >= m.most {
		clear(m.answers)
	}
	m.answers[key] = answer
	return answer
}

// madeBy tells whether the key made the signature, from memory where possible.
func (m *message) madeBy(k config.Key, sig []byte) bool {
	spki, err := x509.MarshalPKIXPublicKey(k.Public) // not k.SPKI: the key that verifies names the answer
	if err != nil {
		return false
	}
	return checked.ask(question(spki, m.sum256(), sig), func() bool { return m.signedBy(k.Public, sig) })
}
