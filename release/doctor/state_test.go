package doctor_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/registry"
	"plimsoll/release"
	"plimsoll/release/doctor"
)

func TestTheClockIsComparedWithTheRegistrys(t *testing.T) {
	for off, want := range map[time.Duration]doctor.Status{10 * time.Second: doctor.OK, 2 * time.Minute: doctor.Warning, -2 * time.Minute: doctor.Warning, 6 * time.Minute: doctor.Broken} {
		h := newHospital(t)
		h.guard.fault = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
			return false
		}
		f := fact(t, h.examine(release.DoctorRequest{}), "clock", h.guard.host)
		if is(t, f, want, ""); want != doctor.OK && !strings.Contains(f.Hint, "set the clock") {
			t.Errorf("%s: %+v", off, f)
		}
	}
}

func TestLocksAreLookedAt(t *testing.T) {
	h := newHospital(t)
	h.cloud.items[0].Lock.Delete = false
	is(t, fact(t, h.examine(release.DoctorRequest{}), "promoted-locked", "prod/chat"), doctor.Warning, "not locked against deletion")
	h.cloud.items = nil
	is(t, fact(t, h.examine(release.DoctorRequest{}), "promoted-locked", "prod/chat"), doctor.Unknown, "metadata")
}

func TestWhatIsOddAboutReleases(t *testing.T) {
	h := newHospital(t)
	head, err := h.as("robot").Head(t.Context(), h.prod(), "live")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.desk().Quarantine(t.Context(), release.QuarantineRequest{Service: "chat", Digest: head.Digest, Reason: "it leaks"}); err != nil {
		t.Fatal(err)
	}
	r := h.examine(release.DoctorRequest{})
	is(t, fact(t, r, "channel", "live"), doctor.Broken, "it leaks")
	is(t, fact(t, r, "ledger", "ledger"), doctor.OK, "record 1")

	h = newHospital(t)
	h.examine(release.DoctorRequest{}) // this machine knows the record now
	h.emptyLedger()
	r = h.examine(release.DoctorRequest{})
	is(t, fact(t, r, "channel", "live"), doctor.Warning, "taken out of the ledger")
	is(t, fact(t, r, "ledger", "ledger"), doctor.Warning, "not whole")
}

// emptyLedger deletes every entry, as somebody does who wants no witnesses.
func (h *hospital) emptyLedger() {
	h.t.Helper()
	robot := h.as("robot")
	books := registry.Repository{Host: h.guard.host, Path: "prod/chat-ledger"}
	tags, err := robot.Tags(h.t.Context(), books)
	if err != nil || len(tags) == 0 {
		h.t.Fatal(tags, err)
	}
	for _, tag := range tags {
		h.removeFrom(books.Path, tag)
	}
}

// TestAPasswordIsShownToItsOwnRegistryOnly: the promotion's is not tried in
// staging unless the configuration says that it is the same there.
func TestAPasswordIsShownToItsOwnRegistryOnly(t *testing.T) {
	t.Setenv("PLIMSOLL_TEST_robot", robotSecret)
	t.Setenv("PLIMSOLL_TEST_viewer", viewerSecret)
	password := func(user string) *config.Identity {
		return &config.Identity{Username: user, PasswordEnv: "PLIMSOLL_TEST_" + user}
	}
	h := newHospital(t)
	other := &guard{passwords: h.guard.passwords}
	guarded(t, other)
	other.allow("viewer", "staging", false)
	other.allow("ci", "staging", true)
	prod := h.config.Registries[h.guard.host]
	prod.Read, prod.Promote = password("viewer"), password("robot")
	h.config.Registries[h.guard.host] = prod
	h.config.Registries[other.host] = config.Registry{Host: other.host, Listed: true, PlainHTTP: true, Read: password("viewer")}
	h.config.Services[0].Staging = other.host + "/staging/chat"
	staging := h.staging()
	staging.Host = other.host
	h.push(h.as("ci"), staging, "v1", "one")

	f := fact(t, h.examine(release.DoctorRequest{Promotion: true}), "promotion-staging", "staging/chat")
	is(t, f, doctor.Unknown, "is not shown to")
	if users := other.seen(); slices.Contains(users, "robot") {
		t.Errorf("staging saw the passwords of %v", users)
	}

	e := h.config.Registries[other.host]
	e.Evidence = password("robot")
	h.config.Registries[other.host] = e
	other.allow("robot", "staging", true)
	is(t, fact(t, h.examine(release.DoctorRequest{Promotion: true}), "promotion-staging", "staging/chat"), doctor.Broken, "must not be able to make")
}
