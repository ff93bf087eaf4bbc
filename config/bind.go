package config

import (
	"maps"
	"strings"
)

// binder turns a tree that the table allows into a Config, and checks what the
// table cannot say: files, references between keys, times in order.
type binder struct {
	*source
	dir      string
	read     reader
	files    map[string]string // SHA-256 of what was read, by its path as written
	hashed   int               // bytes of scripts among them
	trust    map[string]Group
	sources  map[string]Source
	compiled map[*node]bool // expressions that were compiled already
}

func (b *binder) bind(c *Config, root *node) {
	c.Registries = b.registries(root.get("registries"))
	c.Signing = b.signing(root.get("signing"))
	c.UI = bindUI(root.get("ui"))
	c.TrustRoot = b.trustRoot(root.get("trust-root"))
	c.Trust = b.groups(root.get("trust"), c.TrustRoot)
	c.Sources = b.bindSources(root.get("sources"))
	b.trust, b.sources = c.Trust, c.Sources
	custom := b.customNames(root)
	b.gates(root.get("gates"), nil, defaultChannel) // also where every service replaces an entry
	b.overrides(root.get("overrides"), custom)
	for _, n := range root.get("services").list() {
		c.Services = append(c.Services, b.service(n, root, custom))
	}
	b.checkServices(c.Services, root.get("services").list())
}

// file reads a file that the team's file names, and remembers it.
func (b *binder) file(path string, limit int64) ([]byte, error) {
	raw, err := b.read(resolve(b.dir, path), limit)
	if err == nil {
		b.files[path] = hash(raw)
	}
	return raw, err
}

// bindPersonal puts what belongs to a person in place of what the team says.
func (b *binder) bindPersonal(c *Config, root *node) {
	if n := root.get("signing"); n != nil {
		c.Signing = b.signing(n)
	}
	ui := bindUI(root.get("ui"))
	if root.get("ui").get("theme") != nil {
		c.UI.Theme = ui.Theme
	}
	keys := maps.Clone(c.UI.Keys)
	if keys == nil {
		keys = map[string]string{}
	}
	maps.Copy(keys, ui.Keys)
	c.UI.Keys = keys
	n := root.get("registries")
	if n == nil {
		return
	}
	for _, e := range n.entries {
		// A host that only the person names keeps docker's credentials for the rest.
		r := c.Registry(e.name)
		r.Listed = true
		for name, field := range map[string]**Identity{"read": &r.Read, "evidence": &r.Evidence, "promote": &r.Promote} {
			if id := e.value.get(name); id != nil {
				*field = b.identity(id)
			}
		}
		if client := e.value.get("client-certificate"); client != nil {
			r.Client = b.client(client)
			if r.PlainHTTP {
				b.report(client.place, "leave it out", "registries.%s has plain-http in the team's file, which uses no TLS", e.name)
			}
		}
		c.Registries[e.name] = r
	}
}

func (b *binder) signing(n *node) Signing {
	key := n.str("key")
	if key == "" || strings.Contains(key, "://") {
		return Signing{Key: key}
	}
	return Signing{Key: resolve(b.dir, key)}
}

func bindUI(n *node) UI {
	ui := UI{Theme: "auto", Keys: map[string]string{}}
	if t := n.str("theme"); t != "" {
		ui.Theme = t
	}
	if keys := n.get("keys"); keys != nil {
		for _, e := range keys.entries {
			ui.Keys[e.name] = e.value.text
		}
	}
	return ui
}

func (b *binder) registries(n *node) map[string]Registry {
	out := map[string]Registry{}
	if n == nil {
		return out
	}
	for _, e := range n.entries {
		r := Registry{
			Host: e.name, Listed: true, AuthHost: e.value.str("auth-host"), AzureCloud: e.value.str("azure-cloud"),
			Read: b.identity(e.value.get("read")), Evidence: b.identity(e.value.get("evidence")), Promote: b.identity(e.value.get("promote")),
			Via: b.via(e.value.get("via")), Import: bindImport(e.value.get("import")), CA: b.certificates(e.value.get("ca")),
			Client: b.client(e.value.get("client-certificate")), Harbor: e.value.str("harbor") == "true",
			PlainHTTP: e.value.str("plain-http") == "true", AllowPlainHTTP: e.value.str("allow-plain-http") == "true",
		}
		b.checkTransport(r, e)
		out[e.name] = r
	}
	return out
}

