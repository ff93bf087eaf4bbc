package cli_test

import (
	"strings"
	"testing"
	"time"

	"plimsoll/registry/embedded"
	"plimsoll/registry/harbor/harbortest"
	"plimsoll/registry/registrytest"
)

// harbors are the two registries of a world.
type harbors struct{ staging, prod *harbortest.Harbor }

// start makes both, with a robot that looks and one that promotes. CI pushes past them.
func (h *harbors) start(t *testing.T, w *world) {
	robots := func(project ...string) []harbortest.Account {
		may := map[string][]string{"acme": append(append([]string{}, harbortest.Look...), harbortest.Pull...)}
		return []harbortest.Account{
			{Name: reader, Password: readerPassword, May: may},
			{Name: promoter, Password: promoterPassword, May: map[string][]string{"acme": project}},
		}
	}
	h.staging = harbortest.New(t, registrytest.Embedded(t), robots(harbortest.Pull...)...)
	h.prod = harbortest.New(t, registrytest.Embedded(t), robots(harbortest.Push...)...)
	h.staging.Create(harbortest.Project{Name: "acme"})
	h.prod.Create(harbortest.Project{Name: "acme"})
	w.Staging, w.Prod, w.push = h.staging.Address(), h.prod.Address(), registrytest.Client(t)
	w.write("ca.pem", append(append([]byte{}, h.staging.CA()...), h.prod.CA()...))
	w.Entry = "harbor: true, ca: ca.pem, read: {username: " + reader + ", password-env: PLIMSOLL_TEST_READ}"
	w.Promote = "{username: " + promoter + ", password-env: PLIMSOLL_TEST_PROMOTE}"
}

// found is a report of the scanner, of a time before now.
func found(ago time.Duration, findings ...string) harbortest.Image {
	i := harbortest.Image{Status: "Success", At: time.Now().Add(-ago).UTC().Format(time.RFC3339), Findings: []map[string]any{}}
	for _, f := range findings {
		id, severity, _ := strings.Cut(f, " ")
		i.Findings = append(i.Findings, map[string]any{"id": id, "severity": severity, "package": "openssl", "version": "3.0.1", "fix_version": "3.0.2"})
	}
	return i
}

func TestAHarborFromItsScanToTheLastTag(t *testing.T) {
	t.Parallel()
	h := &harbors{}
	w := newWorld(t, h.start)
	w.write("you.yaml", []byte(strings.NewReplacer(
		"  e2e: {signers: [ci], max-age: 72h, suites: [smoke]}\n", "",
		"scan: {signers: [scanner],", "scan: {sources: [own],",
		"\ngates:", "\nsources: {own: {registry: {}}}\ngates:",
	).Replace(w.read("you.yaml"))))
	dg, err := embedded.Push(t.Context(), w.push, h.staging.Behind(w.Repository), []string{"v1"}, image("1", "amd64", embedded.Plain))
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	stops := func(code int, says string, args ...string) {
		t.Helper()
		a := w.run(args...)
		said += a.out + a.err
		if a.code != code || !strings.Contains(a.out+a.err, says) {
			t.Errorf("plimsoll %s: exit %d, expected %d and %q\n%s%s", strings.Join(args, " "), a.code, code, says, a.out, a.err)
		}
	}
	stops(3, "knows nothing of", "gates", "chat", dg.String())
	h.staging.Scanned(dg, harbortest.Image{Status: "Running"})
	stops(3, "its scan is running", "gates", "chat", dg.String())
	h.staging.Scanned(dg, found(2*time.Hour, "CVE-2026-1 Critical"))
	stops(3, "critical CVE-2026-1 in openssl 3.0.1", "gates", "chat", dg.String())
	h.staging.Scanned(dg, found(time.Hour, "CVE-2026-2 Low"))
	stops(0, "0C 0H 0M", "gates", "chat", dg.String())

	promote := []string{"promote", "chat", dg.String(), "--yes", "--expect", "none"}
	h.prod.Change("acme", func(p *harbortest.Project) { p.Immutable = []map[string]any{harbortest.Rule(3, "matches", "**", "**")} })
	stops(1, "have the rule exclude live for chat", promote...)
	h.prod.Change("acme", func(p *harbortest.Project) {
		p.Immutable = []map[string]any{harbortest.Rule(3, "matches", "release-*", "**")}
	})
	h.prod.Change("acme", func(p *harbortest.Project) { p.Full = true })
	stops(1, "has no room left", promote...)
	h.prod.Change("acme", func(p *harbortest.Project) { p.Full = false })
	stops(0, "", promote...)
	if got := w.inProd(); got != dg {
		t.Errorf("prod runs %s", got)
	}
	stops(0, "", promote...)
	for _, secret := range []string{readerPassword, promoterPassword, "harbor-token-"} {
		if strings.Contains(said, secret) {
			t.Errorf("%s was printed", secret)
		}
	}
	for _, r := range append(h.staging.Requests(), h.prod.Requests()...) {
		if method, rest, _ := strings.Cut(r, " "); (method == "PUT" || method == "POST" || method == "PATCH") && !strings.HasSuffix(rest, promoter) && !strings.HasSuffix(rest, " ") {
			t.Errorf("%s", r)
		}
	}
}
