package operation

import (
	"net/http"
	"sync/atomic"
)

// refuse makes the registries answer the n-th write of the machine with 403.
func (w *world) refuse(n int) (refused func() bool) {
	var writes atomic.Int64
	var hit atomic.Bool
	w.fate.on(func(q *http.Request) int {
		if q.Method == http.MethodGet || q.Method == http.MethodHead {
			return 0
		}
		if writes.Add(1) == int64(n) {
			hit.Store(true)
			return http.StatusForbidden
		}
		return 0
	})
	return hit.Load
}
