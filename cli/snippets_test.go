package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plimsoll/registry/embedded"
)

// page is what a page of docs/gates needs around its snippets, and what holds
// when one of them ran.
type page struct {
	signer string // whose key the pipeline has
	policy string // of plimsoll.yaml
	holds  func(c *checkout, s snippet)
}

// passes is a check that passes, or waits and says who signed.
func passes(gate string) func(*checkout, snippet) {
	return func(c *checkout, _ snippet) { c.expect(c.candidate, gate, "pass") }
}

var gatePages = map[string]page{
	"e2e":        {"ci", "gates: {e2e: {signers: [ci], max-age: 72h, suites: [smoke]}}", passes("e2e")},
	"scan":       {"ci", "gates: {scan: {signers: [ci], max-severity: medium, max-age: 24h}}", passes("scan")},
	"base-image": {"ci", "gates: {base-image: {signers: [ci], pinned: required}}", passes("base-image")},
	"provenance": {"ci", `gates:
  provenance:
    signers: [ci]
    source: https://github.com/acme/chat
    branches: [main]
    builders: ['https://github.com/acme/chat/.github/workflows/build.yml@*', 'https://dev.azure.com/acme/chat/_build?definitionId=12']`, passes("provenance")},
	"sign-off": {"qa", "gates: {sign-off: {signers: [qa-leads], when: always}}", passes("sign-off")},
	"soak": {"ci", "gates: {soak: {min: 1h, channel: staging, signers: [ci]}}", func(c *checkout, _ snippet) {
		c.expect(c.candidate, "soak", "waiting", "signed by ci")
	}},
	"custom": {"ci", `gates:
  custom:
    - name: load-tested
      expr: >-
        evidence.exists(e, e.group == "ci" && e.predicateType == "https://in-toto.io/attestation/test-result/v0.1"
        && e.predicate.configuration[0].name == "load" && e.predicate.result == "PASSED" && now - e.signedAt < duration("168h"))
        || evidence.exists(e, e.group == "ci" && e.predicateType == "https://acme.example/load/v1"
        && e.predicate.p99Milliseconds < 300 && now - timestamp(e.predicate.finishedOn) < duration("168h"))`, passes("load-tested")},
	"freeze": {"ci", "gates: {freeze: [{from: 2020-12-20, to: 2021-01-02, reason: long ago}]}", passes("freeze")},
	"policy": {"owner", "", func(c *checkout, s snippet) {
		if raw, _ := os.ReadFile(c.job.env["GITHUB_STEP_SUMMARY"]); strings.HasPrefix(s.steps[0].Name, "Show") {
			if !strings.Contains(string(raw), "NOT SIGNED") {
				c.t.Errorf("the summary says %q", raw)
			}
			return
		}
		c.expect(c.candidate, "policy", "pass", "owner@example.com")
	}},
	"quarantine": {"owner", "", func(c *checkout, _ snippet) {
		if verdict, _ := c.checks(c.candidate); verdict != "quarantined" {
			c.t.Errorf("it is %s", verdict)
		}
	}},
	"overrides": {"owner", `gates: {freeze: [{from: 2020-12-20, to: 2099-01-02, reason: for ever}]}
overrides: [{gates: [freeze], by: [release-owners]}]`, func(c *checkout, _ snippet) {
		if now := c.inProd(); now != c.candidate {
			c.t.Errorf("prod has %q", now)
		}
	}},
}

// snippet is one block of steps of a page.
type snippet struct {
	page   string
	cosign bool
	steps  []step
}

// snippets are those of all pages.
func snippets(t *testing.T) []snippet {
	t.Helper()
	var found []snippet
	for name := range gatePages {
		for _, block := range blocks(t, filepath.Join("gates", name+".md"), "yaml") {
			if steps := stepsOf(block); len(steps) > 0 {
				found = append(found, snippet{name, strings.Contains(block, "cosign "), steps})
			}
		}
	}
	return found
}

// blocks are the blocks of code of that kind on a page of docs.
func blocks(t *testing.T, name, kind string) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, part := range strings.Split("\n"+string(raw), "\n```"+kind+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		found = append(found, block+"\n")
	}
	return found
}

