package gates_test

import (
	"fmt"
	"testing"
	"time"

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

// A console judges the same long report at every refresh.
func BenchmarkEvaluateLongReport(b *testing.B) {
	w := scanWorld(b)
	findings := make([]string, 5000)
	for i := range findings {
		findings[i] = fmt.Sprintf("CVE-2026-%d LOW", i)
	}
	w.add(w.scanRaw(scanner, smallTrivy("amd64", findings...), time.Hour, amd64, arm64))
	b.ReportAllocs()
	for b.Loop() {
		if c := check(w.judge(), gates.Scan); c.Status != gates.Pass {
			b.Fatal(c)
		}
	}
}
