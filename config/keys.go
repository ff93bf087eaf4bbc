package config

import "sync"

// teamShape is the table of plimsoll.yaml, personalShape that of personal.yaml.
// They are built on first use: most commands that only print need neither.
var (
	teamShape     = sync.OnceValue(buildTeam)
	personalShape = sync.OnceValue(buildPersonal)
)

func buildTeam() *shape {
	gates := gatesShape()
	records, evidence, retention := recordsShape(), evidenceShape(), retentionShape()
	return mapOf("",
		key{
			name: "registries", doc: "How each registry host is reached. A host that is not listed is read with docker's credentials, anonymously where there are none.",
			example: "{registry.example.com: {read: {docker: true}}}", value: dictOf(hostName, registryShape(identityShape())),
		},
		signingKeyEntry(),
		key{
			name: "trust", doc: "The signer groups: who may say something. A gate names groups.",
			example: "{ci: {keys: [keys/ci.pub]}}", value: dictOf(identifier, groupShape()),
		},
		key{
			name: "gates", doc: "The gates of every service. A gate that is not named is not required.",
			example: "{e2e: {signers: [ci]}}", value: gates,
		},
		key{
			name: "records", doc: "Whose promotion records, completions and quarantines count.",
			example: "{signers: [release-owners]}", value: records,
		},
		key{name: "evidence", doc: "Which signed statements travel to prod with an image.", example: "{copy: trusted}", value: evidence},
		key{name: "retention", doc: "How long prod must keep an image, so that there is something to roll back to.", example: "{window: 90d}", value: retention},
		key{
			name: "services", doc: "What is released, in the order of the screens.", required: true,
			example: "[{name: app, staging: staging.example.com/app, prod: prod.example.com/app}]",
			value:   listOf(serviceShape(gates, records, evidence, retention), 1),
		},
		uiEntry(),
	)
}

func buildPersonal() *shape {
	identity := identityShape()
	return mapOf("",
		signingKeyEntry(),
		uiEntry(),
		key{
			name: "registries", doc: "Your identities. Each replaces the team's.",
			example: "{registry.example.com: {promote: {azure: azd}}}",
			value:   dictOf(hostName, mapOf("", identityKeys(identity)...)),
		},
	)
}

func signingKeyEntry() key {
	return key{
		name: "signing", doc: "The key that signs your approvals, records and evidence. Its password comes from $PLIMSOLL_KEY_PASSWORD, $COSIGN_PASSWORD or a prompt. It is not opened before it is needed.",
		example: "{key: owner.key}",
		value: mapOf("", key{
			name: "key", doc: "A cosign private key file (~/ is your home directory), azurekms://… or awskms://….", required: true,
			example: "~/.config/plimsoll/owner.key", value: text(signingKey),
		}),
	}
}

func uiEntry() key {
	return key{
		name: "ui", doc: "How the console looks and which keys it listens to.", example: "{theme: dark}",
		value: mapOf("",
			key{name: "theme", doc: "The colours.", def: "auto", example: "dark", value: words("auto", "dark", "light", "plain")},
			key{
				name: "keys", doc: "Other keys for actions; the console's help (`?`) lists the actions.", example: "{diff: x}",
				value: dictOf(identifier, text(anyText)),
			}),
	}
}

func identityKeys(identity *shape) []key {
	return []key{
		{name: "read", doc: "Who reads: lists, gates, diffs.", def: "anonymous", example: "{docker: true}", value: identity},
		{name: "evidence", doc: "Who attaches sign-offs and other evidence in staging.", def: "as `read`", example: "{docker: true}", value: identity},
		{name: "promote", doc: "Who writes prod. Asked for only at the confirmation, and dropped afterwards.", def: "as `read`; `doctor` warns", example: "{azure: cli}", value: identity},
	}
}

func identityShape() *shape {
	methods := words("cli", "azd", "device-code", "workload-identity", "managed-identity", "azure-pipelines", "environment")
	tenant := key{name: "tenant", doc: "The tenant of the Azure identity.", def: "the identity's own", example: "contoso.onmicrosoft.com", value: text(anyText)}
	return mapOf("identity",
		key{name: "docker", doc: "What `docker login` or docker's credential helpers know about the host.", example: "true", value: only()},
		key{name: "anonymous", doc: "No credential.", example: "true", value: only()},
		key{name: "username", doc: "A user or robot account, with `password-env`.", example: "robot$release", value: text(anyText)},
		key{name: "password-env", doc: "The environment variable that holds the password or token. The file never holds it itself.", example: "HARBOR_TOKEN", value: text(environmentName)},
		key{
			name: "azure", doc: "An Azure identity: the method, or a mapping of `method` and `tenant`.", example: "cli",
			value: anyOf(methods, mapOf("",
				key{name: "method", doc: "How the token is got.", def: "cli", example: "azd", value: methods}, tenant)),
		},
		tenant,
		key{
			name: "aws", doc: "An AWS identity; `{}` is the SDK's own order.", example: "{profile: ro}",
			value: mapOf("",
				key{name: "profile", doc: "A profile of the AWS configuration.", example: "ro", value: text(anyText)},
				key{name: "role", doc: "A role to assume.", example: "arn:aws:iam::123456789012:role/release", value: text(roleARN)}),
		},
	).choosing(
		choice{need: []string{"docker"}}, choice{need: []string{"anonymous"}}, choice{need: []string{"username", "password-env"}},
		choice{need: []string{"azure"}, may: []string{"tenant"}}, choice{need: []string{"aws"}},
	)
}

