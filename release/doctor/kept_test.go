package doctor_test

import (
	"net/http"
	"testing"
	"time"

	"plimsoll/registry"
	"plimsoll/release"
	"plimsoll/release/doctor"
	"plimsoll/release/operation"
)

func TestWhatWasPromotedHasToStay(t *testing.T) {
	h := newHospital(t)
	robot := h.as("robot")
	head, err := robot.Head(t.Context(), h.prod(), "live")
	if err != nil {
		t.Fatal(err)
	}
	tag := operation.ReleaseTag(head.Digest)
	h.push(robot, h.prod(), tag, "another")
	is(t, fact(t, h.examine(everything), "promoted-tagged", "prod/chat"), doctor.Broken, "moved them past")

	h.remove(tag)
	is(t, fact(t, h.examine(everything), "promoted-tagged", "prod/chat"), doctor.Warning, tag)
	is(t, fact(t, h.examine(everything), "promoted-kept", "prod/chat"), doctor.OK, "one digest")

	h.push(robot, h.prod(), "live", "pushed past the gate")
	r := h.examine(everything)
	is(t, fact(t, r, "channel", "live"), doctor.Broken, "no valid record")

	h.remove(head.Digest.String())
	is(t, fact(t, h.examine(everything), "promoted-kept", "prod/chat"), doctor.Broken, "gone")
}

func (h *hospital) remove(reference string) { h.t.Helper(); h.removeFrom("prod/chat", reference) }

func (h *hospital) removeFrom(path, reference string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodDelete, "http://"+h.guard.host+"/v2/"+path+"/manifests/"+reference, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.SetBasicAuth("robot", robotSecret)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		h.t.Fatal(resp.Status)
	}
}

func TestRetentionIsComparedWithTheWindow(t *testing.T) {
	h := newHospital(t)
	for _, story := range []struct {
		keeps registry.Retention
		want  doctor.Status
		says  string
	}{
		{registry.Retention{Known: true, Untagged: 7 * 24 * time.Hour}, doctor.Broken, "for 7 days, not for 90 days"},
		{registry.Retention{Known: true, Untagged: 90 * 24 * time.Hour}, doctor.OK, "90 days"},
		{registry.Retention{Known: true, Locks: true, SoftDelete: 14 * 24 * time.Hour}, doctor.OK, "deletes nothing"},
		{registry.Retention{Known: true, SoftDelete: 14 * 24 * time.Hour, Detail: "a policy"}, doctor.OK, "a policy; what was deleted can be restored for 14 days"},
		{registry.Retention{Known: true, Released: 60 * 24 * time.Hour}, doctor.Broken, "a release tag names after 60 days"},
		{registry.Retention{Known: true, Released: 90 * 24 * time.Hour}, doctor.OK, ""},
		{registry.Retention{Known: true, ReleasedKept: 1}, doctor.Broken, "newest 1 of what release tags name, and 1 came"},
		{registry.Retention{Known: true, ReleasedKept: 100}, doctor.Warning, "newest 100"},
		{registry.Retention{Known: true, UntaggedKept: 100}, doctor.Warning, "what no tag names, however old"},
		{registry.Retention{Detail: "no right to read the policy"}, doctor.Unknown, "no right to read"},
	} {
		h.cloud.keeps = story.keeps
		is(t, fact(t, h.examine(release.DoctorRequest{}), "retention", "prod/chat"), story.want, story.says)
	}
}
