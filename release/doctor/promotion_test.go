package doctor_test

import (
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/release"
	"plimsoll/release/doctor"
)

func TestTheEvidenceIdentityIsRecognisedByWhatItReads(t *testing.T) {
	t.Setenv("PLIMSOLL_TEST_viewer", viewerSecret)
	t.Setenv("PLIMSOLL_TEST_nobody", "guessed")
	for user, want := range map[string]doctor.Status{"viewer": doctor.OK, "nobody": doctor.Unknown} {
		h := newHospital(t)
		h.guard.bearer = true // turns known accounts away as it does strangers: 401
		entry := h.config.Registries[h.guard.host]
		entry.Evidence = &config.Identity{Username: user, PasswordEnv: "PLIMSOLL_TEST_" + user}
		h.config.Registries[h.guard.host] = entry
		is(t, fact(t, h.examine(release.DoctorRequest{}), "evidence-write", "prod/chat"), want, "")
	}
}

func TestThePromotionIdentityHasToBeShortLivedAndSomebodyElse(t *testing.T) {
	password := func(user string) *config.Identity {
		return &config.Identity{Username: user, PasswordEnv: "PLIMSOLL_TEST_" + user}
	}
	t.Setenv("PLIMSOLL_TEST_robot", robotSecret)
	t.Setenv("PLIMSOLL_TEST_viewer", viewerSecret)
	for name, story := range map[string]struct {
		edit     func(*hospital, *config.Registry)
		id       string
		want     doctor.Status
		says     string
		promoted bool
	}{
		"static password":    {func(_ *hospital, r *config.Registry) { r.Promote = password("robot") }, "promotion-lifetime", doctor.Warning, "static password", true},
		"long-lived":         {func(h *hospital, _ *config.Registry) { h.cloud.ends = h.now.Add(90 * 24 * time.Hour) }, "promotion-lifetime", doctor.Warning, "90 days", true},
		"unknown end":        {func(h *hospital, _ *config.Registry) { h.cloud.ends = time.Time{} }, "promotion-lifetime", doctor.Unknown, "was not said", true},
		"same role":          {func(h *hospital, _ *config.Registry) { h.cloud.names["promote"] = "viewer" }, "promotion-separate", doctor.Broken, "the same: role/viewer", true},
		"same subject":       {func(h *hospital, _ *config.Registry) { h.cloud.names["look"] = "robot" }, "promotion-separate", doctor.Broken, "the same: role/robot", true},
		"same entry":         {func(_ *hospital, r *config.Registry) { r.Promote = r.Read }, "promotion-separate", doctor.Broken, "the same", false},
		"same user":          {func(_ *hospital, r *config.Registry) { r.Read, r.Promote = password("viewer"), password("viewer") }, "promotion-separate", doctor.Broken, "the same: user viewer", true},
		"other user":         {func(_ *hospital, r *config.Registry) { r.Read, r.Promote = password("viewer"), password("robot") }, "promotion-separate", doctor.OK, "user robot", true},
		"unnamed":            {func(_ *hospital, r *config.Registry) { r.Promote = password("robot") }, "promotion-separate", doctor.Unknown, "may be the same", false},
		"none":               {func(_ *hospital, r *config.Registry) { r.Promote = nil }, "promotion-identity", doctor.Warning, "no promotion identity", true},
		"a pipeline":         {func(_ *hospital, r *config.Registry) { r.Promote, r.Via = nil, &config.Via{} }, "promotion-identity", doctor.Unknown, "in that pipeline", true},
		"no right":           {func(h *hospital, _ *config.Registry) { h.guard.rights = h.guard.rights[:3] }, "promotion-write", doctor.Broken, "cannot write", true},
		"evidence may write": {func(_ *hospital, r *config.Registry) { r.Evidence = password("robot") }, "evidence-write", doctor.Broken, "may write", false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHospital(t)
			entry := h.config.Registries[h.guard.host]
			story.edit(h, &entry)
			h.config.Registries[h.guard.host] = entry
			is(t, fact(t, h.examine(release.DoctorRequest{Promotion: story.promoted}), story.id, ""), story.want, story.says)
		})
	}
}
