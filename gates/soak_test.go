package gates_test

import (
	"errors"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
	"plimsoll/gates/evidence/sigstoretest"
)

func soakWorld(t testing.TB) *world {
	return newWorld(t).gates(config.Gates{Soak: &config.Soak{Min: time.Hour, Channel: "main", Signers: []string{ci}}})
}

// deployed says that staging runs the candidate since so long ago.
func (w *world) deployed(who, environment, channel string, ago time.Duration, about ...digest.Digest) evidence.Item {
	w.t.Helper()
	return w.sign(who, evidence.Deployment, evidence.DeploymentPredicate{Environment: environment, Channel: channel, DeployedOn: now.Add(-ago)}, append(about, candidate)[0])
}

func TestSoakWaitsForItsTimeInStaging(t *testing.T) {
	w := soakWorld(t)
	w.expect(gates.Soak, gates.Missing, "never in staging", "staging.example.com/chat-api:main was never seen at", "or ask ci to attest")
	w.in.Staged = gates.Staged{Since: now.Add(-23 * time.Minute), Now: true}
	w.expect(gates.Soak, gates.Waiting, "23 m of 1 h", "since 2026-11-24 11:37 UTC (seen by this machine)", "wait until 2026-11-24 12:37 UTC")
	w.in.Staged = gates.Staged{Since: now.Add(-90 * time.Minute)}
	w.expect(gates.Soak, gates.Pass, "1 h 30 m", "staging runs another digest now")
	w.in.Staged.Err = errors.New("staging answered 503")
	w.expect(gates.Soak, gates.Error, "staging answered 503")
	w.in.Staged = gates.Staged{Since: now.Add(time.Hour)}
	w.expect(gates.Soak, gates.Missing)
}

func TestSoakTakesWhatItsSignersAttest(t *testing.T) {
	w := soakWorld(t)
	w.add(w.deployed(mallory, "staging", "main", 9*time.Hour), w.deployed(ci, "test", "main", 9*time.Hour), w.deployed(ci, "staging", "wip", 9*time.Hour),
		w.deployed(ci, "staging", "main", 9*time.Hour, elsewhere), w.sign(ci, evidence.Deployment, map[string]any{"environment": "staging", "channel": "main"}, candidate))
	w.expect(gates.Soak, gates.Missing, "wrong signer", `the environment "test"`, `the channel "wip"`, "wrong subject", "does not say since when")
	w.in.Staged = gates.Staged{Since: now.Add(-time.Minute), Now: true}
	w.add(w.deployed(ci, "staging", "main", 61*time.Minute)).expect(gates.Soak, gates.Pass, "1 h", "signed by ci")
	w.add(w.deployed(ci, "staging", "main", -time.Hour)).expect(gates.Soak, gates.Error, "in the future")
	w.in.Listing = errors.New("timed out")
	w.expect(gates.Soak, gates.Error, "timed out")
}

// TestSoakCountsFromTheLaterOfStatementAndLog: a workflow cannot date its statement back, nor does a log shorten what it says.
func TestSoakCountsFromTheLaterOfStatementAndLog(t *testing.T) {
	const issuer, workflow = "https://token.actions.githubusercontent.com", "https://github.com/acme/chat/.github/workflows/deploy.yml@refs/heads/main"
	sigstore := sigstoretest.New(t)
	for says, want := range map[time.Duration]string{-3 * time.Hour: "10 s of 1 h", 2 * time.Minute: "0 s of 1 h"} {
		w := soakWorld(t)
		w.policy.Trust["gh"] = sigstore.Group(t, "gh", issuer, workflow)
		w.policy.Service.Gates.Soak.Signers = []string{"gh"}
		logged := time.Now().Add(-20 * time.Second).Truncate(time.Second)
		w.in.Now = logged.Add(10 * time.Second)
		statement, err := evidence.NewStatement(evidence.Deployment, "chat-api", candidate, evidence.DeploymentPredicate{
			Environment: "staging", Channel: "main", DeployedOn: w.in.Now.Add(says),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.add(evidence.Item{
			Subject: candidate, Manifest: digest.FromBytes(statement), Form: evidence.Bundle, PredicateType: evidence.Deployment,
			Raw: sigstore.Bundle(t, sigstoretest.Signing{Issuer: issuer, Identity: workflow, At: logged}, statement),
		})
		w.expect(gates.Soak, gates.Waiting, want)
	}
}
