package ecr

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"plimsoll/config"
	"plimsoll/registry"
)

// Options are what the providers of one run share.
type Options struct {
	// HTTP sends the requests to AWS's own interfaces; nil: the SDK's client,
	// with the proxy and the $AWS_CA_BUNDLE of the environment. Those to a
	// registry go over its client.
	HTTP aws.HTTPClient
	// Now is the time; nil: the clock.
	Now func() time.Time
}

// callLimit bounds one question to AWS with all attempts of the SDK, and
// signing in before it.
const callLimit = 45 * time.Second

// Providers makes the provider of each host that is a private registry of ECR,
// for registry.Options. Identities for reading and for evidence are shared by
// the hosts; that for promoting belongs to one host of one client, and ends with it.
func Providers(o Options) func(host string, entry config.Registry, wire *registry.Wire) registry.Provider {
	if o.Now == nil {
		o.Now = time.Now
	}
	everyday := &sessions{options: o}
	return func(host string, entry config.Registry, wire *registry.Wire) registry.Provider {
		at, ok := placeOf(host)
		if !ok && !entryIsAWS(entry) {
			return nil
		}
		p := &provider{options: o, host: host, at: at, entry: entry, purpose: wire.Purpose(), sessions: everyday}
		if p.purpose == registry.Promote {
			p.sessions, p.own = &sessions{options: o, promotes: true}, true
		}
		return p
	}
}

func entryIsAWS(entry config.Registry) bool {
	for _, id := range []*config.Identity{entry.Read, entry.Evidence, entry.Promote} {
		if id != nil && id.AWS != nil {
			return true
		}
	}
	return false
}

// provider is one registry of ECR as one client sees it.
type provider struct {
	options Options
	host    string
	at      place
	entry   config.Registry
	purpose registry.Purpose
	own     bool // sessions are this provider's alone

	mu       sync.Mutex
	sessions *sessions
	given    string // the password that the client has
}

// Close drops what is secret, as far as nobody else needs it.
func (p *provider) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.given = ""
	if p.own {
		p.sessions = &sessions{options: p.options, promotes: true}
	}
}

// identity is the AWS identity of the client's purpose, nil if it has another form.
func (p *provider) identity() *config.AWSIdentity {
	id := p.entry.Read
	switch {
	case p.purpose == registry.Promote && p.entry.Promote != nil:
		id = p.entry.Promote
	case p.purpose == registry.Evidence && p.entry.Evidence != nil:
		id = p.entry.Evidence
	}
	if id == nil {
		return nil
	}
	return id.AWS
}

// session is the session of an identity.
func (p *provider) session(id config.AWSIdentity) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions.of(id, p.at.region)
}

// api is ECR's own interface with the client's identity. An identity of another
// form has none there.
func (p *provider) api(ctx context.Context) (*ecr.Client, error) {
	id := p.identity()
	if id == nil {
		return nil, registry.ErrUnsupported
	}
	return p.session(*id).api(ctx)
}

// account is the registry in requests, nil for the caller's own.
func (at place) registry() *string {
	if at.account == "" {
		return nil
	}
	return aws.String(at.account)
}

// bounded cuts answers off that are longer than any has a reason to be; what is
// cut is no JSON any more.
type bounded struct{ aws.HTTPClient }

const maxAnswer = 16 << 20

// Do sends a request.
func (b bounded) Do(req *http.Request) (*http.Response, error) {
	resp, err := b.HTTPClient.Do(req)
	if err != nil {
		return nil, err //nolint:wrapcheck // the SDK looks at it
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}
