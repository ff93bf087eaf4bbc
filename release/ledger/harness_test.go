package ledger

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"plimsoll/config"
	"plimsoll/gates/evidence"
	"plimsoll/gates/evidence/evidencetest"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
	"plimsoll/registry/registrytest"
	"plimsoll/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a registry with a ledger, and people who may sign its records.
type world struct {
	t        testing.TB
	repo     registry.Repository
	prod     registry.Repository
	owner    evidence.Signer
	stranger evidence.Signer
	groups   []config.Group
	requests atomic.Int64
	fault    atomic.Pointer[func(http.ResponseWriter, *http.Request) bool] // true: answered
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, owner: signer(t), stranger: signer(t)}
	host := registrytest.Embedded(t, embedded.Options{Wrap: func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
			w.requests.Add(1)
			if f := w.fault.Load(); f != nil && (*f)(rw, q) {
				return
			}
			h.ServeHTTP(rw, q)
		})
	}})
	w.repo = registry.Repository{Host: host, Path: "chat-ledger"}
	w.prod = registry.Repository{Host: host, Path: "chat"}
	w.groups = []config.Group{{Name: "release-owners", People: []config.Person{{ID: "owner@example.com", Key: config.Key{Public: w.owner.Public()}}}}}
	return w
}

func signer(t testing.TB) evidence.Signer {
	t.Helper()
	s, _ := evidencetest.Signer(t)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// breaks makes every request that f answers go wrong; nil mends it.
func (w *world) breaks(f func(http.ResponseWriter, *http.Request) bool) {
	if f == nil {
		w.fault.Store(nil)
		return
	}
	w.fault.Store(&f)
}

func refuse(status int) func(http.ResponseWriter, *http.Request) bool {
	return func(rw http.ResponseWriter, _ *http.Request) bool { rw.WriteHeader(status); return true }
}

// laptop is the ledger as seen from one machine.
type laptop struct {
	*Ledger
	w      *world
	signer evidence.Signer
}

func (w *world) laptop() *laptop {
	w.t.Helper()
	s, err := store.Open(w.t.TempDir())
	must(w.t, err)
	return &laptop{New(registrytest.Client(w.t), w.repo, s).Trusting(w.groups), w, w.owner}
}

func (l *laptop) read() Chain {
	l.w.t.Helper()
	c, err := l.Read(context.Background(), l.w.groups, l.w.prod, "live")
	must(l.w.t, err)
	return c
}

func image(name string) digest.Digest { return digest.FromString(name) }

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// minutes is a time after start.
func minutes(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }

func (w *world) promotion(to, previous string, minute int) evidence.PromotionPredicate {
	p := evidence.PromotionPredicate{
		Action: "promote", Service: "chat", Channel: "live",
		From:  evidence.Place{URI: "staging.example.com/chat", Digest: image(to)},
		To:    evidence.Place{URI: w.prod.String(), Digest: image(to), Tags: []string{"live"}},
		Actor: evidence.Identity{ID: "owner@example.com"}, Reason: "release", StartedOn: minutes(minute),
	}
	if previous != "" {
		p.Previous.Digest = image(previous)
	}
	return p
}

func (w *world) rollback(to, previous string, minute int) evidence.PromotionPredicate {
	p := w.promotion(to, previous, minute)
	p.Action, p.FinishedOn, p.Seconds = "rollback", minutes(minute), 3
	return p
}

func (l *laptop) append(p evidence.PromotionPredicate) Record {
	l.w.t.Helper()
	r, err := appendTo(l.Ledger, l.signer, p)
	must(l.w.t, err)
	return r
}

// appendTo writes a record at once, as who has no journal.
func appendTo(l *Ledger, s evidence.Signer, p evidence.PromotionPredicate) (Record, error) {
	d, r, err := l.Draft(context.Background(), s, p)
	if err == nil {
		err = l.Publish(context.Background(), d)
	}
	return r, err
}

// bothDraft is two laptops that take the next number at once.
func (w *world) bothDraft(one, two *laptop) (d1, d2 Draft, r1, r2 Record) {
	w.t.Helper()
	d1, r1, err := one.Draft(context.Background(), w.owner, w.promotion("a", "", 0))
	must(w.t, err)
	d2, r2, err = two.Draft(context.Background(), w.owner, w.promotion("b", "", 0))
	must(w.t, err)
	return d1, d2, r1, r2
}

func (l *laptop) complete(r Record, minute int) {
	l.w.t.Helper()
	must(l.w.t, l.Complete(context.Background(), l.signer, r, evidence.CompletionPredicate{
		Outcome: evidence.OutcomeDone,
		Actor:   evidence.Identity{ID: "owner@example.com"}, FinishedOn: minutes(minute), Seconds: 60,
	}))
}

// promote is a whole promotion of the ledger's part.
func (l *laptop) promote(to, previous string, minute int) Record {
	l.w.t.Helper()
	r := l.append(l.w.promotion(to, previous, minute))
	l.complete(r, minute+1)
	return r
}

func (l *laptop) quarantine(of string, minute int, lifts digest.Digest, platforms ...digest.Digest) digest.Digest {
	l.w.t.Helper()
	p := evidence.QuarantinePredicate{
		Digest: image(of), Platforms: platforms, Prod: l.w.prod.String(), Reason: of + " loses messages",
		Actor: evidence.Identity{ID: "owner@example.com"}, DecidedOn: minutes(minute),
	}
	p.Lifts.Digest = lifts
	dg, err := l.Quarantine(context.Background(), l.signer, p)
	must(l.w.t, err)
	return dg
}

// remove deletes a tag as somebody with the right to would.
func (w *world) remove(tag string) {
	w.t.Helper()
	q, err := http.NewRequestWithContext(context.Background(), http.MethodDelete, fmt.Sprintf("http://%s/v2/%s/manifests/%s", w.repo.Host, w.repo.Path, tag), nil)
	must(w.t, err)
	resp, err := http.DefaultClient.Do(q)
	must(w.t, err)
	must(w.t, resp.Body.Close())
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusAccepted {
		w.t.Fatalf("DELETE %s: %s", tag, resp.Status)
	}
}

// retag puts the manifest of one tag under another one.
func (w *world) retag(from, to string) {
	w.t.Helper()
	c := registrytest.Client(w.t)
	m, err := c.Manifest(context.Background(), w.repo, from)
	must(w.t, err)
	must(w.t, c.PutManifest(context.Background(), w.repo, to, m))
}

func problemsWith(c Chain, words ...string) bool {
	for _, p := range c.Problems {
		all := true
		for _, word := range words {
			all = all && strings.Contains(p, word)
		}
		if all {
			return true
		}
	}
	return false
}

// fill writes records as Append does, without listing each time.
func (w *world) fill(records int) {
	w.t.Helper()
	l := New(registrytest.Client(w.t), w.repo, nil).Trusting(w.groups)
	var group errgroup.Group
	group.SetLimit(8)
	previous := evidence.Pointer{}
	for n := 1; n <= records; n++ {
		p := w.rollback(fmt.Sprint(n), "", n)
		p.Number, p.PreviousRecord = n, previous
		statement, err := evidence.NewStatement(evidence.Promotion, p.To.URI, p.To.Digest, p)
		must(w.t, err)
		d, err := l.seal(context.Background(), w.owner, evidence.Promotion, statement)
		must(w.t, err)
		d.Tag, previous.Digest = tagOfRecord("live", n, d.Digest), d.Digest
		group.Go(func() error { return l.Publish(context.Background(), d) })
	}
	must(w.t, group.Wait())
}
