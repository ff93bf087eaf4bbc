package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What holds without a key.
const (
	defaultChannel = "live"
	defaultLimit   = 50
	defaultWindow  = 90 * 24 * time.Hour
	leastWindow    = 30 * 24 * time.Hour
)

// severityWords are the names of the severities that a gate can name, rising.
func severityWords() []string { return []string{"negligible", "low", "medium", "high", "critical"} }

// service reads one service; root has the team's defaults.
func (b *binder) service(n, root *node) Service {
	s := Service{
		Name: n.str("name"), Staging: n.str("staging"), Prod: n.str("prod"), Ledger: n.str("ledger"),
		Channel: defaultChannel, Platforms: n.get("platforms").texts(), Limit: defaultLimit,
		Deliver: bindDeliver(n.get("deliver")), Gates: b.gates(root.get("gates"), n.get("gates")),
		Copy: CopyTrusted, Window: defaultWindow,
	}
	if c := n.str("channel"); c != "" {
		s.Channel = c
	}
	if s.Ledger == "" {
		s.Ledger = s.Prod + "-ledger"
	}
	if c := n.get("candidates"); c != nil {
		if t := c.get("tags"); t != nil {
			s.Tags = regexp.MustCompile(t.text) // the table has checked it
		}
		s.Limit = integer(c.get("limit"), defaultLimit)
	}
	s.Records = b.knownGroups(own(n, root, "records").get("signers"))
	if c := own(n, root, "evidence").str("copy"); c != "" {
		s.Copy = CopyRule(c)
	}
	s.Window = b.window(own(n, root, "retention").get("window"))
	return s
}

// own is a service's entry, or else the team's.
func own(n, root *node, name string) *node {
	if v := n.get(name); v != nil {
		return v
	}
	return root.get(name)
}

func (b *binder) window(n *node) time.Duration {
	if n == nil {
		return defaultWindow
	}
	d := span(n)
	if d < leastWindow {
		b.report(n.place, "write 30d or more; 90d is the default", "retention.window: %s is too short to roll back after a month", n.text)
	}
	return d
}

func bindDeliver(n *node) Deliver {
	if c := n.get("command"); c != nil {
		return Deliver{Command: c.texts()}
	}
	if g := n.get("git"); g != nil {
		branch := "main"
		if v := g.str("branch"); v != "" {
			branch = v
		}
		return Deliver{Git: &GitDelivery{Repository: g.str("repository"), Branch: branch, Path: g.str("path")}}
	}
	return Deliver{Tag: true}
}

// gates are a service's gates: an entry of its own replaces the default's whole entry.
func (b *binder) gates(defaults, own *node) Gates {
	var g Gates
	pick := func(name string) *node {
		n := defaults.get(name)
		if v := own.get(name); v != nil {
			n = v
		}
		if n != nil && n.kind == aText { // off
			g.Off = append(g.Off, name)
			return nil
		}
		return n
	}
	if n := pick("e2e"); n != nil {
		g.E2E = &E2EGate{Signers: b.knownGroups(n.get("signers")), MaxAge: span(n.get("max-age")), Suites: n.get("suites").texts()}
	}
	if n := pick("scan"); n != nil {
		g.Scan = b.scan(n)
	}
	if n := pick("base-image"); n != nil {
		g.BaseImage = &BaseImageGate{Signers: b.knownGroups(n.get("signers")), Pinned: n.str("pinned") != "optional"}
	}
	if n := pick("sign-off"); n != nil {
		g.SignOff = b.signOff(n)
	}
	if n := pick("soak"); n != nil {
		g.Soak = &Soak{Min: span(n.get("min"))}
	}
	for _, f := range pick("freeze").list() {
		g.Freeze = append(g.Freeze, b.freeze(f))
	}
	g.Custom = b.custom(pick("custom"))
	return g
}

func (b *binder) scan(n *node) *ScanGate {
	g := &ScanGate{Signers: b.knownGroups(n.get("signers")), MaxAge: span(n.get("max-age"))}
	g.MaxSeverity = Negligible + Severity(slices.Index(severityWords(), n.str("max-severity")))
	for _, a := range n.get("allow").list() {
		_, until := moments(nil, a.get("until"))
		g.Allow = append(g.Allow, Allow{ID: a.str("id"), Until: until, Reason: a.str("reason")})
	}
	return g
}

