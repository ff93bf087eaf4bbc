package gates_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
)

func signOffWorld(t testing.TB) *world {
	return newWorld(t).gates(config.Gates{SignOff: &config.SignOffGate{
		Signers: []string{"qa-leads"}, Quorum: 1, When: config.Always, NotPromoter: true, MaxAge: 72 * time.Hour,
	}})
}

func TestSignOffIsNeededAndGiven(t *testing.T) {
	w := signOffWorld(t)
	w.expect(gates.SignOff, gates.Needed, "needed by 1 of qa-leads", "plimsoll approve chat-api "+candidate.String())
	w.add(w.decide(ann, evidence.Approved, time.Hour))
	w.expect(gates.SignOff, gates.Pass, ann, "looks right")
}

func TestQuorumCountsPeople(t *testing.T) {
	w := signOffWorld(t)
	w.policy.Service.Gates.SignOff.Quorum = 2
	w.add(w.decide(ann, evidence.Approved, 2*time.Hour), w.decide(ann, evidence.Approved, time.Hour))
	w.expect(gates.SignOff, gates.Needed, "needed by 1 of qa-leads")
	w.add(w.decide(bob, evidence.Approved, time.Hour))
	w.expect(gates.SignOff, gates.Pass, ann+", "+bob)
}

func TestSignOffIsBoundToWhatWasSeen(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*evidence.SignOffPredicate)
		status gates.Status
		says   string
	}{
		"prod moved":      {func(p *evidence.SignOffPredicate) { p.Prod.Digest = elsewhere }, gates.Stale, "look at the new diff and sign again"},
		"no prod then":    {func(p *evidence.SignOffPredicate) { p.Prod.Digest = "" }, gates.Stale, "against nothing in prod"},
		"policy changed":  {func(p *evidence.SignOffPredicate) { p.Policy.Digest = elsewhere }, gates.Stale, "under another policy"},
		"expired":         {func(p *evidence.SignOffPredicate) { p.ExpiresOn = now }, gates.Stale, "expired"},
		"too old":         {func(p *evidence.SignOffPredicate) { p.DecidedOn = now.Add(-73 * time.Hour) }, gates.Stale, "at most 3 d"},
		"no time":         {func(p *evidence.SignOffPredicate) { p.DecidedOn = time.Time{} }, gates.Stale, ""},
		"other channel":   {func(p *evidence.SignOffPredicate) { p.To = "prod.example.com/chat-api:canary" }, gates.Needed, "not this one"},
		"other staging":   {func(p *evidence.SignOffPredicate) { p.From = "evil.example.com/chat-api" }, gates.Needed, "not this one"},
		"other service":   {func(p *evidence.SignOffPredicate) { p.Service = "web" }, gates.Needed, "wrong subject"},
		"other reviewer":  {func(p *evidence.SignOffPredicate) { p.Reviewer.ID = bob }, gates.Needed, "was signed by " + ann},
		"unknown verdict": {func(p *evidence.SignOffPredicate) { p.Decision = "MAYBE" }, gates.Error, `"MAYBE"`},
		"tomorrow":        {func(p *evidence.SignOffPredicate) { p.DecidedOn = now.Add(24 * time.Hour) }, gates.Error, "in the future"},
	} {
		t.Run(name, func(t *testing.T) {
			w := signOffWorld(t)
			w.add(w.decide(ann, evidence.Approved, time.Hour, c.change))
			w.expect(gates.SignOff, c.status, c.says)
		})
	}
}

func TestOneKeySignsAgainAfterProdMoved(t *testing.T) {
	w := signOffWorld(t)
	w.add(w.decide(ann, evidence.Approved, 2*time.Hour))
	w.in.Prod = elsewhere
	w.expect(gates.SignOff, gates.Stale)
	w.add(w.decide(ann, evidence.Approved, time.Hour))
	w.expect(gates.SignOff, gates.Pass)
}

func TestOnlyPeopleOfTheGroupSignOff(t *testing.T) {
	w := signOffWorld(t)
	w.add(w.decide(mallory, evidence.Approved, time.Hour), w.decide(ci, evidence.Approved, time.Hour))
	w.expect(gates.SignOff, gates.Needed, "wrong signer")
	w.policy.Service.Gates.SignOff.Signers = []string{ci}
	w.expect(gates.SignOff, gates.Needed, "belongs to no person")
}

func TestThePromoterDoesNotSignOff(t *testing.T) {
	w := signOffWorld(t)
	w.add(w.decide(ann, evidence.Approved, time.Hour))
	w.in.Promoter = ann
	w.expect(gates.SignOff, gates.Needed, "may not sign off too")
	w.add(w.decide(bob, evidence.Approved, time.Hour))
	w.expect(gates.SignOff, gates.Pass, bob)
	w.policy.Service.Gates.SignOff.NotPromoter = false
	w.in.Evidence = []evidence.Item{w.decide(ann, evidence.Approved, time.Hour)}
	w.expect(gates.SignOff, gates.Pass, ann)
}

