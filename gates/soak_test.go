package gates_test

import (
	"errors"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/gates"
	"plimsoll/gates/evidence"
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
