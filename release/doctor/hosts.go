package doctor

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"plimsoll/config/fault"
	"plimsoll/registry"
)

const (
	mostSkew   = 5 * time.Minute // promote refuses beyond it
	someSkew   = time.Minute
	certSoon   = 14 * 24 * time.Hour
	keySoon    = 30 * 24 * time.Hour
	leastKept  = 30 * 24 * time.Hour
	clockLimit = "5 minutes"
)

// hosts are the two registries, each once.
func (e *examination) hosts() []string {
	if e.Staging.Host == e.Prod.Host {
		return []string{e.Prod.Host}
	}
	return []string{e.Staging.Host, e.Prod.Host}
}

// referrers asks how each repository keeps what is attached to a digest.
func (e *examination) referrers(ctx context.Context) []Fact {
	return each([]registry.Repository{e.Staging, e.Prod}, func(repo registry.Repository) Fact {
		ctx, done := e.within(ctx)
		defer done()
		q := question{"referrers", repo.String()}
		api, err := e.Reader.HasReferrersAPI(ctx, repo)
		switch {
		case err != nil:
			return q.untold(err, "it could not be told how %s keeps evidence", repo)
		case api:
			return q.ok("%s keeps evidence by the referrers API", repo)
		case e.absent(repo):
			return q.unknown("%s is not there, so it could not be told how it keeps evidence", repo).todo("push something, then run it again")
		}
		return q.ok("%s keeps evidence under fallback tags, having no referrers API", repo).
			because("whether those tags may be overwritten cannot be told from here").
			todo("if tags are immutable in %s, exempt sha256-*", repo)
	})
}

// absent tells whether a repository could not be found.
func (e *examination) absent(repo registry.Repository) bool {
	err := e.prodRead
	if repo == e.Staging {
		err = e.stagingRead
	}
	return isNotFound(err)
}

// clocks compares the local clock with that of each registry.
func (e *examination) clocks(context.Context) []Fact {
	return each(e.hosts(), func(host string) Fact {
		q := question{"clock", host}
		skew, known := e.Reader.Skew(host)
		off := skew.Abs().Round(time.Second)
		switch {
		case !known:
			return q.unknown("%s did not say what time it is", host)
		case off > mostSkew:
			return q.broken("the local clock is %s off that of %s, more than %s: nothing can be promoted from here", off, host, clockLimit).todo("set the clock of this machine")
		case off > someSkew:
			return q.warning("the local clock is %s off that of %s", off, host).todo("set the clock of this machine; beyond %s nothing can be promoted", clockLimit)
		}
		return q.ok("the local clock agrees with that of %s", host)
	})
}

// wires looks at how each registry is reached.
func (e *examination) wires(context.Context) []Fact {
	return each(e.hosts(), func(host string) Fact {
		q := question{"tls", host}
		if e.Config.Registry(host).PlainHTTP {
			if loopback(host) {
				return q.ok("%s: plain HTTP, which does not leave this machine", host)
			}
			return q.warning("%s: plain HTTP, so whoever listens on the way reads the credentials", host).todo("serve %s over https, and take plain-http out", host)
		}
		ends, known := e.Reader.Certificate(host)
		left := ends.Sub(e.Now)
		switch {
		case !known:
			return q.unknown("%s showed no certificate", host).todo("see why it could not be reached")
		case left < certSoon:
			return q.warning("the certificate of %s ends in %s", host, span(left)).because("at %s", ends.UTC().Format(time.RFC3339)).todo("renew it")
		}
		return q.ok("%s: TLS, the certificate ends in %s", host, span(left)).because("at %s", ends.UTC().Format(time.RFC3339))
	})
}

// loopback tells whether a host is this machine.
func loopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return name == "localhost" || err == nil && ip.IsLoopback()
}

// span is a duration for people: days, hours or minutes.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return plural(int(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return plural(int(d/time.Hour), "hour")
	case d < 0:
		return "no time"
	}
	return plural(int(d/time.Minute), "minute")
}

func isRefused(err error) bool { return fault.CodeOf(err) == fault.Refused }
