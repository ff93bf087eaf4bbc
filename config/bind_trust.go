package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// The public good instance of Sigstore: its TUF repository, and the words for it.
const (
	sigstoreTUF  = "https://tuf-repo-cdn.sigstore.dev"
	sigstoreName = "Sigstore's public good instance"
)

// trustRoot reads what keyless signatures are checked against, as far as files say it.
func (b *binder) trustRoot(n *node) TrustRoot {
	r := TrustRoot{File: n.str("file"), TUF: n.str("tuf")}
	switch {
	case r.File != "":
		r.Raw = b.rootFile(n.get("file"), false)
	case r.TUF == "":
		r.Problem = "the trusted root of " + sigstoreName + " was not fetched yet"
	default:
		r.Problem = "the trusted root of " + r.TUF + " was not fetched yet"
		if root := n.get("root"); root != nil {
			r.Init = b.rootFile(root, true)
		} else if strings.TrimSuffix(r.TUF, "/") != sigstoreTUF {
			b.report(n.get("tuf").place, "add root: root.json, the file that its owners gave you; it says whose signatures count",
				"trust-root.tuf: %s is not Sigstore's own, and nothing says whom to trust there", r.TUF)
		}
	}
	return r
}

// rootFile reads a trusted root, or with tuf the root of a TUF repository, which
// look alike to people. What stands in them is judged by whoever uses them.
func (b *binder) rootFile(n *node, tuf bool) []byte {
	raw, err := b.file(n.text, maxRootFile)
	var top struct {
		Signed    json.RawMessage `json:"signed"`
		MediaType string          `json:"mediaType"`
	}
	hint := "name the trusted_root.json that the owners of the instance published, or that cosign trusted-root create wrote"
	if tuf {
		hint = "name the root.json of the TUF repository"
	}
	switch {
	case err != nil:
	case !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) || json.Unmarshal(raw, &top) != nil:
		err = errors.New("it is no JSON object")
	case !tuf && top.Signed != nil:
		err, hint = errors.New("it is the root of a TUF repository"), "write trust-root: {tuf: URL, root: "+n.text+"}"
	case !tuf && !strings.HasPrefix(top.MediaType, "application/vnd.dev.sigstore.trustedroot"):
		err = errors.New("it is no trusted root: its mediaType is not application/vnd.dev.sigstore.trustedroot+json")
	case tuf && top.Signed == nil:
		err = errors.New("it is no root of a TUF repository: it has no signed")
	}
	if err != nil {
		b.report(n.place, hint, "trust-root: %s cannot be used: %v", n.text, err)
		return nil
	}
	return raw
}

// groups reads the signer groups, and refuses what would let one person count as two.
func (b *binder) groups(n *node, root TrustRoot) map[string]Group {
	out := map[string]Group{}
	if n == nil {
		return out
	}
	owners := map[string]string{} // SPKI or reference → id
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
			g.Workflow = append(g.Workflow, bindWorkflow(w))
		}
		if len(g.Workflow) > 0 {
			g.Root, g.RootProblem = root.Raw, root.Problem
		}
		out[e.name] = g
	}
	return out
}

func bindWorkflow(n *node) Workflow {
	w := Workflow{Issuer: n.str("issuer"), Identity: n.str("identity")}
	if p := n.get("identity-pattern"); p != nil {
		w.Pattern, _ = anchored(p.text) //nolint:errcheck // checked by the table
	}
	return w
}

func (b *binder) person(e entry, owners map[string]string) []Person {
	var out []Person
	for _, n := range e.value.list() {
		for _, k := range b.key(n) {
			// Of a key service only the name is known yet.
			id := string(k.SPKI)
			if k.SPKI == nil {
				id = k.Path
			}
			if owner, ok := owners[id]; ok && owner != e.name {
				b.report(n.place, "give each person a key of their own: plimsoll key generate",
					"%s and %s have the same key, so one could sign for both", owner, e.name)
			}
			owners[id] = e.name
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
	if KeyService(k.Path) {
		k.Problem = "the public key of " + k.Path + " was not fetched from its key service yet"
		return []Key{k}
	}
	raw, err := b.file(k.Path, maxKeyFile)
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

// people are the ids of the people in the groups; false if a group is not known, which was reported.
func (b *binder) people(groups []string) (map[string]bool, bool) {
	ids := map[string]bool{}
	for _, name := range groups {
		group, ok := b.trust[name]
		if !ok {
			return nil, false
		}
		for _, p := range group.People {
			ids[p.ID] = true
		}
	}
	return ids, true
}
