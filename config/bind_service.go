package config

import (
	"regexp"
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

// service reads one service; root has the team's defaults, and custom names all
// rules of the team's own.
func (b *binder) service(n, root *node, custom []string) Service {
	s := Service{
		Name: n.str("name"), Staging: n.str("staging"), Prod: n.str("prod"), Ledger: n.str("ledger"),
		Channel: defaultChannel, Platforms: n.get("platforms").texts(), Limit: defaultLimit,
		Deliver: bindDeliver(n.get("deliver")), Running: bindRunning(n.get("running")),
		Copy: CopyTrusted, Window: defaultWindow,
	}
	if c := n.str("channel"); c != "" {
		s.Channel = c
	}
	s.Gates = b.gates(root.get("gates"), n.get("gates"), s.Channel)
	s.Overrides = b.serviceOverrides(n, root, s.Gates.Custom, custom)
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

func bindRunning(n *node) *Running {
	if n == nil {
		return nil
	}
	return &Running{Command: n.get("command").texts(), URL: n.str("url")}
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
