//go:build interop

package cli_test

import (
	"strings"
	"testing"

	"plimsoll/gates/evidence"
	"plimsoll/registry/registrytest"
)

// cosignPrograms are what the snippets with cosign run, beside jq.
func cosignPrograms(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"cosign": cosignProgram(t), "crane": registrytest.Tool(t, cranePackage)}
}

// TestCosignSnippetsProduceTheirEvidence is TestSnippetsProduceTheirEvidence for those with cosign.
func TestCosignSnippetsProduceTheirEvidence(t *testing.T) {
	runSnippets(t, true, cosignPrograms(t))
}

// TestCosignSignsTheExcuseOfThePage: the document of docs/gates/scan.md, signed by cosign.
func TestCosignSignsTheExcuseOfThePage(t *testing.T) {
	t.Parallel()
	c := vulnerable(t, cosignPrograms(t))
	lines := blocks(t, "gates/scan.md", "sh")
	document, _, _ := strings.Cut(lines[0], "plimsoll attest vex")
	c.job.script("cosign signing-config create --out none.json\n"+document+lines[1], map[string]string{"COSIGN_PASSWORD": snippetPassword})
	c.expect(c.candidate, "scan", "pass", "excused by OpenVEX")
}

// TestCosignChecksWhatThePagesSay: a statement in staging as docs/gates.md checks
// it, an approval of the policy as docs/gates/policy.md does.
func TestCosignChecksWhatThePagesSay(t *testing.T) {
	t.Parallel()
	c := newCheckout(t, gatePages["policy"], github, cosignPrograms(t))
	c.build()
	password := map[string]string{"COSIGN_PASSWORD": snippetPassword}
	c.job.script(`plimsoll policy sign chat --yes --digest "$(plimsoll policy show chat -o json | jq -r .digest)"
cp keys/owner.pub keys/platform.pub; cp keys/owner.pub keys/ci.pub`, password)
	check := strings.Replace(blocks(t, "gates/policy.md", "sh")[0], "acrprod.azurecr.io/chat-ledger", c.prod().String()+"-ledger", 1)
	c.job.script(check, nil)
	c.job.script(`plimsoll attest e2e "$REPO@$DIGEST" --result files/smoke.xml --suite smoke`, password)
	lines := blocks(t, "gates.md", "sh")
	verify := lines[len(lines)-1]
	if !strings.Contains(verify, evidence.TestResult) {
		t.Fatalf("docs/gates.md checks\n%s", verify)
	}
	c.job.script(strings.Replace(verify, "REPO@DIGEST", c.staging().At(c.candidate), 1), nil)
}
