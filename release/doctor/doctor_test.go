package doctor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"
	"go.uber.org/goleak"

	"plimsoll/config/fault"
	"plimsoll/release"
	"plimsoll/release/doctor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhereEverythingIsRightNothingIsBroken(t *testing.T) {
	h := newHospital(t)
	r := h.examine(everything)
	if r.Broken != 0 || r.Warnings != 0 {
		t.Errorf("%d broken, %d warnings", r.Broken, r.Warnings)
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(h.guard.host, "registry.example.com", filepath.Dir(h.config.Signing.Key), "DIR", h.cloud.ends.Format(time.RFC3339), "ENDS").Replace(string(raw))
	golden.RequireEqual(t, []byte(text))
	h.guard.mu.Lock()
	defer h.guard.mu.Unlock()
	if n := len(h.guard.requests); n > mostRequests {
		t.Errorf("%d requests, docs/doctor.md promises %d: %q", n, mostRequests, h.guard.requests)
	}
}

// mostRequests is what docs/doctor.md says that one service costs.
const mostRequests = 50

func TestAnIdentityThatWritesWhereItMustNotIsBroken(t *testing.T) {
	for _, bearer := range []bool{false, true} {
		for _, story := range []struct{ account, path, id, subject string }{
			{"viewer", "prod/chat", "everyday-write", "prod/chat"},
			{"viewer", "prod/chat-ledger", "everyday-write", "prod/chat-ledger"},
			{"robot", "staging", "promotion-staging", "staging/chat"},
			{"ci", "prod/chat", "ci-write", "prod/chat"},
			{"ci", "prod/chat-ledger", "ci-write", "prod/chat-ledger"},
			{"", "prod", "anonymous-write", "prod/chat"},
		} {
			t.Run(fmt.Sprintf("%s in %s, tokens %v", story.account, story.path, bearer), func(t *testing.T) {
				h := newHospital(t)
				h.guard.bearer = bearer
				if r := h.examine(everything); r.Broken != 0 || r.Warnings != 0 {
					t.Fatalf("before: %+v", r)
				}
				h.guard.allow(story.account, story.path, true)
				r := h.examine(everything)
				is(t, fact(t, r, story.id, story.subject), doctor.Broken, "may write")
				if r.Broken == 0 {
					t.Error("nothing is counted as broken")
				}
			})
		}
	}
}

func TestThePromotionIdentityIsUsedOnlyWhenToldAndThenNoted(t *testing.T) {
	h := newHospital(t)
	r := h.examine(release.DoctorRequest{})
	is(t, fact(t, r, "promotion-identity", h.guard.host), doctor.Unknown, "--with-promote")
	if n, _, err := h.store.AuditHead(); err != nil || n != 1 { // the adoption
		t.Fatal(n, err)
	}
	h.examine(everything)
	for entry, err := range h.store.AuditEntries() {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Action == "doctor" {
			return
		}
	}
	t.Error("its use is not in the audit chain")
}

func TestACredentialThatIsNotAcceptedProvesNothing(t *testing.T) {
	h := newHospital(t)
	r := h.examine(release.DoctorRequest{CI: "ci:mistyped"})
	is(t, fact(t, r, "ci-staging", "staging/chat"), doctor.Broken, "check the credential")
	is(t, fact(t, r, "ci-write", "prod/chat"), doctor.Unknown, "proves nothing")

	h.guard.allow("", "prod", false) // prod is open to read: the login is never looked at
	h.guard.passwords["viewer"] = "changed"
	h.cloud.guard = &guard{passwords: map[string]string{"viewer": viewerSecret, "robot": robotSecret}}
	r = h.examine(release.DoctorRequest{})
	is(t, fact(t, r, "everyday-read", "staging/chat"), doctor.Broken, "right to pull")
	is(t, fact(t, r, "everyday-write", "prod/chat"), doctor.Unknown, "proves nothing")
}

func TestCredentialsOfCI(t *testing.T) {
	h := newHospital(t)
	h.guard.bearer = true
	r := h.examine(release.DoctorRequest{CI: tokenOf("repository:staging/chat:pull,push")})
	is(t, fact(t, r, "ci-staging", "staging/chat"), doctor.OK, "")
	is(t, fact(t, r, "ci-write", "prod/chat"), doctor.OK, "")
	for _, wrong := range []string{":" + ciSecret, "ci:"} {
		if _, err := h.desk().Doctor(t.Context(), "chat", release.DoctorRequest{CI: wrong}); fault.CodeOf(err) != fault.Usage || strings.Contains(err.Error(), ciSecret) {
			t.Error(err)
		}
	}
}

func TestARegistryThatIsDownLeavesUnknownFacts(t *testing.T) {
	h := newHospital(t)
	h.guard.fault = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusNotImplemented)
		return true
	}
	r := h.examine(everything)
	for _, id := range []string{"everyday-write", "anonymous-write", "promotion-write", "ci-write", "channel", "ledger"} {
		is(t, fact(t, r, id, ""), doctor.Unknown, "501")
	}
	if r.Broken != 0 {
		t.Errorf("guessed: %+v", r)
	}
}

func TestASlowRegistryIsNotWaitedFor(t *testing.T) {
	h := newHospital(t)
	h.guard.fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/blobs/uploads/") {
			<-r.Context().Done()
			return true
		}
		return false
	}
	began := time.Now()
	request := everything
	request.Limit = 300 * time.Millisecond
	r := h.examine(request)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	is(t, fact(t, r, "everyday-write", "prod/chat"), doctor.Unknown, "no answer within the 300ms")
	is(t, fact(t, r, "channel", "live"), doctor.OK, "")
}

func TestWhoStopsItGetsWhatWasFoundOut(t *testing.T) {
	h := newHospital(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	h.guard.fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			cancel(enough)
		}
		return false
	}
	r, err := h.desk().Doctor(ctx, "chat", everything)
	if !errors.Is(err, enough) || len(r.Services) != 1 || len(r.Services[0].Facts) < 10 {
		t.Error(err, r)
	}
	if _, err := h.desk().Doctor(t.Context(), "chatt", everything); fault.CodeOf(err) != fault.Usage {
		t.Error(err)
	}
}

func TestAnUploadThatCannotBeCancelledIsTold(t *testing.T) {
	h := newHospital(t)
	h.guard.allow("viewer", "prod", true)
	h.guard.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusForbidden)
		}
		return r.Method == http.MethodDelete
	}
	r, err := h.desk().Doctor(t.Context(), "chat", release.DoctorRequest{})
	if err != nil {
		t.Fatal(err)
	}
	is(t, fact(t, r, "everyday-write", "prod/chat"), doctor.Broken, "refused to cancel")
}
