package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plimsoll/cli"
)

// typed runs a command on a terminal on which a person types an answer.
func (w *world) typed(signer, text string, args ...string) answer {
	w.t.Helper()
	var out, errs bytes.Buffer
	io := w.io(signer)
	io.In, io.Out, io.Err, io.Terminal = strings.NewReader(text), &out, &errs, true
	code := cli.Execute(w.t.Context(), args, io)
	return answer{out.String(), errs.String(), code}
}

func (a answer) says(t *testing.T, code int, texts ...string) {
	t.Helper()
	if a.code != code {
		t.Fatalf("exit %d, expected %d\n%s%s", a.code, code, a.out, a.err)
	}
	for _, text := range texts {
		if !strings.Contains(a.out+a.err, text) {
			t.Errorf("%q is not in\n%s%s", text, a.out, a.err)
		}
	}
}

// edit changes the configuration of somebody, as an editor does.
func (w *world) edit(signer, old, now string) {
	w.t.Helper()
	raw, err := os.ReadFile(filepath.Join(w.dir, signer+".yaml"))
	if err != nil {
		w.t.Fatal(err)
	}
	text := strings.Replace(string(raw), old, now, 1)
	if text == string(raw) {
		w.t.Fatalf("%q is not in the configuration", old)
	}
	w.write(signer+".yaml", []byte(text))
}

// owned puts owners into everybody's configuration; platform is who owns.
func (w *world) owned() {
	w.keys("platform")
	w.configure("platform")
	for _, name := range []string{"you", "platform"} {
		w.edit(name, "trust:\n", "trust:\n  policy-owners: {people: {platform@example.com: platform.pub}}\n")
	}
}

func (w *world) policyDigest(signer string) string {
	w.t.Helper()
	var v struct{ Digest string }
	if err := json.Unmarshal([]byte(w.mustAs(signer, "policy", "show", "chat", "-o", "json")), &v); err != nil {
		w.t.Fatal(err)
	}
	return v.Digest
}

func TestAnEditedFileNeedsItsOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, embeddedRegistries)
	w.owned()
	v1 := w.candidate("v1", small("v1"))
	promote := []string{"promote", "chat", string(v1), "--yes", "--expect", "none"}
	w.refused(3, "policy", promote...)
	if out := w.must("policy", "show", "chat"); !strings.Contains(out, "NOT SIGNED") || !strings.Contains(out, "none ever was") {
		t.Error(out)
	}

	// Signing has to be told which policy, and only the owner can.
	w.refused(2, "no terminal", "policy", "sign", "chat")
	w.refused(2, "with --yes the digest of the policy is needed", "policy", "sign", "chat", "--yes")
	w.refused(2, "is no digest", "policy", "sign", "chat", "--yes", "--digest", "none")
	dg := w.policyDigest("platform")
	if dg != w.policyDigest("you") {
		t.Error("one file, two policies")
	}
	w.refused(2, "your key is none of the owners", "policy", "sign", "chat", "--yes", "--digest", dg)
	w.refused(2, "read-only", "policy", "sign", "chat", "--yes", "--digest", dg, "--read-only")
	if out := w.mustAs("platform", "policy", "sign", "chat", "--yes", "--digest", dg); !strings.Contains(out, "signed by platform@example.com") {
		t.Error(out)
	}
	if out := w.mustAs("platform", "policy", "sign", "chat", "--yes", "--digest", dg); !strings.Contains(out, "signed already") {
		t.Error(out)
	}
	w.must(promote...)
	if out := w.must("verify", w.prod().At(v1)); !strings.Contains(out, dg+", signed by platform@example.com") {
		t.Error(out)
	}

	// Somebody edits the file, owners and all, and is told what they changed.
	w.edit("you", "max-severity: medium", "max-severity: critical")
	w.edit("you", "  policy-owners: {people: {platform@example.com: platform.pub}}\n", "")
	v2 := w.candidate("v2", small("v2"))
	w.refused(3, `max-severity: "critical"`, "promote", "chat", string(v2), "--yes")
	out := w.must("policy", "show", "chat")
	for _, says := range []string{`- gates.scan.max-severity: "medium"`, `+ gates.scan.max-severity: "critical"`, "NOT SIGNED", "OWNERS"} {
		if !strings.Contains(out, says) {
			t.Errorf("%q is not in\n%s", says, out)
		}
	}
	w.refused(2, "your key is none", "policy", "sign", "chat", "--yes", "--digest", w.policyDigest("you"))
}

func TestTheOwnerSeesTheDifferenceBeforeSigning(t *testing.T) {
	t.Parallel()
	w := newWorld(t, embeddedRegistries)
	w.owned()
	w.mustAs("platform", "policy", "sign", "chat", "--yes", "--digest", w.policyDigest("platform"))
	w.edit("platform", "suites: [smoke]", "suites: [smoke, api]")
	w.typed("platform", "yes\n", "policy", "sign", "chat").says(t, 1, `+ gates.e2e.suites: ["api", "smoke"]`, "Type chat to confirm", "not confirmed")
	if out := w.mustAs("platform", "policy", "show", "chat"); !strings.Contains(out, "NOT SIGNED") {
		t.Error(out)
	}
	w.typed("platform", "chat\n", "policy", "sign", "chat").says(t, 0, "signed by platform@example.com")
	if out := w.mustAs("platform", "policy", "show", "chat"); !strings.Contains(out, "signed     by platform@example.com") {
		t.Error(out)
	}
}

func TestAFreezeIsPassedWithAReasonOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, embeddedRegistries)
	w.edit("you", "records:", "  freeze: [{from: 2020-01-01, to: 2099-01-01, reason: year end}]\noverrides: [{gates: [freeze], by: [release-owners]}]\nrecords:")
	v1 := w.candidate("v1", small("v1"))
	w.refused(3, "year end", "promote", "chat", string(v1), "--yes")
	w.refused(2, "--override needs a reason", "promote", "chat", string(v1), "--yes", "--override", "freeze")
	w.refused(3, "the policy does not let you@example.com go past e2e", "promote", "chat", string(v1), "--yes", "--override", "freeze", "--override", "e2e", "--reason", "it burns")

	w.typed("you", "chat\n", "promote", "chat", string(v1), "--override", "freeze", "--reason", "it burns").
		says(t, 0, "OVERRIDE freeze: it burns", "This changes PROD.", "OVERRIDE freeze\n")
	if out := w.must("history", "chat"); !strings.Contains(out, "OVERRIDE freeze by you@example.com: it burns") {
		t.Error(out)
	}
	if out := w.must("history", "chat", "-o", "json"); !strings.Contains(out, `"overrides": [`) {
		t.Error(out)
	}
	out := w.must("verify", w.prod().At(v1))
	if !strings.Contains(out, "OVERRIDE freeze by you@example.com: it burns") || !strings.Contains(out, "signed by no owner") {
		t.Error(out)
	}

	// Back needs no override, ever: not in a freeze, and not with a file that nobody signed.
	v2 := w.candidate("v2", small("v2"))
	w.must("promote", "chat", string(v2), "--yes", "--override", "freeze", "--reason", "it burns")
	w.edit("you", "trust:\n", "trust:\n  policy-owners: {keys: [scanner.pub]}\n")
	w.refused(3, "policy", "promote", "chat", string(w.candidate("v3", small("v3"))), "--yes")
	w.must("rollback", "chat", string(v1), "--yes", "--reason", "it burns more")
	if now := w.inProd(); now != v1 {
		t.Errorf("prod has %s", now)
	}
}