// signOff also refuses a quorum that nobody could ever reach.
func (b *binder) signOff(n *node) *SignOffGate {
	g := &SignOffGate{
		Signers: b.knownGroups(n.get("signers")), Quorum: integer(n.get("quorum"), 1), When: Always,
		NotPromoter: slices.Contains(n.get("not-by").texts(), "promoter"), MaxAge: span(n.get("max-age")),
	}
	if w := n.str("when"); w != "" {
		g.When = When(w)
	}
	ids := map[string]bool{}
	for _, name := range g.Signers {
		group, ok := b.trust[name]
		if !ok {
			return g // reported already
		}
		for _, p := range group.People {
			ids[p.ID] = true
		}
	}
	if len(ids) < g.Quorum {
		b.report(n.get("signers").place, "add people to the group (trust: {"+g.Signers[0]+": {people: {you@example.com: keys/you.pub}}}), or lower the quorum",
			"sign-off asks %d, and there are %d in %s", g.Quorum, len(ids), strings.Join(g.Signers, ", "))
	}
	return g
}

func (b *binder) freeze(n *node) Freeze {
	from, to := moments(n.get("from"), n.get("to"))
	if !from.Before(to) {
		b.report(n.get("to").place, "write from first, to later", "the freeze ends before it begins")
	}
	return Freeze{From: from, To: to, Reason: n.str("reason")}
}

func (b *binder) custom(n *node) []CustomGate {
	if n == nil {
		return nil
	}
	out := make([]CustomGate, 0, len(n.list()))
	taken := append(gatesShape().names(), "quarantine")
	for _, c := range n.list() {
		name := c.str("name")
		if slices.Contains(taken, name) {
			b.report(c.get("name").place, "choose another name", "there is a gate %q already", name)
		}
		taken = append(taken, name)
		out = append(out, CustomGate{Name: name, Expr: c.str("expr")})
	}
	return out
}

// checkServices checks what only shows with all services side by side.
func (b *binder) checkServices(services []Service, nodes []*node) {
	names, identities := map[string]int{}, map[string]int{}
	ledgers, prods := map[string]string{}, map[string]string{}
	for i, s := range services {
		n := nodes[i]
		if j, ok := names[s.Name]; ok {
			b.report(n.get("name").place, "give each service a name of its own", "the service %q stands in line %d already", s.Name, nodes[j].line)
		}
		names[s.Name] = i
		identity := s.Prod + ":" + s.Channel
		if j, ok := identities[identity]; ok {
			b.report(n.get("prod").place, "give one of them another channel, for example channel: canary",
				"%s and %s both move %s", services[j].Name, s.Name, identity)
		}
		identities[identity] = i
		if s.Staging == s.Prod {
			b.report(n.get("prod").place, "prod needs a repository that CI cannot write", "%s: staging and prod are the same repository", s.Name)
		}
		b.checkLedger(s, n, ledgers, prods)
	}
	for i, s := range services {
		if prod, ok := ledgers[s.Staging]; ok {
			b.report(nodes[i].get("staging").place, "choose another ledger or repository", "%s: the staging repository is the ledger of %s", s.Name, prod)
		}
		if prod, ok := ledgers[s.Prod]; ok {
			b.report(nodes[i].get("prod").place, "choose another ledger or repository", "%s: the prod repository is the ledger of %s", s.Name, prod)
		}
	}
}

// checkLedger: a ledger numbers the records of one prod repository, in its own
// registry, where the promote identity may write.
func (b *binder) checkLedger(s Service, n *node, ledgers, prods map[string]string) {
	at := n.place
	if l := n.get("ledger"); l != nil {
		at = l.place
	}
	host := func(repository string) string { h, _, _ := strings.Cut(repository, "/"); return h }
	if host(s.Ledger) != host(s.Prod) {
		b.report(at, "choose a repository in "+host(s.Prod)+", or leave ledger out", "%s: the ledger is not in the prod registry", s.Name)
	}
	if prod, ok := ledgers[s.Ledger]; ok && prod != s.Prod {
		b.report(at, "leave ledger out: each prod repository has its own then", "%s: %s is the ledger of %s already", s.Name, s.Ledger, prod)
	}
	if ledger, ok := prods[s.Prod]; ok && ledger != s.Ledger {
		b.report(at, "write the same ledger for all services of a repository, or none", "%s: the records of %s are in %s already", s.Name, s.Prod, ledger)
	}
	ledgers[s.Ledger], prods[s.Prod] = s.Prod, s.Ledger
}

// span is a duration, 0 without one; the table has checked its text.
func span(n *node) time.Duration {
	if n == nil {
		return 0
	}
	d, _ := parseDuration(n.text) //nolint:errcheck // checked by the table
	return d
}

// moments are the two ends of a time; the table has checked their texts.
func moments(begin, end *node) (from, to time.Time) {
	if begin != nil {
		from, _ = parseMoment(begin.text, false) //nolint:errcheck // checked by the table
	}
	if end != nil {
		to, _ = parseMoment(end.text, true) //nolint:errcheck // checked by the table
	}
	return from, to
}

func integer(n *node, otherwise int) int {
	if n == nil {
		return otherwise
	}
	i, err := strconv.Atoi(n.text)
	if err != nil {
		return otherwise // the table has checked it
	}
	return i
}
