package gates_test

import (
	"testing"

	"plimsoll/gates"
)

func BenchmarkEvaluate(b *testing.B) {
	w, pool := propertyWorld(b)
	in := w.with(pool, nil)
	b.ReportAllocs()
	for b.Loop() {
		gates.Evaluate(w.policy, in)
	}
}
