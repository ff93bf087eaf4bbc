package doctor

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"

	"plimsoll/release/delivery"
	"plimsoll/release/ledger"
)

// readLedger reads the ledger; what it says is told later.
func (e *examination) readLedger(ctx context.Context) []Fact {
	ctx, done := e.within(ctx)
	defer done()
	e.chain, e.chainErr = e.Chain(ctx)
	return nil
}

// recorded tells whether what is in prod came there through Plimsoll.
func (e *examination) recorded(context.Context) []Fact {
	q := question{"channel", e.Prod.String() + ":" + e.Service.Channel}
	switch {
	case e.channelErr != nil && !isNotFound(e.channelErr):
		return []Fact{q.untold(e.channelErr, "what the channel points at could not be read")}
	case e.channel == "":
		return []Fact{q.ok("the channel points at nothing yet")}
	case e.chainErr != nil:
		return []Fact{q.untold(e.chainErr, "the ledger could not be read, so the record of %s was not found", short(e.channel))}
	}
	r := e.chain.Current(e.channel)
	switch {
	case r == nil:
		return []Fact{q.broken("the channel points at %s, which has no valid record: it was pushed past the gate", short(e.channel)).
			todo("find out who may write prod; then plimsoll rollback %s, or plimsoll adopt %s if it is meant", e.Service.Name, e.Service.Name)}
	case e.chain.QuarantinedBy(e.channel) != "":
		return []Fact{q.broken("the channel points at %s, which is quarantined", short(e.channel)).because("%s", e.chain.QuarantinedBy(e.channel)).
			todo("plimsoll rollback %s", e.Service.Name)}
	case r.Missing:
		return []Fact{q.warning("the record of %s was taken out of the ledger; this machine remembers it", short(e.channel)).
			todo("find out who may delete in %s", e.Ledger)}
	}
	return []Fact{q.ok("the channel points at %s, record %d by %s", short(e.channel), r.Number, r.Predicate.Actor.ID)}
}

// books tells what is odd about the ledger.
func (e *examination) books(context.Context) []Fact {
	q := question{"ledger", e.Ledger.String()}
	switch {
	case e.chainErr != nil:
		return []Fact{q.untold(e.chainErr, "the ledger could not be read")}
	case len(e.chain.Problems) > 0:
		return []Fact{q.warning("the ledger is not whole").because("%s", strings.Join(e.chain.Problems, "; ")).
			todo("plimsoll audit verify; then find out who may delete in %s", e.Ledger)}
	case len(e.chain.Forks) > 0:
		return []Fact{q.warning("two machines moved the channel under one number").todo("plimsoll history %s shows both; see that what is in prod is meant", e.Service.Name)}
	case e.chain.Head == nil:
		return []Fact{q.ok("the ledger is empty")}
	}
	return []Fact{q.ok("the ledger is whole up to record %d", e.chain.Head.Number)}
}

// operations tells what was begun and not finished.
func (e *examination) operations(context.Context) []Fact {
	q := question{"operations", ""}
	open, err := e.Pending()
	if err != nil {
		return []Fact{q.untold(err, "the journal of this machine could not be read")}
	}
	var facts []Fact
	for _, p := range open {
		if p.Service == e.Service.Name {
			facts = append(facts, q.warning("a %s of %s is open on this machine: %s", p.Action, short(p.Digest), p.Step).todo("%s", p.Command))
		}
	}
	if h := e.chain.Head; len(facts) == 0 && h != nil && h.State() == ledger.Unfinished {
		facts = append(facts, q.warning("record %d of the ledger is unfinished: nothing says that its %s was completed", h.Number, h.Predicate.Action).
			todo("finish it on the machine that began it, or let the next promotion close it"))
	}
	if len(facts) == 0 {
		return []Fact{q.ok("no operation is open")}
	}
	return facts
}

// delivery tells whether prod would learn of a new digest.
func (e *examination) delivery(context.Context) []Fact {
	q := question{"delivery", delivery.KindOf(e.Service.Deliver)}
	if err := e.Deliver(); err != nil {
		return []Fact{q.broken("delivery could not run").because("%s", plainly(err)).todo("%s", hintOf(err))}
	}
	if q.subject != delivery.Command {
		return []Fact{q.ok("prod pulls the channel %s by itself", e.Service.Channel)}
	}
	program := e.Service.Deliver.Command[0]
	if strings.Contains(program, "{{") {
		return []Fact{q.unknown("which program %s runs is known only when it runs", program)}
	}
	if err := found(program, e.Config.Dir); err != nil {
		return []Fact{q.broken("the program %s is not here", program).because("%s", err).
			todo("install it on the machine that promotes, or correct deliver of %s", e.Service.Name)}
	}
	return []Fact{q.ok("the program %s is here", program)}
}

// found looks for a program as delivery would start it: one with a path from
// the directory of the configuration, another along PATH.
func found(program, dir string) error {
	if strings.ContainsRune(program, filepath.Separator) && !filepath.IsAbs(program) {
		program = filepath.Join(dir, program)
	}
	_, err := exec.LookPath(program)
	return err //nolint:wrapcheck // it names the program
}
