package gates

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/gates/report"
)

// ruling is what one statement, or one answer of a source, says about one key:
// a suite, a scanner on a platform, a platform.
type ruling struct {
	key      string
	at       time.Time // signed, or when the source's answer finished; zero without one
	bad      bool
	gone     bool   // remembered, and no longer to be seen
	status   Status // of the gate, if this ruling decides
	summary  string
	reasons  []string
	evidence digest.Digest // manifest, for people and records; "" for an answer and for one that is gone
	voucher  digest.Digest // manifest of the statement without which evidence would not count, if it is another
	id       digest.Digest // names the statement or the answer for good
	tests    tests
	findings []report.Finding
}

// tests is how many tests there were; all zero: not counted.
type tests struct{ passed, ran int }

// later orders rulings of one key by what decides: the later signed time; at
// the same time the worse. Without a signed time a "no" is taken for the latest
// and a "yes" for the earliest: nobody can tell.
func later(a, b ruling) int {
	rank := func(r ruling) int {
		switch {
		case !r.at.IsZero():
			return 1
		case r.bad:
			return 2
		}
		return 0
	}
	worse := func(r ruling) int {
		if r.bad {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)), a.at.Compare(b.at), cmp.Compare(worse(a), worse(b)),
		cmp.Compare(severity(a.status), severity(b.status)), cmp.Compare(a.id, b.id),
	)
}

// newest is the deciding ruling of each key.
func newest(rulings []ruling) map[string]ruling {
	decided := map[string]ruling{}
	for _, r := range rulings {
		if had, ok := decided[r.key]; !ok || later(r, had) > 0 {
			decided[r.key] = r
		}
	}
	return decided
}

// pick decides where nothing names the keys that are asked for: a "no" of any
// key counts, and one fresh "yes" is enough; old ones only where there is nothing else.
func pick(decided map[string]ruling) []ruling {
	var bad, fresh, old []ruling
	for _, key := range slices.Sorted(maps.Keys(decided)) {
		switch r := decided[key]; {
		case r.bad:
			bad = append(bad, r)
		case r.status == Pass:
			fresh = append(fresh, r)
		default:
			old = append(old, r)
		}
	}
	if len(bad)+len(fresh) > 0 {
		return append(bad, fresh...)
	}
	return old
}

// gone makes rulings of the remembered negatives of a gate whose evidence is
// no longer listed: they still stand, as errors.
func gone(gate string, in Input) []ruling {
	var rulings []ruling
	for _, n := range in.Negatives {
		if n.Gate != gate || n.Subject != in.Candidate || listed(n.Evidence, in) {
			continue
		}
		rulings = append(rulings, ruling{
			key: n.Key, at: n.At, bad: true, gone: true, status: Error, summary: "evidence disappeared", reasons: []string{disappeared(n)}, id: n.Evidence,
		})
	}
	return rulings
}

// disappeared says what was seen and no longer is.
func disappeared(n Negative) string {
	of := ""
	if !n.At.IsZero() {
		of = " (of " + moment(n.At) + ")"
	}
	if n.OfSource() {
		return fmt.Sprintf("evidence disappeared: %s%s. The source no longer says so, and it still counts until a later result replaces it", clean.Text(n.Reason), of)
	}
	return fmt.Sprintf("evidence disappeared: %s was seen%s: %s. It is no longer in the registry, and still counts until a later result replaces it",
		short(n.Evidence), of, clean.Text(n.Reason))
}

// listed tells whether the evidence is still in the registry, or the source
// still answers so.
func listed(id digest.Digest, in Input) bool {
	for _, item := range in.Evidence {
		if item.Manifest == id || item.Layer == id {
			return true
		}
	}
	return slices.ContainsFunc(in.Answers, func(a Answer) bool { return a.id() == id })
}

// negatives are those rulings that have to be remembered.
func negatives(gate string, in Input, rulings []ruling) []Negative {
	var out []Negative
	for _, r := range rulings {
		if !r.bad || r.gone || r.id == "" {
			continue
		}
		n := Negative{Gate: gate, Subject: in.Candidate, Evidence: r.id, Key: r.key, At: r.at}
		if len(r.reasons) > 0 {
			n.Reason = r.reasons[0]
		}
		out = append(out, n)
	}
	return out
}

// severity orders statuses by how bad they are, for a gate with several parts.
func severity(s Status) int {
	order := []Status{Off, NotRequired, Waived, Pass, Waiting, Needed, Stale, Missing, Fail, Error}
	return slices.Index(order, s)
}

// stale tells whether a time is too old for max, and says so; max 0 asks nothing.
func stale(at time.Time, maxAge time.Duration, now time.Time) (string, bool) {
	switch age := now.Sub(at); {
	case maxAge <= 0:
		return "", false
	case at.IsZero():
		return fmt.Sprintf("it does not say when it was made, and may be at most %s old", span(maxAge)), true
	case age > maxAge:
		return fmt.Sprintf("it is of %s, %s old, and may be at most %s old", moment(at), span(age), span(maxAge)), true
	}
	return "", false
}

// span writes a duration in its largest whole units.
func span(d time.Duration) string {
	switch {
	case d >= 72*time.Hour:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}