func registryShape(identity *shape) *shape {
	subscription := func(what string) []key {
		return []key{
			{name: "subscription", doc: "The subscription of " + what + ".", required: true, example: "00000000-0000-0000-0000-000000000000", value: text(anyText)},
			{name: "resource-group", doc: "The resource group of " + what + ".", required: true, example: "registries", value: text(anyText)},
		}
	}
	return mapOf("", append(identityKeys(identity),
		key{
			name: "via", doc: "A pipeline that promotes under its own identity, so that no person holds the right to write prod.",
			example: "{github: {repository: acme/release, workflow: promote.yml}}",
			value: mapOf("",
				key{name: "github", doc: "A GitHub Actions workflow.", example: "{repository: acme/release, workflow: promote.yml}", value: mapOf("",
					key{name: "repository", doc: "The repository of the workflow.", required: true, example: "acme/release", value: text(gitHubRepository)},
					key{name: "workflow", doc: "The file name of the workflow.", required: true, example: "promote.yml", value: text(anyText)})},
				key{name: "azure", doc: "An Azure Pipelines definition.", example: "{organization: acme, project: release, pipeline: promote}", value: mapOf("",
					key{name: "organization", doc: "The Azure DevOps organization.", required: true, example: "acme", value: text(anyText)},
					key{name: "project", doc: "The project.", required: true, example: "release", value: text(anyText)},
					key{name: "pipeline", doc: "The name of the pipeline.", required: true, example: "promote", value: text(anyText)})},
			).choosing(choice{need: []string{"github"}}, choice{need: []string{"azure"}}),
		},
		key{
			name: "import", doc: "Where this Azure registry lives, so that images are copied by Azure itself.",
			example: "{subscription: …, resource-group: registries}",
			value: mapOf("", append(subscription("this registry"),
				key{
					name: "source", doc: "Where the staging registry lives.", def: "the same subscription and group", example: "{subscription: …, resource-group: staging}",
					value: mapOf("", subscription("the staging registry")...),
				})...),
		},
		key{name: "ca", doc: "A PEM file with an additional certificate authority for this host.", example: "corp.pem", value: text(filePath)},
		key{name: "plain-http", doc: "Speak HTTP without TLS. For a loopback host only, else with `allow-plain-http`.", def: "false", example: "true", value: flag()},
		key{name: "allow-plain-http", doc: "Allow `plain-http` to another machine: everybody on the way can read and change what is sent.", def: "false", example: "true", value: flag()},
		key{name: "auth-host", doc: "The host of the token service, if it is another than the registry and may get its credential.", def: "the registry's own host", example: "auth.example.com", value: text(hostName)},
	)...)
}

func groupShape() *shape {
	oneKey := mapOf("key",
		key{name: "path", doc: "The public key.", required: true, example: "keys/ci.pub", value: text(filePath)},
		key{name: "not-before", doc: "Statements from before it do not count.", def: "no limit", example: "2026-01-01", value: text(moment)},
		key{name: "not-after", doc: "Statements from after it do not count.", def: "no limit", example: "2026-12-31", value: text(moment)})
	workflow := mapOf("workflow",
		key{name: "issuer", doc: "The OIDC issuer.", required: true, example: "https://token.actions.githubusercontent.com", value: text(httpsURL)},
		key{name: "identity", doc: "The exact identity in the certificate.", required: true, example: "'https://github.com/acme/chat/.github/workflows/e2e.yml@refs/heads/main'", value: text(anyText)})
	keyOrPath := anyOf(text(filePath), oneKey)
	return mapOf("",
		key{
			name: "keys", doc: "Public keys in PEM (cosign's `.pub`): ECDSA P-256 or P-384, Ed25519, or RSA from 2048 bits. A path, or a mapping of `path`, `not-before`, `not-after`.",
			example: "[keys/ci.pub]", value: listOf(keyOrPath, 1),
		},
		key{
			name: "people", doc: "People by their id, with a key each (or a list of keys). Quorum and `not-by` count ids.",
			example: "{qa.lead@example.com: keys/qa-lead.pub}", value: dictOf(personID, anyOf(text(filePath), oneKey, listOf(keyOrPath, 1))),
		},
		key{
			name: "workflow", doc: "A keyless identity (or a list of them): a workflow that signs with a short-lived certificate.",
			example: "{issuer: https://token.actions.githubusercontent.com, identity: …}", value: anyOf(workflow, listOf(workflow, 1)),
		},
	).withSome()
}
