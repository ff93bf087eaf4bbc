package release_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/fault"
	"plimsoll/gates/evidence"
	"plimsoll/registry"
	"plimsoll/registry/acr"
	"plimsoll/registry/acr/acrtest"
	"plimsoll/release"
	"plimsoll/release/doctor"
)

// factOf is the fact of that id, and what it says.
func factOf(t *testing.T, r doctor.Report, id string) (doctor.Status, string) {
	t.Helper()
	for _, f := range r.Services[0].Facts {
		if f.ID == id {
			return f.Status, f.Summary + " " + f.Detail + " " + f.Hint
		}
	}
	t.Fatalf("no fact %s: %s", id, asJSON(t, r))
	return "", ""
}

func TestTheDoctorOnAzure(t *testing.T) {
	a := newAzure(t, true)
	if _, err := a.promoteAloud(a.ready("v1", image("app", a.now))); err != nil {
		t.Fatal(err)
	}
	contributor := acrtest.Assignment{Role: "Contributor", Scope: "/subscriptions/sub", Actions: []string{"*"}, NotActions: []string{"Microsoft.Authorization/*/Write"}}
	for _, step := range []struct {
		change func()
		want   map[string]doctor.Status
		says   map[string]string
	}{
		{
			func() {},
			map[string]doctor.Status{
				"everyday-write": doctor.OK, "everyday-import": doctor.OK, "promotion-write": doctor.OK, "promotion-staging": doctor.OK, "promotion-import": doctor.OK,
				"promotion-lifetime": doctor.OK, "promotion-separate": doctor.OK, "promoted-kept": doctor.OK, "promoted-locked": doctor.OK, "retention": doctor.OK,
				"channel": doctor.OK,
			},
			map[string]string{"promotion-lifetime": "ends in 3 hours", "promotion-separate": promoter},
		},
		{
			func() {
				contributor.Host = a.prod.Host
				a.cloud.Assign(everyday, contributor)
				a.cloud.Grant(everyday, a.prod.Host, "roleAssignments")
				contributor.Host = a.staging.Host
				a.cloud.Assign(promoter, contributor)
				a.target.Properties["policies"] = map[string]any{"retentionPolicy": map[string]any{"status": "enabled", "days": 7}}
			},
			map[string]doctor.Status{"everyday-write": doctor.OK, "everyday-import": doctor.Broken, "promotion-import": doctor.Broken, "retention": doctor.Broken},
			map[string]string{"everyday-import": "by Contributor on /subscriptions/sub", "promotion-import": "import images", "retention": "7 days, not for 90"},
		},
		{
			func() {
				a.cloud.Grant(everyday, a.prod.Host, "push")
				a.cloud.Grant(promoter, a.staging.Host, "push")
			},
			map[string]doctor.Status{"everyday-write": doctor.Broken, "promotion-staging": doctor.Broken},
			nil,
		},
	} {
		step.change()
		a.open(a.config.Registries) // with tokens of today's rights
		r, err := a.desk.Doctor(t.Context(), "chat", release.DoctorRequest{Promotion: true})
		if err != nil {
			t.Fatal(err)
		}
		for id, want := range step.want {
			if got, text := factOf(t, r, id); got != want || !strings.Contains(text, step.says[id]) {
				t.Errorf("%s is %s, not %s (%q): %s", id, got, want, step.says[id], text)
			}
		}
	}
}

func TestARollbackBringsADeletedTargetBack(t *testing.T) {
	for name, story := range map[string]struct {
		spoil func(a *azure)
		code  fault.Code
		says  string
	}{
		"from the bin":     {func(*azure) {}, 0, "restored"},
		"it may not":       {func(a *azure) { a.cloud.Revoke(promoter, a.prod.Host, "deleted_restore") }, fault.Refused, "could not be restored"},
		"the bin is empty": {func(a *azure) { a.target.EmptyBin(a.prod.Path) }, fault.Failed, "prod no longer has"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAzure(t, false)
			first := a.ready("v1", image("one", a.now), image("one", a.now, arm64))
			if _, err := a.promoteAloud(first); err != nil {
				t.Fatal(err)
			}
			children := a.children(first)
			a.now = a.now.Add(time.Minute)
			if _, err := a.promoteAloud(a.ready("v2", image("two", a.now))); err != nil {
				t.Fatal(err)
			}
			for _, dg := range append([]digest.Digest{first}, children...) {
				a.target.SoftDelete(a.prod.Path, dg)
			}
			story.spoil(a)
			a.open(a.config.Registries)
			out, err := a.desk.Rollback(t.Context(), release.RollbackRequest{Service: "chat", Reason: "errors"}, nil)
			said := strings.Join(out.Warnings, " ")
			if err != nil {
				said += err.Error() + " " + fault.HintOf(err)
			}
			if fault.CodeOf(err) != story.code || !strings.Contains(said, story.says) {
				t.Fatalf("%+v, %v", out, err)
			}
			if story.code != 0 {
				return
			}
			reader := a.cloud.Client(registry.Promote, nil, nil, func(o *registry.Options) { o.As = &registry.Credential{RefreshToken: a.target.Refresh(everyday)} })
			if err := registry.Complete(t.Context(), reader, a.prod, first); err != nil {
				t.Error(err)
			}
			if d, err := reader.Head(t.Context(), a.prod, "live"); err != nil || d.Digest != first {
				t.Errorf("%v, %v", d.Digest, err)
			}
		})
	}
}