func TestARejectionStandsUntilItsReviewerChangesTheirMind(t *testing.T) {
	w := signOffWorld(t)
	rejection := w.decide(ann, evidence.Rejected, time.Hour, func(p *evidence.SignOffPredicate) { p.Comment = "the login is slow" })
	w.add(w.decide(bob, evidence.Approved, time.Minute), w.decide(ann, evidence.Approved, 2*time.Hour), rejection)
	w.expect(gates.SignOff, gates.Fail, "rejected", ann+" rejected it", "the login is slow")
	w.in.Prod = elsewhere // a moved prod takes no rejection away
	w.expect(gates.SignOff, gates.Fail)
	w.in.Prod = prod

	w.in.Negatives = w.judge().Negatives
	w.remove(rejection)
	w.expect(gates.SignOff, gates.Error, "evidence disappeared")
	w.add(w.decide(ann, evidence.Approved, time.Minute))
	w.expect(gates.SignOff, gates.Pass, ann+", "+bob)
}

func TestARevocationTakesTheApprovalBack(t *testing.T) {
	w := signOffWorld(t)
	revocation := w.decide(ann, evidence.Revoked, time.Hour)
	w.add(w.decide(ann, evidence.Approved, 2*time.Hour), revocation)
	w.expect(gates.SignOff, gates.Needed, "revoked the sign-off")
	w.in.Negatives = w.judge().Negatives
	w.remove(revocation)
	w.expect(gates.SignOff, gates.Error, "evidence disappeared")
}

func TestSignOffIsAskedForWhenTheChangeIsBigger(t *testing.T) {
	w := signOffWorld(t)
	w.policy.Service.Gates.SignOff.When = config.BiggerChange
	w.expect(gates.SignOff, gates.NotRequired, "none")
	w.in.Bigger = []string{"the base image changed"}
	w.expect(gates.SignOff, gates.Needed, "(the base image changed)")
	w.in.Bigger, w.in.BiggerErr = nil, errors.New("the manifest is gone")
	w.expect(gates.SignOff, gates.Needed, "the manifest is gone")
	w.in.BiggerErr = nil
	w.add(w.decide(ann, evidence.Rejected, time.Hour))
	w.expect(gates.SignOff, gates.Fail)
	w.policy.Service.Gates.SignOff.When = config.Never
	w.expect(gates.SignOff, gates.NotRequired)
}

func TestASignOffNamesOnlyWhatClaimsToBeOne(t *testing.T) {
	w := signOffWorld(t)
	noise := evidence.Item{Subject: candidate, Manifest: digest.FromString("sarif"), Form: evidence.Other, ArtifactType: "application/sarif+json"}
	unmarked := w.tests(mallory, "smoke", time.Minute)
	unmarked.PredicateType, unmarked.ArtifactType = "", ""
	w.add(w.tests(ci, "smoke", time.Hour), w.scanFile(mallory, "trivy.json", time.Hour, amd64), noise, w.decide(mallory, evidence.Approved, time.Hour), unmarked)
	c := w.expect(gates.SignOff, gates.Needed, "urn:plimsoll:sign-off:v1", "bundle ")
	if text := strings.Join(c.Reasons, "\n"); strings.Contains(text, "test-result") || strings.Contains(text, "vuln") || strings.Contains(text, "sarif") {
		t.Errorf("it names what has nothing to do with it:\n%s", text)
	}
}

func TestASignatureOfSomebodyWhoWasTakenOutOfTrust(t *testing.T) {
	w := signOffWorld(t)
	w.add(w.decide(ann, evidence.Approved, time.Hour)).expect(gates.SignOff, gates.Pass)
	group := w.policy.Trust["qa-leads"]
	was := slices.Clone(group.People)
	group.People[0].Key.NotAfter = now.Add(-2 * time.Hour)
	w.expect(gates.SignOff, gates.Needed, "expired key")
	group.People = was[1:]
	w.policy.Trust["qa-leads"] = group
	w.expect(gates.SignOff, gates.Needed, "wrong signer: no key of qa-leads")
}

func TestASignOffForAnotherDigestDoesNotCount(t *testing.T) {
	w := signOffWorld(t)
	w.add(w.sign(ann, evidence.SignOff, gates.NewSignOff(w.policy, prod, evidence.Approved, ann, "", now), elsewhere),
		w.sign(ann, evidence.SignOff, gates.NewSignOff(w.policy, prod, evidence.Approved, ann, "", now), amd64))
	w.expect(gates.SignOff, gates.Needed, "wrong subject")
}

func TestTrustedReferrersAreWhatTrustSigned(t *testing.T) {
	w := newWorld(t)
	raw := evidence.Item{Manifest: digest.FromString("raw"), Form: evidence.Other, Subject: candidate}
	for name, c := range map[string]struct {
		item  evidence.Item
		about digest.Digest
		want  bool
	}{
		"signed by ci":       {w.tests(ci, "smoke", 0), candidate, true},
		"signed by mallory":  {w.tests(mallory, "smoke", 0), candidate, false},
		"about another":      {w.tests(ci, "api", 0), elsewhere, false},
		"signed by nobody":   {raw, candidate, false},
		"about nothing said": {w.tests(ci, "smoke", 0), "", false},
	} {
		if got := gates.Trusted(c.item, gates.Groups(w.policy), now, c.about); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
