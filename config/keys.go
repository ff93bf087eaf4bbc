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
	records, evidence, retention, overrides := recordsShape(), evidenceShape(), retentionShape(), overridesShape()
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
			name: "trust-root", doc: "What keyless signatures are checked against: certificate authorities and logs. Only `workflow` members of `trust` need it.",
			example: "{file: trusted_root.json}", value: trustRootShape(),
		},
		key{
			name: "sources", doc: "Places outside the registry that know how the tests or the scan of a candidate went. Gates name them.",
			example: "{e2e-runs: {github: {repository: acme/chat, gh: true}}}", value: sourcesShape(),
		},
		key{
			name: "gates", doc: "The gates of every service. A gate that is not named is not required.",
			example: "{e2e: {signers: [ci]}}", value: gates,
		},
		key{
			name: "overrides", doc: "Who may go past which gates, with a reason that the record keeps (`plimsoll promote --override`). Without it nobody may. A rollback needs none.",
			example: "[{gates: [freeze, soak], by: [release-owners]}]", value: overrides,
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
			value:   listOf(serviceShape(gates, overrides, records, evidence, retention), 1),
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
		clientEntry(),
	}
}

func clientEntry() key {
	return key{
		name: "client-certificate", doc: "The certificate that this machine shows to the host in TLS, beside the identities. It is shown to no other host.",
		example: "{certificate: me.pem, key: me.key}",
		value: mapOf("",
			key{name: "certificate", doc: "A PEM file with the certificate and its chain (~/ is your home directory).", required: true, example: "~/.config/plimsoll/me.pem", value: text(filePath)},
			key{name: "key", doc: "A PEM file with its private key, without a password. It is read when the host asks for it.", required: true, example: "~/.config/plimsoll/me.key", value: text(filePath)}),
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
			name: "azure", doc: "An Azure identity: a method, a list of methods that are tried in order, or a mapping of `method`, `tenant` and `client-id`.", example: "[cli, device-code]",
			value: anyOf(methods, listOf(methods, 1), mapOf("",
				key{name: "method", doc: "How the token is got: a method, or a list.", def: "cli", example: "azd", value: anyOf(methods, listOf(methods, 1))}, tenant,
				key{name: "client-id", doc: "The application, or the user-assigned managed identity.", def: "the method's own, or AZURE_CLIENT_ID", example: "00000000-0000-0000-0000-000000000000", value: text(anyText)})),
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
		viaEntry(),
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
		key{
			name: "harbor", doc: "It is a Harbor: its scans (the source `registry`) and the immutability rules of its projects are read by its own API, with the same identity.",
			def: "false", example: "true", value: flag(),
		},
		key{name: "plain-http", doc: "Speak HTTP without TLS. For a loopback host only, else with `allow-plain-http`.", def: "false", example: "true", value: flag()},
		key{name: "allow-plain-http", doc: "Allow `plain-http` to another machine: everybody on the way can read and change what is sent.", def: "false", example: "true", value: flag()},
		key{name: "azure-cloud", doc: "The Azure cloud of the registry.", def: "by the host name: `.azurecr.cn` is china, `.azurecr.us` is government, everything else public", example: "china", value: words("public", "china", "government")},
		key{name: "auth-host", doc: "The host of the token service, if it is another than the registry and may get its credential.", def: "the registry's own host", example: "auth.example.com", value: text(hostName)},
	)...)
}
