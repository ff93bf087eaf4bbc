package evidence

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"sync"

	"plimsoll/config"
)

// maxMemo is how many answers the memo keeps: about 4 MB.
const maxMemo = 50_000

// memo remembers which key made which signature, for the life of the process:
// a console asks the same questions every few seconds. Its key is a SHA-256 over
// public key, message and signature, so an answer can never be taken for
// another's. It is full after maxMemo answers and then begins anew.
type memo struct {
	mu      sync.Mutex
	answers map[[sha256.Size]byte]bool
}

// checked is the only memo; safe for concurrent use.
var checked = memo{answers: map[[sha256.Size]byte]bool{}}

// question is the memo's key.
func question(spki, message, sig []byte) [sha256.Size]byte {
	h := sha256.New()
	for _, part := range [][]byte{spki, message, sig} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// ask returns the remembered answer, or finds it out.
func (m *memo) ask(key [sha256.Size]byte, find func() bool) bool {
	m.mu.Lock()
	answer, ok := m.answers[key]
	m.mu.Unlock()
	if ok {
		return answer
	}
	answer = find()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.answers) >= maxMemo {
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
