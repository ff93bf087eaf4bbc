package acr_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/registry"
	"plimsoll/registry/acr/acrtest"
)

func TestWaysAroundThePushRightAreReadFromResourceManager(t *testing.T) {
	contributor := acrtest.Assignment{Host: prod, Role: "Contributor", Scope: "/subscriptions/sub/resourceGroups/prod-rg", Actions: []string{"*"}, NotActions: []string{"Microsoft.Authorization/*/Write"}}
	for name, story := range map[string]struct {
		assigned *acrtest.Assignment
		sees     bool // role assignments
		ways     string
		roles    string
	}{
		"pull only":         {nil, true, "", ""},
		"Contributor":       {&contributor, true, "import images, make an import pipeline, run a task that pushes, read the admin user's password, make a password for a token", "Contributor on /subscriptions/sub/resourceGroups/prod-rg"},
		"may not see roles": {&contributor, false, "import images, make an import pipeline, run a task that pushes, read the admin user's password, make a password for a token", ""},
		"the importer's": {
			&acrtest.Assignment{Host: prod, Role: "Importer", Scope: "/s", Actions: []string{"Microsoft.ContainerRegistry/registries/importImage/action"}},
			true, "import images", "Importer on /s",
		},
		"gives roles away": {
			&acrtest.Assignment{Host: prod, Role: "Access Administrator", Scope: "/s", Actions: []string{"*/read", "microsoft.authorization/*"}},
			true, "give roles away", "Access Administrator on /s",
		},
		"a reader of everything": {&acrtest.Assignment{Host: prod, Role: "Reader", Scope: "/s", Actions: []string{"*/read"}}, true, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if story.sees {
				w.Grant(reader, prod, "roleAssignments")
			}
			if story.assigned != nil {
				w.Assign(reader, *story.assigned)
			}
			b, offered, err := w.client(registry.Read).Bypasses(t.Context(), w.prod.Repository("app"))
			must(t, err)
			if !offered || strings.Join(b.Ways, ", ") != story.ways || strings.Join(b.Roles, ", ") != story.roles || b.Detail == "" {
				t.Errorf("%v %+v", offered, b)
			}
			if slices.ContainsFunc(w.Requests(acrtest.Manager), func(r acrtest.Request) bool { return r.Principal != reader }) {
				t.Error("asked under another identity")
			}
		})
	}
}

func TestWaysAroundThatCannotBeToldAreNotGuessed(t *testing.T) {
	w := newWorld(t)
	w.Revoke(reader, prod, "pull")
	if _, _, err := w.client(registry.Read).Bypasses(t.Context(), w.prod.Repository("app")); fault.CodeOf(err) != fault.Refused {
		t.Errorf("got %v", err)
	}
	e := w.entries[prod]
	e.Import = nil
	w.entries[prod] = e
	if _, offered, err := w.client(registry.Read).Bypasses(t.Context(), w.prod.Repository("app")); !offered || !errors.Is(err, registry.ErrUnsupported) {
		t.Errorf("%v, %v", offered, err)
	}
	w.entries["127.0.0.1:5000"] = config.Registry{}
	if _, offered, err := w.client(registry.Read).Bypasses(t.Context(), registry.Repository{Host: "127.0.0.1:5000", Path: "app"}); offered || err != nil {
		t.Errorf("%v, %v", offered, err)
	}
}