func TestAWarmListOnAzureReadsPagesInPlaceOfEachTag(t *testing.T) {
	a := newAzure(t, false)
	var newest digest.Digest
	for i := range 12 {
		newest = a.push(a.staging, fmt.Sprintf("v1.%d main-%d", i, i), image(fmt.Sprint(i), a.now.Add(time.Duration(i-20)*time.Hour)))
	}
	cold := a.list()
	a.cloud.Forget()
	warm := a.list()
	heads, pages := 0, 0
	for _, r := range a.cloud.Requests(a.staging.Host) {
		switch {
		case r.Method == http.MethodHead:
			heads++
		case strings.HasSuffix(r.Path, "/_manifests") && r.Status == http.StatusOK:
			pages++
		}
	}
	if heads != 0 || pages != 1 {
		t.Errorf("%d HEADs of 24 tags, %d pages", heads, pages)
	}
	warm.At, cold.At = time.Time{}, time.Time{}
	if x, y := asJSON(t, cold), asJSON(t, warm); x != y || len(warm.Candidates) != 12 || warm.Candidates[0].Digest != newest {
		t.Errorf("the warm list differs:\n%s\n%s", x, y)
	}

	moved := a.push(a.staging, "v1.3", image("moved", a.now))
	if c := candidate(t, a.list(), moved); len(c.Tags) != 1 || c.Tags[0] != "v1.3" {
		t.Errorf("%+v", c)
	}
	a.cloud.Revoke(everyday, a.staging.Host, "metadata_read")
	a.open(a.config.Registries)
	if v := a.list(); len(v.Candidates) != 13 {
		t.Errorf("%d candidates without the right to list", len(v.Candidates))
	}
}

// TestLocksKeepReleasesAndNotTheChannel: what is locked can be promoted again and gone back to, since its
// manifest and the channel stay open; a channel that somebody locked stays where it is.
func TestLocksKeepReleasesAndNotTheChannel(t *testing.T) {
	a := newAzure(t, false)
	first := a.ready("v1", image("one", a.now))
	second := a.ready("v2", image("two", a.now.Add(time.Second)))
	for _, dg := range []digest.Digest{first, second, first} {
		a.now = a.now.Add(time.Minute)
		a.approve(dg, evidence.Approved)
		if out, err := a.promoteAloud(dg); err != nil || len(out.Warnings) != 0 {
			t.Fatalf("%v %v", out.Warnings, err)
		}
	}
	a.now = a.now.Add(time.Minute)
	hand := a.cloud.Client(registry.Promote, nil, acr.Providers(acr.Options{Transport: a.cloud.Transport()}), func(o *registry.Options) {
		o.As = &registry.Credential{RefreshToken: a.target.Refresh(promoter)}
	})
	if ok, err := hand.Lock(t.Context(), a.prod, first, "live"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	a.approve(second, evidence.Approved)
	_, err := a.promoteAloud(second)
	if fault.CodeOf(err) != fault.Failed || !strings.Contains(err.Error(), "locked") || !strings.Contains(fault.HintOf(err), "--write-enabled true") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
	if v := a.list(); v.Prod.Digest == nil || *v.Prod.Digest != first {
		t.Errorf("%+v", v.Prod)
	}
}

func TestThePromotionIdentityIsNotAskedForBeforeItIsNeeded(t *testing.T) {
	a := newAzure(t, true)
	dg := a.push(a.staging, "v1", image("app", a.now)) // nothing speaks for it
	if _, err := a.promoteAloud(dg); fault.CodeOf(err) != fault.Gate {
		t.Fatal(err)
	}
	tokens := func() int {
		n := 0
		for _, token := range a.cloud.Secrets() {
			if parts := strings.Split(token, "."); len(parts) == 3 {
				if raw, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil && strings.Contains(string(raw), promoter) {
					n++
				}
			}
		}
		return n
	}
	if _, err := a.desk.Doctor(t.Context(), "", release.DoctorRequest{}); err != nil {
		t.Fatal(err)
	}
	if n := tokens(); n != 0 {
		t.Errorf("%d tokens of the promotion identity for what a gate refused and for looking", n)
	}
	if _, err := a.promoteAloud(a.ready("v2", image("two", a.now))); err != nil || tokens() == 0 {
		t.Errorf("%d tokens, %v", tokens(), err)
	}
}
