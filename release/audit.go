package release

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/release/ledger"
	"plimsoll/store"
)

// AuditReport says whether the audit chain of this machine is what was written,
// and whether the ledgers still hold what it saw of them.
type AuditReport struct {
	Entries  int      `json:"entries"`
	Head     string   `json:"head"` // hash of the newest entry, hex; "" without one
	Verified bool     `json:"verified"`
	Problems []string `json:"problems"`
}

// AuditVerify checks every link of the chain of this machine, and that every
// ledger head that it noted is still in its ledger. A broken chain is a report
// with problems and an error; a ledger that cannot be read is a problem only.
func (d *Desk) AuditVerify(ctx context.Context) (AuditReport, error) {
	r := AuditReport{Problems: []string{}}
	if err := d.Store.VerifyAudit(); err != nil {
		r.Problems = append(r.Problems, clean.Text(err.Error()))
		return r, err
	}
	heads := map[string]seenHead{}
	for e, err := range d.Store.AuditEntries() {
		if err != nil {
			return r, err
		}
		r.Entries++
		r.Head = e.Hash
		if h, ok := headIn(e); ok {
			heads[h.Service] = h
		}
	}
	for _, p := range d.missingHeads(ctx, heads) {
		r.Problems = append(r.Problems, clean.Text(clean.Redact(p)))
	}
	r.Verified = len(r.Problems) == 0
	if r.Verified {
		return r, nil
	}
	return r, fault.New(fault.Failed, "compare the ledger with another machine's audit export", nil,
		"the audit chain is whole, but: %s", list(r.Problems))
}

// seenHead is a ledger head as this machine saw it.
type seenHead struct {
	Service string        `json:"-"`
	Ledger  string        `json:"ledger"`
	Record  digest.Digest `json:"record"`
	Number  int           `json:"number"`
}

const actionHead = "ledger-head"

func headIn(e store.AuditEntry) (seenHead, bool) {
	h := seenHead{}
	if e.Action != actionHead || json.Unmarshal(e.Data, &h) != nil || h.Record == "" {
		return seenHead{}, false
	}
	h.Service = e.Service
	return h, true
}

// missingHeads names the ledgers that lost what this machine saw in them.
func (d *Desk) missingHeads(ctx context.Context, heads map[string]seenHead) []string {
	var problems []string
	for _, s := range d.Services() {
		h, ok := heads[s.Name]
		if !ok || h.Ledger != s.Ledger {
			continue
		}
		p, err := d.place(s.Name)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		chain, err := d.chain(ctx, p)
		if err != nil {
			problems = append(problems, fmt.Sprintf("the ledger %s could not be read: %v", s.Ledger, err))
			continue
		}
		if kept(chain, h.Record) == nil {
			problems = append(problems, fmt.Sprintf("the ledger %s no longer holds record %d (%s)", s.Ledger, h.Number, short(h.Record)))
		}
	}
	return problems
}

// kept is the record if the ledger still has it.
func kept(c ledger.Chain, record digest.Digest) *ledger.Record {
	if r := c.Find(record); r != nil && !r.Missing {
		return r
	}
	return nil
}

// Synced is what AuditSync did.
type Synced struct {
	Heads    []string `json:"heads"`    // ledger heads noted, "service number digest"
	Written  []string `json:"written"`  // operations whose missing parts are in the registry now
	Problems []string `json:"problems"` // what could not be done; also the error
}

// AuditSync writes to the ledgers what could not be written when it happened,
// and notes the heads of all ledgers in the audit chain of this machine, so
// that AuditVerify sees if one is rewritten later.
func (d *Desk) AuditSync(ctx context.Context) (Synced, error) {
	out := Synced{Heads: []string{}, Written: []string{}, Problems: []string{}}
	var errs []error
	fail := func(err error) {
		if err != nil {
			errs = append(errs, err)
			out.Problems = append(out.Problems, clean.Text(clean.Redact(err.Error())))
		}
	}
	if !d.ReadOnly {
		written, err := d.runner().SettleDebts(ctx)
		out.Written = append(out.Written, written...)
		fail(err)
	}
	noted, err := d.notedHeads()
	fail(err)
	for _, s := range d.Services() {
		head, err := d.noteHead(ctx, s.Name, noted)
		fail(err)
		if head != "" {
			out.Heads = append(out.Heads, head)
		}
	}
	return out, fault.Join(errs...)
}

