package config

func trustRootShape() *shape {
	return mapOf("",
		key{name: "file", doc: "A `trusted_root.json` that you keep beside the configuration: nothing is fetched.", example: "trusted_root.json", value: text(filePath)},
		key{name: "tuf", doc: "A TUF repository that the trusted root is fetched from, and kept.", def: "Sigstore's public good instance", example: "https://tuf.example.com", value: text(tufURL)},
		key{name: "root", doc: "The `root.json` that TUF starts from; Sigstore's own is built in.", example: "root.json", value: text(filePath)},
	).choosing(choice{need: []string{"file"}}, choice{need: []string{"tuf"}, may: []string{"root"}})
}

func groupShape() *shape {
	oneKey := mapOf("key",
		key{name: "path", doc: "The public key: a PEM file, or `azurekms://…`, `awskms://…`.", required: true, example: "keys/ci.pub", value: text(keyPath)},
		key{name: "not-before", doc: "Statements from before it do not count.", def: "no limit", example: "2026-01-01", value: text(moment)},
		key{name: "not-after", doc: "Statements from after it do not count.", def: "no limit", example: "2026-12-31", value: text(moment)})
	keyOrPath := anyOf(text(keyPath), oneKey)
	return mapOf("",
		key{
			name: "keys", doc: "Public keys in PEM (cosign's `.pub`): ECDSA P-256 or P-384, Ed25519, or RSA from 2048 bits; or keys of a key service, `azurekms://HOST/KEY[/VERSION]`, `awskms:///alias/NAME`. A path, or a mapping of `path`, `not-before`, `not-after`.",
			example: "[keys/ci.pub, 'awskms:///alias/ci']", value: listOf(keyOrPath, 1),
		},
		key{
			name: "people", doc: "People by their id, with a key each (or a list of keys). Quorum and `not-by` count ids.",
			example: "{qa.lead@example.com: keys/qa-lead.pub}", value: dictOf(personID, anyOf(text(keyPath), oneKey, listOf(keyOrPath, 1))),
		},
		key{
			name: "workflow", doc: "A keyless identity (or a list of them): a workflow that signs with a short-lived certificate.",
			example: "{issuer: https://token.actions.githubusercontent.com, identity: …}", value: workflowShape(),
		},
	).withSome()
}

func workflowShape() *shape {
	one := mapOf("workflow",
		key{name: "issuer", doc: "The OIDC issuer.", required: true, example: "https://token.actions.githubusercontent.com", value: text(httpsURL)},
		key{name: "identity", doc: "The exact identity in the certificate.", example: "'https://github.com/acme/chat/.github/workflows/e2e.yml@refs/heads/main'", value: text(anyText)},
		key{
			name: "identity-pattern", doc: "In place of `identity`: a regular expression (RE2) that the whole identity matches.",
			example: `'https://github\.com/acme/[^/]+/\.github/workflows/e2e\.yml@refs/heads/main'`, value: text(identityPattern),
		},
	).choosing(choice{need: []string{"issuer", "identity"}}, choice{need: []string{"issuer", "identity-pattern"}})
	return anyOf(one, listOf(one, 1))
}
