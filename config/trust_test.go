package config_test

import (
	"strings"
	"testing"

	"plimsoll/config"
)

func TestKeysOfKeyServicesAreNamedAndNotAskedFor(t *testing.T) {
	c := mustLoad(t, `
trust:
  ci: {keys: ['azurekms://acme.vault.azure.net/ci', {path: 'awskms:///arn:aws:kms:eu-west-1:123456789012:alias/ci', not-after: 2026-12-31}, keys/ci.pub]}
  owners:
    people:
      a@example.com: azurekms://acme.vault.azure.net/owner/0123456789abcdef0123456789abcdef
      b@example.com: [awskms://localhost:4566/alias/owner, 'awskms:///1234abcd-12ab-34cd-56ef-1234567890ab', 'awskms:///mrk-1234567890abcdef1234567890abcdef']
`+smallest)
	var members []config.Person
	for _, name := range []string{"ci", "owners"} {
		members = append(members, c.Trust[name].Members()...)
	}
	unresolved := 0
	for _, m := range members {
		k := m.Key
		if !config.KeyService(k.Path) {
			continue
		}
		unresolved++
		if k.Public != nil || k.SPKI != nil || k.PEM != nil || !strings.Contains(k.Problem, k.Path+" was not fetched") {
			t.Errorf("%+v", k)
		}
	}
	if k := c.Trust["ci"].Keys; unresolved != 6 || k[1].NotAfter.IsZero() || k[2].Problem != "" || k[2].Public == nil {
		t.Errorf("%d of 6; %+v", unresolved, k)
	}
}

func TestWorkflowPatternsFitTheWholeIdentity(t *testing.T) {
	c := mustLoad(t, `
trust:
  e2e:
    workflow:
      - {issuer: 'https://token.actions.githubusercontent.com', identity-pattern: 'https://github\.com/acme/(chat|web)/\.github/workflows/e2e\.yml@refs/heads/main|https://github\.com/acme/x'}
      - {issuer: 'https://token.actions.githubusercontent.com', identity: 'https://github.com/acme/chat/.github/workflows/e2e.yml@refs/heads/main'}
`+smallest)
	pattern, exact := c.Trust["e2e"].Workflow[0], c.Trust["e2e"].Workflow[1]
	for identity, want := range map[string]bool{
		"https://github.com/acme/chat/.github/workflows/e2e.yml@refs/heads/main": true,
		"https://github.com/acme/x":   true,
		"https://github.com/acme/x/y": false,
		"https://github.com/acme/chat/.github/workflows/e2e.yml@refs/heads/main-evil":   false,
		"https://evil.example/?https://github.com/acme/x":                               false,
		"https://github.com/acme/chat/.github/workflows/e2e.yml@refs/heads/main\nother": false,
		"other\nhttps://github.com/acme/x":                                              false,
	} {
		if got := pattern.Pattern.MatchString(identity); got != want {
			t.Errorf("%q: %v", identity, got)
		}
	}
	if pattern.Identity != "" || exact.Pattern != nil || exact.Identity == "" {
		t.Errorf("%+v %+v", pattern, exact)
	}
}

func TestRootOfTrustIsForKeylessGroupsOnly(t *testing.T) {
	const workflow = `
trust:
  ci: {keys: [keys/ci.pub]}
  e2e: {workflow: {issuer: 'https://token.actions.githubusercontent.com', identity: x}}
`
	for name, c := range map[string]struct {
		text, root, problem string
		first               bool
	}{
		"nothing said":   {"", "", "the trusted root of Sigstore's public good instance was not fetched yet", false},
		"a file":         {"trust-root: {file: trusted_root.json}\n", trustedRoot, "", false},
		"another TUF":    {"trust-root: {tuf: 'https://tuf.example.com', root: root.json}\n", "", "the trusted root of https://tuf.example.com was not fetched yet", true},
		"Sigstore's TUF": {"trust-root: {tuf: 'https://tuf-repo-cdn.sigstore.dev/'}\n", "", "the trusted root of https://tuf-repo-cdn.sigstore.dev/ was not fetched yet", false},
	} {
		t.Run(name, func(t *testing.T) {
			got := mustLoad(t, c.text+workflow+smallest)
			g := got.Trust["e2e"]
			if string(g.Root) != c.root || g.RootProblem != c.problem || string(got.TrustRoot.Raw) != c.root || got.TrustRoot.Problem != c.problem {
				t.Errorf("%q %q; %+v", g.Root, g.RootProblem, got.TrustRoot)
			}
			if k := got.Trust["ci"]; k.Root != nil || k.RootProblem != "" {
				t.Errorf("a group of keys needs no root: %+v", k)
			}
			if (got.TrustRoot.Init != nil) != c.first {
				t.Errorf("the first root: %s", got.TrustRoot.Init)
			}
		})
	}
}

func TestKeyOfAKeyServiceThatIsTwoPeoplesCountsForNobody(t *testing.T) {
	groups := mustLoad(t, `
trust:
  a: {people: {a@example.com: 'awskms:///alias/a', file@example.com: keys/owner.pub}}
  b: {people: {b@example.com: 'azurekms://acme.vault.azure.net/b', c@example.com: 'awskms:///alias/c'}}
  c: {people: {c@example.com: 'awskms:///alias/c'}}
`+smallest).Trust
	set := func(group string, i int, spki string) {
		groups[group].People[i].Key.SPKI, groups[group].People[i].Key.Problem = []byte(spki), ""
	}
	file := groups["a"].People[1].Key
	set("a", 0, "one")
	set("b", 0, string(file.SPKI))
	set("b", 1, "two")
	set("c", 0, "two")
	config.OnePersonEach(groups)
	if k := groups["b"].People[0].Key; k.SPKI != nil || k.Problem != "the key azurekms://acme.vault.azure.net/b is that of b@example.com and file@example.com, so one could sign for all" {
		t.Errorf("%+v", k)
	}
	for name, k := range map[string]config.Key{"its own": groups["a"].People[0].Key, "a file": groups["a"].People[1].Key, "in two groups": groups["c"].People[0].Key} {
		if k.SPKI == nil || k.Problem != "" {
			t.Errorf("%s: %+v", name, k)
		}
	}
}
