package gates_test

import (
	"testing"
	"time"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

func originWorld(t testing.TB) *world {
	return newWorld(t).gates(config.Gates{Provenance: &config.ProvenanceGate{
		Signers: []string{ci}, Source: "https://github.com/acme/chat", Branches: []string{"main", "release/*"},
		Builders: []string{"https://github.com/acme/chat/.github/workflows/*"},
	}})
}

// github is what actions/attest-build-provenance writes.
func github(repository, ref string) map[string]any {
	return map[string]any{
		"buildDefinition": map[string]any{
			"buildType":          "https://actions.github.io/buildtypes/workflow/v1",
			"externalParameters": map[string]any{"workflow": map[string]any{"ref": ref, "repository": repository, "path": ".github/workflows/build.yml"}},
			"resolvedDependencies": []any{
				map[string]any{"uri": "git+" + repository + "@" + ref, "digest": map[string]string{"gitCommit": commit}},
			},
		},
		"runDetails": map[string]any{
			"builder":  map[string]any{"id": repository + "/.github/workflows/build.yml@" + ref},
			"metadata": map[string]any{"finishedOn": now.Add(-time.Hour).Format(time.RFC3339)},
		},
	}
}

func TestProvenanceSaysWhereAndByWhomItWasBuilt(t *testing.T) {
	w := originWorld(t)
	w.expect(gates.Provenance, gates.Missing, "none", "ask ci to build it from github.com/acme/chat (main or release/*)")
	w.add(w.sign(mallory, evidence.SLSA1, github("https://github.com/acme/chat", "refs/heads/main"), candidate))
	w.expect(gates.Provenance, gates.Missing, "wrong signer: no key of ci")
	w.add(w.sign(ci, evidence.SLSA1, github("https://github.com/acme/chat", "refs/heads/main"), candidate))
	w.expect(gates.Provenance, gates.Pass, "main", "linux/arm64/v8: the provenance, signed by ci on 2026-11-24 11:00 UTC (statement ", ", says: github.com/acme/chat refs/heads/main",
		"commit 0123456789ab (dependencies)", "builder https://github.com/acme/chat/.github/workflows/build.yml@refs/heads/main")
}

func TestProvenanceFromElsewhereFailsAndIsRemembered(t *testing.T) {
	for name, c := range map[string]struct {
		predicate any
		says      string
	}{
		"repository": {github("https://github.com/mallory/chat", "refs/heads/main"), "it was built from github.com/mallory/chat, not from github.com/acme/chat"},
		"look-alike": {github("https://github.com/acme/chat-evil", "refs/heads/main"), "not from github.com/acme/chat"},
		"branch":     {github("https://github.com/acme/chat", "refs/heads/wip"), "not from branch main or release/*"},
		"pull":       {github("https://github.com/acme/chat", "refs/pull/7/merge"), "refs/pull/7/merge"},
		"deeper":     {github("https://github.com/acme/chat", "refs/heads/release/a/b"), "not from branch"},
	} {
		t.Run(name, func(t *testing.T) {
			w := originWorld(t)
			bad := w.sign(ci, evidence.SLSA1, c.predicate, candidate)
			w.add(bad).expect(gates.Provenance, gates.Fail, "built elsewhere", c.says)
			w.in.Negatives = w.judge().Negatives
			w.remove(bad)
			w.expect(gates.Provenance, gates.Error, "evidence disappeared")
		})
	}
	w := originWorld(t)
	w.policy.Service.Gates.Provenance.Builders = []string{"https://github.com/acme/builder/.github/workflows/build.yml@refs/tags/v1"}
	w.add(w.sign(ci, evidence.SLSA1, github("https://github.com/acme/chat", "refs/heads/main"), candidate))
	w.expect(gates.Provenance, gates.Fail, "it was built by https://github.com/acme/chat/.github/workflows/build.yml@refs/heads/main, not by")
}

func TestEveryRefThatProvenanceNamesHasToFit(t *testing.T) {
	w := originWorld(t)
	p := github("https://github.com/acme/chat", "refs/heads/main")
	p["buildDefinition"].(map[string]any)["resolvedDependencies"] = []any{map[string]any{"uri": "git+https://github.com/acme/chat@refs/pull/7/merge", "digest": map[string]string{"gitCommit": commit}}}
	w.add(w.sign(ci, evidence.SLSA1, p, candidate)).expect(gates.Provenance, gates.Fail, "it was built from refs/pull/7/merge of github.com/acme/chat, not from branch main", "refs/pull/7/merge commit 0123456789ab (dependencies)")
}

func TestProvenanceOfOtherBuilders(t *testing.T) {
	slsa02 := func(uri string) any {
		return map[string]any{
			"buildType":  "https://github.com/slsa-framework/slsa-github-generator/container@v1",
			"builder":    map[string]any{"id": "https://github.com/acme/chat/.github/workflows/build.yml@refs/tags/v2.0.0"},
			"invocation": map[string]any{"configSource": map[string]any{"uri": uri, "digest": map[string]string{"sha1": commit}}},
			"metadata":   map[string]any{"buildFinishedOn": now.Format(time.RFC3339)},
		}
	}
	slsa1 := func(parameters map[string]any, metadata map[string]any, deps ...any) any {
		return map[string]any{
			"buildDefinition": map[string]any{"buildType": "https://example.com/build", "externalParameters": parameters, "resolvedDependencies": deps},
			"runDetails":      map[string]any{"builder": map[string]any{"id": "https://github.com/acme/chat/.github/workflows/x"}, "metadata": metadata},
		}
	}
	vcs := map[string]any{"buildkit_metadata": map[string]any{"vcs": map[string]any{"source": "git@github.com:acme/chat.git", "revision": commit}}}
	git := map[string]any{"uri": "git+https://github.com/acme/chat@refs/heads/main", "digest": map[string]string{"gitCommit": commit}}
	for name, c := range map[string]struct {
		kind      string
		predicate any
		want      gates.Status
		says      string
	}{
		"v0.2":              {evidence.SLSA02, slsa02("git+https://github.com/Acme/chat.git@refs/heads/release/1.2"), gates.Pass, "refs/heads/release/1.2"},
		"v0.2 elsewhere":    {evidence.SLSA02, slsa02("git+https://gitlab.com/acme/chat@refs/heads/main"), gates.Fail, "gitlab.com/acme/chat"},
		"BuildKit, git":     {evidence.SLSA1, slsa1(map[string]any{"configSource": map[string]any{"uri": "https://github.com/acme/chat.git#refs/heads/main:docker"}}, nil), gates.Pass, "github.com/acme/chat refs/heads/main (externalParameters.configSource)"},
		"BuildKit, commit":  {evidence.SLSA1, slsa1(map[string]any{"configSource": map[string]any{"uri": "https://github.com/acme/chat.git#" + commit}}, nil), gates.Missing, "does not say from which branch"},
		"BuildKit, vcs":     {evidence.SLSA1, slsa1(nil, vcs), gates.Missing, "does not say from which branch it was built; it says: github.com/acme/chat commit 0123456789ab"},
		"BuildKit, vcs, on": {evidence.SLSA1, slsa1(nil, vcs, git), gates.Pass, "main"},
		"GitLab":            {evidence.SLSA1, slsa1(map[string]any{"source": "https://github.com/acme/chat"}, nil, git), gates.Pass, "main"},
		"Cloud Build":       {evidence.SLSA1, slsa1(map[string]any{"buildConfigSource": map[string]any{"repository": "https://github.com/acme/chat", "ref": "refs/heads/main"}}, nil), gates.Pass, "main"},
		"dependency only":   {evidence.SLSA1, slsa1(nil, nil, git), gates.Pass, "main"},
		"two dependencies":  {evidence.SLSA1, slsa1(nil, nil, git, map[string]any{"uri": "git+https://github.com/mallory/x@refs/heads/main", "digest": map[string]string{"gitCommit": commit}}), gates.Missing, "names several repositories"},
		"nothing":           {evidence.SLSA1, slsa1(nil, nil), gates.Missing, "does not say from which repository"},
	} {
		t.Run(name, func(t *testing.T) {
			w := originWorld(t)
			w.in.Platforms = w.in.Platforms[:1]
			w.add(w.sign(ci, c.kind, c.predicate, candidate)).expect(gates.Provenance, c.want, c.says)
		})
	}
}

func TestBuildKitsUnsignedProvenanceSaysNothingOfTheOrigin(t *testing.T) {
	w := originWorld(t)
	w.in.Platforms = w.in.Platforms[:1]
	w.add(w.buildKit(github("https://github.com/acme/chat", "refs/heads/main"), amd64), w.tests(ci, "smoke", time.Hour))
	w.expect(gates.Provenance, gates.Missing, "none")
}

func TestProvenanceOfOnePlatformCoversThatOne(t *testing.T) {
	w := originWorld(t)
	w.add(w.sign(ci, evidence.SLSA1, github("https://github.com/acme/chat", "refs/heads/main"), amd64)).expect(gates.Provenance, gates.Missing, "no linux/arm64/v8")
	w.add(w.sign(ci, evidence.SLSA1, github("https://github.com/acme/chat", "refs/heads/main"), arm64)).expect(gates.Provenance, gates.Pass)
	w.policy.Service.Gates.Provenance.MaxAge = time.Minute
	w.expect(gates.Provenance, gates.Stale, "old", "at most 1 min old")
}

func TestABranchPatternMayTellBranchesFromTags(t *testing.T) {
	w := originWorld(t)
	w.add(w.sign(ci, evidence.SLSA1, github("https://github.com/acme/chat", "refs/tags/main"), candidate)).expect(gates.Provenance, gates.Pass)
	w.policy.Service.Gates.Provenance.Branches = []string{"refs/heads/main"}
	w.expect(gates.Provenance, gates.Fail, "refs/tags/main")
}
