package ecr_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/registry"
	"plimsoll/registry/ecr"
	"plimsoll/registry/ecr/ecrtest"
	"plimsoll/registry/registrytest"
)

// guide is the pieces of JSON in docs/aws.md, in their order.
func guide(t *testing.T) (lifecycle string, prod, staging, everyday, promotion map[string][]string, names string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "aws.md"))
	must(t, err)
	blocks := regexp.MustCompile("(?ms)^```json\n(.*?)^```$").FindAllStringSubmatch(string(raw), -1)
	if len(blocks) != 6 {
		t.Fatalf("docs/aws.md has %d pieces of JSON", len(blocks))
	}
	policy := func(n int) map[string][]string { return allowed(t, blocks[n][1]) }
	pattern := regexp.MustCompile(`"sts:RoleSessionName": "([^"]*)"`).FindStringSubmatch(blocks[5][1])
	if pattern == nil {
		t.Fatal("the trust policy names no session")
	}
	return blocks[0][1], policy(1), policy(2), policy(3), policy(4), pattern[1]
}

// allowed is the actions that a policy allows, by resource; that of a repository has none.
func allowed(t *testing.T, text string) map[string][]string {
	t.Helper()
	var policy struct {
		Statement []struct{ Action, Resource any }
	}
	must(t, json.Unmarshal([]byte(text), &policy))
	list := func(v any) (out []string) {
		switch v := v.(type) {
		case string:
			return []string{v}
		case []any:
			for _, item := range v {
				out = append(out, item.(string))
			}
		case nil:
			return []string{"*"}
		}
		return out
	}
	allows := map[string][]string{}
	for _, s := range policy.Statement {
		for _, resource := range list(s.Resource) {
			allows[resource] = append(allows[resource], list(s.Action)...)
		}
	}
	return allows
}

// newGuided is the two accounts of docs/aws.md with its policies.
func newGuided(t *testing.T) *world {
	t.Helper()
	lifecycle, _, _, everyday, promotion, names := guide(t)
	const role = "arn:aws:iam::222222222222:role/plimsoll-promote"
	w := &world{Cloud: ecrtest.New(t,
		&ecrtest.Principal{ARN: person, Key: "AKIAADA", Secret: canary, Allows: everyday},
		&ecrtest.Principal{ARN: role, Trusts: []string{person}, Allows: promotion, Names: names},
	)}
	w.staging, w.prod = w.Add("111111111111", registrytest.Embedded(t)), w.Add("222222222222", registrytest.Embedded(t))
	w.staging.Create(ecrtest.Repository{Name: "chat"})
	w.prod.Create(ecrtest.Repository{Name: "chat", Mutability: "IMMUTABLE_WITH_EXCLUSION", Excluded: []string{"live", "sha256-*"}, Lifecycle: lifecycle})
	w.prod.Create(ecrtest.Repository{Name: "chat-ledger", Mutability: "IMMUTABLE"})
	id := &config.Identity{AWS: &config.AWSIdentity{Profile: "ro"}}
	taken := &config.Identity{AWS: &config.AWSIdentity{Profile: "ro", Role: role}}
	w.entries = map[string]config.Registry{
		w.staging.Host: {Read: id, Evidence: id, Promote: taken}, // as the doctor tries it
		w.prod.Host:    {Read: id, Promote: taken},
	}
	w.options = ecr.Options{HTTP: w.HTTP()}
	environment(t)
	return w
}

func TestThePoliciesOfTheGuideAllowWhatIsNeeded(t *testing.T) {
	w := newGuided(t)
	m := w.pushTo(t, w.staging, "chat", "v1")
	w.staging.Image("chat", m.Descriptor.Digest).Scan = []map[string]any{scanned("ACTIVE", map[string]any{})}
	read, promote := w.client(registry.Read), w.client(registry.Promote)
	staging, prod, ledger := w.staging.Repository("chat"), w.prod.Repository("chat"), w.prod.Repository("chat-ledger")
	if _, offered, err := read.Inventory(t.Context(), staging); !offered || err != nil {
		t.Errorf("list: %v, %v", offered, err)
	}
	if s, err := read.Scan(t.Context(), staging, m.Descriptor.Digest); err != nil || s.State != registry.Scanned {
		t.Errorf("scan: %+v, %v", s, err)
	}
	must(t, w.client(registry.Evidence).CanPush(t.Context(), staging))
	for _, c := range []*registry.Client{read, promote} {
		must(t, c.Ready(t.Context(), prod, needs(m)))
		must(t, c.Ready(t.Context(), ledger, registry.Needs{}))
	}
	_, err := registry.Copy(t.Context(), registry.CopyRequest{From: promote, Source: staging, To: promote, Target: prod, Root: m.Descriptor.Digest})
	must(t, err)
	for _, tag := range []string{"release-1", "live"} {
		must(t, promote.PutManifest(t.Context(), prod, tag, m))
	}
	must(t, promote.CanPush(t.Context(), ledger))
	must(t, registry.Complete(t.Context(), read, prod, m.Descriptor.Digest))
	ctx := registry.WithErrand(t.Context(), registry.Errand{Person: "owner@example.com", Operation: "20261124T050000.000001Z-ABCDEF"})
	must(t, w.client(registry.Promote).CanPush(ctx, prod))
}

func TestThePoliciesOfTheGuideAllowNoMore(t *testing.T) {
	w := newGuided(t)
	read, promote := w.client(registry.Read), w.client(registry.Promote)
	for what, err := range map[string]error{
		"the everyday identity writes prod":       read.CanPush(t.Context(), w.prod.Repository("chat")),
		"the everyday identity writes the ledger": read.CanPush(t.Context(), w.prod.Repository("chat-ledger")),
		"the promotion identity writes staging":   promote.CanPush(t.Context(), w.staging.Repository("chat")),
	} {
		if fault.CodeOf(err) != fault.Refused {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, prod, staging, everyday, promotion, _ := guide(t)
	for name, policy := range map[string]map[string][]string{"prod": prod, "staging": staging, "everyday": everyday, "promotion": promotion} {
		for _, actions := range policy {
			for _, a := range actions {
				if !regexp.MustCompile(`^(ecr:(Get|BatchGet|BatchCheck|Describe|List|Initiate|Upload|Complete|Put(Image$))|sts:AssumeRole$)`).MatchString(a) {
					t.Errorf("%s allows %s", name, a)
				}
			}
		}
	}
}

func TestTheLifecyclePolicyOfTheGuideKeepsReleases(t *testing.T) {
	w := newGuided(t)
	r, _, err := w.client(registry.Read).Retention(t.Context(), w.prod.Repository("chat"))
	if err != nil || !r.Known || r.Untagged != 0 || r.UntaggedKept != 0 || r.Released != 400*day || r.ReleasedKept != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// pushTo is push into another repository than app.
func (w *world) pushTo(t *testing.T, s *ecrtest.Registry, repo, tag string) registry.Manifest {
	t.Helper()
	s.Create(ecrtest.Repository{Name: "app"})
	m := w.push(t, s, tag)
	c := registrytest.Client(t)
	_, err := registry.Copy(t.Context(), registry.CopyRequest{From: c, Source: s.Behind("app"), To: c, Target: s.Behind(repo), Root: m.Descriptor.Digest})
	must(t, err)
	must(t, c.PutManifest(t.Context(), s.Behind(repo), tag, m))
	s.Note(repo, tag, m)
	return m
}
