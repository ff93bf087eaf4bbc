package gates

import (
	"crypto/sha256"
	"encoding/json"
	"sync"

	"plimsoll/gates/report"
)

// maxMemo is how many findings the memory of reports holds: about 20 MB.
const maxMemo = 40_000

// scanMemo remembers what reports say, for the life of the process: a console
// judges the same reports every few seconds, and reading one of several
// megabytes takes most of a verdict. What a report says depends on its bytes
// alone, and they are its name here, so a verdict cannot tell. It is full after
// maxMemo findings and then begins anew.
type scanMemo struct {
	mu       sync.Mutex
	scans    map[[sha256.Size]byte]report.Scan
	findings int
}

// reports is the only memory; safe for concurrent use.
var reports = scanMemo{scans: map[[sha256.Size]byte]report.Scan{}}

// read is report.ReadScan without the raw report. Nobody may change what it returns.
func (m *scanMemo) read(predicate json.RawMessage) (report.Scan, error) {
	key := sha256.Sum256(predicate)
	m.mu.Lock()
	s, ok := m.scans[key]
	m.mu.Unlock()
	if ok {
		return s, nil
	}
	s, err := report.ReadScan(predicate)
	if err != nil {
		return report.Scan{}, err
	}
	s.Raw = nil
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.findings += len(s.Findings) + 1; m.findings > maxMemo {
		clear(m.scans)
		m.findings = len(s.Findings) + 1
	}
	m.scans[key] = s
	return s, nil
}
