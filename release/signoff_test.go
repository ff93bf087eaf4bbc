package release_test

import (
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/release"
)

// TestASignOffExpires when its reviewer said, else with the gate's max-age; a no does not.
func TestASignOffExpires(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.edits = append(w.edits, func(c *config.Config) { c.Services[0].Gates.SignOff.MaxAge = 48 * time.Hour })
	})
	dg := w.push(w.staging, "v1", image("app", w.now))
	if s := w.approve(dg, evidence.Approved); s.Expires == nil || !s.Expires.Equal(w.now.Add(48*time.Hour)) {
		t.Errorf("%+v", s)
	}
	w.signer = w.qa
	r := release.ApproveRequest{Service: "chat", Digest: dg, Expires: w.now.Add(-time.Second)}
	if _, err := w.desk.Approve(t.Context(), r); fault.CodeOf(err) != fault.Usage {
		t.Errorf("it expired before it was signed: %v", err)
	}
	r.Expires, r.Decision = w.now.Add(time.Hour), evidence.Rejected
	if _, err := w.desk.Approve(t.Context(), r); fault.CodeOf(err) != fault.Usage {
		t.Errorf("a rejection that ends by itself: %v", err)
	}
	other := w.push(w.staging, "v2", image("other", w.now))
	s, err := w.desk.Approve(t.Context(), release.ApproveRequest{Service: "chat", Digest: other, Expires: w.now.Add(time.Hour)})
	if err != nil || check(t, w.gates(other).Checks, gates.SignOff).Status != gates.Pass {
		t.Fatalf("%+v, %v", s, err)
	}
	w.now = w.now.Add(2 * time.Hour)
	if c := check(t, w.gates(other).Checks, gates.SignOff); c.Status != gates.Stale || !mentions(c.Reasons, "expired on") {
		t.Errorf("%+v", c)
	}
	if c := check(t, w.gates(dg).Checks, gates.SignOff); c.Status != gates.Pass {
		t.Errorf("%+v", c)
	}
}
