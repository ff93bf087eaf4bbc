package expr_test

import (
	"fmt"
	"testing"

	"plimsoll/config/expr"
)

func BenchmarkCompile(b *testing.B) {
	n := 0
	for b.Loop() {
		n++
		if _, err := expr.Compile(fmt.Sprintf(`image.config.user != "" && image.config.user != "root" && image.sizeBytes != %d`, n)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEval(b *testing.B) {
	p, err := expr.Compile(`image.config.user != "" && image.config.user != "root"`)
	if err != nil {
		b.Fatal(err)
	}
	f := facts()
	for b.Loop() {
		if ok, err := p.Eval(f); !ok || err != nil {
			b.Fatal(err)
		}
	}
}