func (b *binder) checkTransport(r Registry, e entry) {
	switch {
	case r.PlainHTTP && !r.AllowPlainHTTP && !loopback(r.Host):
		b.report(e.value.get("plain-http").place, "use TLS (a private authority goes into ca), or add allow-plain-http: true if everybody on the way may read and change what is sent",
			"registries.%s.plain-http: %s is not this machine", e.name, r.Host)
	case r.AllowPlainHTTP && !r.PlainHTTP:
		b.report(e.value.get("allow-plain-http").place, "add plain-http: true, or leave it out",
			"registries.%s.allow-plain-http does nothing by itself", e.name)
	case r.PlainHTTP && r.CA != nil:
		b.report(e.value.get("ca").place, "leave out ca, or plain-http", "registries.%s has a ca, but plain-http uses no TLS", e.name)
	case r.PlainHTTP && r.Client != nil:
		b.report(e.value.get("client-certificate").place, "leave out client-certificate, or plain-http",
			"registries.%s has a client-certificate, but plain-http uses no TLS", e.name)
	}
	if r.Harbor {
		b.checkHarbor(r, e)
	}
}

// checkHarbor refuses identities that no Harbor knows.
func (b *binder) checkHarbor(r Registry, e entry) {
	ids := []*Identity{r.Read, r.Evidence, r.Promote}
	for i, name := range []string{"read", "evidence", "promote"} {
		if id := ids[i]; id != nil && (id.Azure != nil || id.AWS != nil) {
			b.report(e.value.get(name).place, "write {username: …, password-env: …} or {docker: true}", "registries.%s.%s: a Harbor knows no identity of a cloud", e.name, name)
		}
	}
}

func (b *binder) client(n *node) *ClientCertificate {
	if n == nil {
		return nil
	}
	return &ClientCertificate{Certificate: resolve(b.dir, n.str("certificate")), Key: resolve(b.dir, n.str("key"))}
}

func (b *binder) identity(n *node) *Identity {
	if n == nil {
		return nil
	}
	id := &Identity{
		Docker: n.get("docker") != nil, Anonymous: n.get("anonymous") != nil,
		Username: n.str("username"), PasswordEnv: n.str("password-env"),
	}
	if a := n.get("azure"); a != nil {
		id.Azure = b.azure(a, n)
	}
	if a := n.get("aws"); a != nil {
		id.AWS = &AWSIdentity{Profile: a.str("profile"), Role: a.str("role")}
	}
	return id
}

func (b *binder) azure(n, identity *node) *AzureIdentity {
	outer, inner := identity.get("tenant"), n.get("tenant")
	if outer != nil && inner != nil && outer.text != inner.text {
		b.report(outer.place, "keep one of the two", "the tenant is given twice")
	}
	a := &AzureIdentity{Method: "cli", Tenant: identity.str("tenant")}
	if inner != nil {
		a.Tenant = inner.text
	}
	a.ClientID = n.str("client-id")
	if n.kind == aMapping {
		n = n.get("method")
	}
	if methods := n.texts(); len(methods) > 0 {
		a.Method, a.Others = methods[0], methods[1:]
	}
	return a
}

func bindImport(n *node) *Import {
	if n == nil {
		return nil
	}
	i := &Import{Subscription: n.str("subscription"), ResourceGroup: n.str("resource-group")}
	i.Source = ImportSource{Subscription: i.Subscription, ResourceGroup: i.ResourceGroup}
	if s := n.get("source"); s != nil {
		i.Source = ImportSource{Subscription: s.str("subscription"), ResourceGroup: s.str("resource-group")}
	}
	return i
}

func (b *binder) certificates(n *node) []byte {
	if n == nil {
		return nil
	}
	raw, err := b.file(n.text, maxCAFile)
	if err == nil {
		err = checkCertificates(raw)
	}
	if err != nil {
		b.report(n.place, "name a PEM file with the certificate of the authority; a relative path is relative to "+b.dir,
			"ca: %s cannot be used: %v", n.text, err)
		return nil
	}
	return raw
}
