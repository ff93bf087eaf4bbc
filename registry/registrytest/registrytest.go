package registrytest

import (
	"testing"

	"plimsoll/config"
	"plimsoll/registry"
	"plimsoll/registry/embedded"
)

// Embedded starts an embedded registry that ends with the test and returns its
// host. Without options it lies in memory; more than one is an error.
func Embedded(t testing.TB, o ...embedded.Options) string {
	t.Helper()
	var options embedded.Options
	switch len(o) {
	case 0:
	case 1:
		options = o[0]
	default:
		t.Fatalf("Embedded takes one Options, not %d", len(o))
	}
	r, err := embedded.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r.Host()
}

// Client makes an anonymous client that ends with the test and speaks plain
// HTTP. The entries tell it more about their hosts: a CA, an identity.
func Client(t testing.TB, entries ...config.Registry) *registry.Client {
	t.Helper()
	c := registry.New(registry.Options{Purpose: registry.Promote, Registries: func(host string) config.Registry {
		for _, e := range entries {
			if e.Host == host {
				return e
			}
		}
		anonymous := &config.Identity{Anonymous: true}
		return config.Registry{Host: host, PlainHTTP: true, Listed: true, Read: anonymous, Promote: anonymous}
	}})
	t.Cleanup(c.Close)
	return c
}
