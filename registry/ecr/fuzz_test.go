package ecr

import (
	"strings"
	"testing"
)

// FuzzLifecycle reads any lifecycle policy: what it deletes, it deletes after some
// time or beyond some number, and what cannot be told is an error.
func FuzzLifecycle(f *testing.F) {
	f.Add([]byte(`{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":7},"action":{"type":"expire"}}]}`))
	f.Add([]byte(`{"rules":[{"rulePriority":-1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":9223372036854775807}}]}`))
	f.Add([]byte(`{"rules":[{"selection":{"tagStatus":"tagged","tagPatternList":["release-*","*\u001b[2J"],"countType":"sinceImagePushed","countUnit":"days","countNumber":-1}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := readLifecycle(raw)
		if err != nil {
			if r.Known || strings.ContainsAny(err.Error(), "\x1b\u202e") {
				t.Errorf("%+v, %v", r, err)
			}
			return
		}
		if !r.Known || r.Untagged < 0 || r.UntaggedKept < 0 || r.Released < 0 || r.ReleasedKept < 0 || strings.ContainsAny(r.Detail, "\x1b\u202e\n") {
			t.Errorf("%+v", r)
		}
	})
}