// TestEveryGateHasSnippetsForBothSystems, with plimsoll and with cosign where either can make the evidence.
func TestEveryGateHasSnippetsForBothSystems(t *testing.T) {
	has := map[string]bool{}
	for _, s := range snippets(t) {
		has[fmt.Sprint(s.page, s.steps[0].system(), s.cosign)] = true
	}
	for name := range gatePages {
		for _, system := range []string{github, azure} {
			if !has[fmt.Sprint(name, system, false)] && (name != "provenance" || system == github) {
				t.Errorf("docs/gates/%s.md has no snippet for %s with plimsoll", name, system)
			}
			entry := name == "freeze" || name == "policy" || name == "quarantine" || name == "overrides" // no evidence, or one in the ledger
			if !has[fmt.Sprint(name, system, true)] && !entry {
				t.Errorf("docs/gates/%s.md has no snippet for %s with cosign", name, system)
			}
		}
	}
}

// TestSnippetsProduceTheirEvidence: what the pages of the gates say, put after
// the job of docs/gates.md, makes the gate pass.
func TestSnippetsProduceTheirEvidence(t *testing.T) {
	runSnippets(t, false, nil)
}

// runSnippets runs the snippets with cosign, or the others, each on registries
// of its own. programs are what is in the path beside the stand-ins.
func runSnippets(t *testing.T, cosign bool, programs map[string]string) {
	t.Helper()
	for _, s := range snippets(t) {
		if s.cosign != cosign || s.steps[0].Run+s.steps[0].Script == "" {
			continue // a step that the system brings along
		}
		t.Run(s.page+"/"+s.steps[0].system()+"/"+s.steps[0].Name+s.steps[0].DisplayName, func(t *testing.T) {
			t.Parallel()
			c := newCheckout(t, gatePages[s.page], s.steps[0].system(), programs)
			c.build()
			c.job.run(s.steps)
			gatePages[s.page].holds(c, s)
		})
	}
}

// critical is what Trivy finds in libssl3 where it finds something.
const critical = `"Results":[{"Target":"chat","Vulnerabilities":[{"VulnerabilityID":"CVE-2026-31337","Severity":"CRITICAL","PkgName":"libssl3","InstalledVersion":"3.0.17-1","PkgIdentifier":{"PURL":"pkg:deb/debian/libssl3@3.0.17-1"}}]}]`

// vulnerable is a checkout in which every scan finds something, scanned by the snippet of the page.
func vulnerable(t *testing.T, programs map[string]string) *checkout {
	t.Helper()
	c := newCheckout(t, gatePages["scan"], github, programs)
	for _, architecture := range []string{"amd64", "arm64"} {
		report := string(trivy(t, image("v1", architecture, embedded.Gzip)))
		c.write("files/json-"+architecture+".json", []byte(strings.Replace(report, `"Results":[]`, critical, 1)))
	}
	c.build()
	for _, s := range snippets(t) {
		if s.page == "scan" && !s.cosign && s.steps[0].system() == github {
			c.job.run(s.steps)
		}
	}
	c.expect(c.candidate, "scan", "fail", "CVE-2026-31337")
	return c
}

// TestTheExcuseOfThePageCounts: what docs/gates/scan.md signs as OpenVEX lets the finding pass.
func TestTheExcuseOfThePageCounts(t *testing.T) {
	t.Parallel()
	c := vulnerable(t, nil)
	c.job.script(blocks(t, "gates/scan.md", "sh")[0], map[string]string{"COSIGN_PASSWORD": snippetPassword})
	c.expect(c.candidate, "scan", "pass", "excused by OpenVEX")
}

// TestTheKeyOfThePageIsMade as docs/gates.md makes it.
func TestTheKeyOfThePageIsMade(t *testing.T) {
	t.Parallel()
	c := newCheckout(t, page{signer: "ci"}, github, nil)
	for _, half := range []string{"ci.key", "ci.pub"} {
		if err := os.RemoveAll(filepath.Join(c.dir, "keys", half)); err != nil {
			t.Fatal(err)
		}
	}
	c.job.script(blocks(t, "gates.md", "sh")[0], map[string]string{"COSIGN_PASSWORD": snippetPassword})
	for _, half := range []string{"ci.key", "ci.pub"} {
		if _, err := os.Stat(filepath.Join(c.dir, "keys", half)); err != nil {
			t.Error(err)
		}
	}
}
