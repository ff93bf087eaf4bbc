package config

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// binder turns a tree that the table allows into a Config, and checks what the
// table cannot say: files, references between keys, times in order.
type binder struct {
	*source
	dir   string
	read  reader
	trust map[string]Group
}

func (b *binder) bind(c *Config, root *node) {
	c.Registries = b.registries(root.get("registries"))
	c.Signing = b.signing(root.get("signing"))
	c.UI = bindUI(root.get("ui"))
	c.Trust = b.groups(root.get("trust"))
	b.trust = c.Trust
	b.gates(root.get("gates"), nil) // also where every service replaces an entry
	for _, n := range root.get("services").list() {
		c.Services = append(c.Services, b.service(n, root))
	}
	b.checkServices(c.Services, root.get("services").list())
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
			Host: e.name, Listed: true, AuthHost: e.value.str("auth-host"),
			Read: b.identity(e.value.get("read")), Evidence: b.identity(e.value.get("evidence")), Promote: b.identity(e.value.get("promote")),
			Via: bindVia(e.value.get("via")), Import: bindImport(e.value.get("import")), CA: b.certificates(e.value.get("ca")),
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
	}
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
	if n.kind == aText {
		a.Method = n.text
	} else if m := n.str("method"); m != "" {
		a.Method = m
	}
	return a
}

func bindVia(n *node) *Via {
	if n == nil {
		return nil
	}
	if g := n.get("github"); g != nil {
		return &Via{GitHub: &GitHubWorkflow{Repository: g.str("repository"), Workflow: g.str("workflow")}}
	}
	a := n.get("azure")
	return &Via{Azure: &AzurePipeline{Organization: a.str("organization"), Project: a.str("project"), Pipeline: a.str("pipeline")}}
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
	raw, err := b.read(resolve(b.dir, n.text), maxCAFile)
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

// groups reads the signer groups, and refuses what would let one person count as two.
func (b *binder) groups(n *node) map[string]Group {
	out := map[string]Group{}
	if n == nil {
		return out
	}
	owners := map[string]string{} // SPKI → id
	for _, e := range n.entries {
		g := Group{Name: e.name}
		for _, k := range e.value.get("keys").list() {
			g.Keys = append(g.Keys, b.key(k)...)
		}
		if people := e.value.get("people"); people != nil {
			for _, p := range people.entries {
				g.People = append(g.People, b.person(p, owners)...)
			}
		}
		for _, w := range e.value.get("workflow").list() {
			g.Workflow = append(g.Workflow, Workflow{Issuer: w.str("issuer"), Identity: w.str("identity")})
		}
		out[e.name] = g
	}
	return out
}

func (b *binder) person(e entry, owners map[string]string) []Person {
	var out []Person
	for _, n := range e.value.list() {
		for _, k := range b.key(n) {
			if owner, ok := owners[string(k.SPKI)]; ok && owner != e.name {
				b.report(n.place, "give each person a key of their own: plimsoll key generate",
					"%s and %s have the same key, so one could sign for both", owner, e.name)
			}
			owners[string(k.SPKI)] = e.name
			out = append(out, Person{ID: e.name, Key: k})
		}
	}
	return out
}

// key reads one public key; none if something was reported.
func (b *binder) key(n *node) []Key {
	k := Key{Path: n.text}
	at := n.place
	if n.kind == aMapping {
		k.Path, at = n.str("path"), n.get("path").place
		k.NotBefore, k.NotAfter = moments(n.get("not-before"), n.get("not-after"))
		if !k.NotBefore.IsZero() && !k.NotAfter.IsZero() && !k.NotBefore.Before(k.NotAfter) {
			b.report(n.get("not-after").place, "write not-before first, not-after later", "the key %s is never valid", k.Path)
		}
	}
	raw, err := b.read(resolve(b.dir, k.Path), maxKeyFile)
	if err == nil {
		k.PEM = raw
		k.Public, k.SPKI, err = parseKey(raw)
	}
	if err != nil {
		hint := "name the public key file (.pub); a relative path is relative to " + b.dir
		var ke *keyError
		if errors.As(err, &ke) {
			hint = ke.hint
		}
		b.report(at, hint, "the public key %s cannot be used: %v", k.Path, err)
		return nil
	}
	return []Key{k}
}

// knownGroups reports signer groups that trust does not define.
func (b *binder) knownGroups(n *node) []string {
	known := slices.Sorted(maps.Keys(b.trust))
	for _, g := range n.list() {
		if _, ok := b.trust[g.text]; ok {
			continue
		}
		hint := "define it in trust, for example trust: {" + g.text + ": {keys: [keys/" + g.text + ".pub]}}"
		if near := nearest(g.text, known); near != "" {
			hint = "did you mean \"" + near + "\"? The groups of trust: " + strings.Join(known, ", ")
		} else if len(known) > 0 {
			hint += "; the groups there: " + strings.Join(known, ", ")
		}
		b.report(g.place, hint, "there is no signer group %q in trust", g.text)
	}
	return n.texts()
}
