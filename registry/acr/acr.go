package acr

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"plimsoll/config"
	"plimsoll/registry"
)

// Options are what the providers of one run share.
type Options struct {
	// Transport sends the requests to Microsoft Entra and to Azure Resource
	// Manager; nil: HTTPS with the proxy of the environment. Those to a registry go over its client.
	Transport policy.Transporter
	// Tell shows a person a line with a code and the address where to type it,
	// until ctx ends. It may wait: an error before then cancels the sign-in, nil
	// means that it was shown. nil: device-code is refused, because nobody can be told.
	Tell func(ctx context.Context, message string) error
	// Sleep waits between two questions about an import; nil: by the clock.
	Sleep func(ctx context.Context, d time.Duration) error
	// Now is the time; nil: the clock.
	Now func() time.Time
}

// Providers makes the provider of each host that is an Azure Container
// Registry, for registry.Options. Identities for reading and for evidence are
// shared by the hosts, so that az is started once and a code is typed once; that for promoting belongs to
// one host of one client, and ends with it.
func Providers(o Options) func(host string, entry config.Registry, wire *registry.Wire) registry.Provider {
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Transport == nil {
		o.Transport = &http.Client{Timeout: registry.AnswerTimeout}
	}
	o.Transport = bounded{o.Transport}
	everyday := &sources{options: o}
	return func(host string, entry config.Registry, wire *registry.Wire) registry.Provider {
		if !serves(host, entry) {
			return nil
		}
		p := &provider{options: o, host: host, entry: entry, wire: wire, cloud: cloudOf(host, entry), sources: everyday}
		if wire.Purpose() == registry.Promote {
			p.sources = &sources{options: o}
			p.own = true
		}
		return p
	}
}

// serves tells whether a host is an Azure registry: by its name, or because an
// identity for it is Azure's.
func serves(host string, entry config.Registry) bool {
	for _, id := range []*config.Identity{entry.Read, entry.Evidence, entry.Promote} {
		if id != nil && id.Azure != nil {
			return true
		}
	}
	return suffixOf(host) != ""
}

// provider is one Azure registry as one client sees it.
type provider struct {
	options Options
	host    string
	entry   config.Registry
	wire    *registry.Wire
	cloud   azureCloud
	own     bool // sources are this provider's alone

	mu      sync.Mutex
	sources *sources
}

// Close drops what is secret, as far as nobody else needs it.
func (p *provider) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.own {
		p.sources = &sources{options: p.options}
	}
}

// identity is the identity of the client's purpose, nil if it is not Azure's.
func (p *provider) identity() *config.AzureIdentity {
	id := p.entry.Read
	switch {
	case p.wire.Purpose() == registry.Promote && p.entry.Promote != nil:
		id = p.entry.Promote
	case p.wire.Purpose() == registry.Evidence && p.entry.Evidence != nil:
		id = p.entry.Evidence
	}
	if id == nil {
		return nil
	}
	return id.Azure
}

// source is where tokens for an identity come from.
func (p *provider) source(id *config.AzureIdentity) *source {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sources.of(id, p.cloud)
}

// resource is the name of the registry's resource: the first label of its
// host, without the hash that a domain name label scope appends; resource
// names are letters and digits.
// https://learn.microsoft.com/azure/container-registry/container-registry-get-started-azure-cli
func resource(host string) string {
	name, _, _ := strings.Cut(host, ".")
	name, _, _ = strings.Cut(name, "-")
	return name
}

// bounded cuts answers of Microsoft Entra and Resource Manager off that are
// longer than any has a reason to be; what is cut is no JSON any more.
type bounded struct{ policy.Transporter }

const maxAnswer = 4 << 20

// Do sends a request.
func (b bounded) Do(req *http.Request) (*http.Response, error) {
	resp, err := b.Transporter.Do(req)
	if err != nil {
		return nil, err //nolint:wrapcheck // the SDK looks at it
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}

// sleep waits for d, or returns why ctx ended, at once.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