func (d *Desk) notedHeads() (map[string]seenHead, error) {
	heads := map[string]seenHead{}
	for e, err := range d.Store.AuditEntries() {
		if err != nil {
			return heads, err
		}
		if h, ok := headIn(e); ok {
			heads[h.Service] = h
		}
	}
	return heads, nil
}

// noteHead writes the head of one ledger to the chain if it is new.
func (d *Desk) noteHead(ctx context.Context, service string, noted map[string]seenHead) (string, error) {
	p, err := d.place(service)
	if err != nil {
		return "", err
	}
	chain, err := d.chain(ctx, p)
	if err != nil {
		return "", err
	}
	head := chain.Head
	if head == nil || noted[service].Record == head.Digest {
		return "", nil
	}
	h := seenHead{Ledger: p.Ledger, Record: head.Digest, Number: head.Number}
	if _, err := d.Store.Audit(actionHead, service, d.Actor, h); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %d %s", service, head.Number, head.Digest), nil
}

// The formats of AuditExport.
const (
	FormatJSONL       = "jsonl"
	FormatCSV         = "csv"
	FormatCloudEvents = "cloudevents"
)

// AuditExport writes the audit chain of this machine, oldest first: jsonl (one
// entry a line), csv, or cloudevents (one event a line,
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md).
func (d *Desk) AuditExport(w io.Writer, format string) error {
	write, flush, err := exporter(w, format, "plimsoll://"+url.PathEscape(d.Actor))
	if err != nil {
		return err
	}
	for e, err := range d.Store.AuditEntries() {
		if err != nil {
			return err
		}
		if err := write(e); err != nil {
			return fmt.Errorf("write the audit export: %w", err)
		}
	}
	if err := flush(); err != nil {
		return fmt.Errorf("write the audit export: %w", err)
	}
	return nil
}

// exporter gives what writes one entry, and what ends the export.
func exporter(w io.Writer, format, origin string) (func(store.AuditEntry) error, func() error, error) {
	nothing := func() error { return nil }
	switch format {
	case FormatJSONL, "":
		e := json.NewEncoder(w)
		return func(a store.AuditEntry) error { return e.Encode(a) }, nothing, nil
	case FormatCloudEvents:
		e := json.NewEncoder(w)
		return func(a store.AuditEntry) error { return e.Encode(cloudEvent(a, origin)) }, nothing, nil
	case FormatCSV:
		c := csv.NewWriter(w)
		if err := c.Write([]string{"number", "at", "action", "service", "actor", "data", "previous", "hash"}); err != nil {
			return nil, nil, fmt.Errorf("write the audit export: %w", err)
		}
		return func(a store.AuditEntry) error { return c.Write(csvRow(a)) }, func() error { c.Flush(); return c.Error() }, nil
	}
	return nil, nil, fault.New(fault.Usage, "use jsonl, csv or cloudevents", nil, "%q is no format of audit export", format)
}

func csvRow(a store.AuditEntry) []string {
	return []string{
		strconv.FormatUint(a.Number, 10), a.At.UTC().Format(time.RFC3339Nano), a.Action, cell(a.Service), cell(a.Actor),
		string(a.Data), a.Previous, a.Hash,
	}
}

// cell keeps a spreadsheet from taking text for a formula
// (https://owasp.org/www-community/attacks/CSV_Injection).
func cell(s string) string {
	if s != "" && (s[0] == '=' || s[0] == '+' || s[0] == '-' || s[0] == '@') {
		return "'" + s
	}
	return s
}

type event struct {
	SpecVersion     string           `json:"specversion"`
	ID              string           `json:"id"`
	Source          string           `json:"source"`
	Type            string           `json:"type"`
	Subject         string           `json:"subject,omitempty"`
	Time            time.Time        `json:"time"`
	DataContentType string           `json:"datacontenttype"`
	Data            store.AuditEntry `json:"data"`
}

func cloudEvent(a store.AuditEntry, origin string) event {
	return event{
		SpecVersion: "1.0", ID: a.Hash, Source: origin, Type: "plimsoll.audit." + a.Action, Subject: a.Service,
		Time: a.At.UTC(), DataContentType: "application/json", Data: a,
	}
}
