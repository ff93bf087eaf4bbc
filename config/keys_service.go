package config

// maxCandidates is the most digests of one service that are listed.
const maxCandidates = 1000

func recordsShape() *shape {
	s := mapOf("records", signers("records and quarantines"))
	s.keys[0].example = "[release-owners]"
	return s
}

func evidenceShape() *shape {
	return mapOf("evidence", key{
		name: "copy", def: string(CopyTrusted), example: string(CopyUsed),
		doc:   "`trusted`: all that any group of `trust` signed; `used`: what the verdict used; `all`: everything that is attached.",
		value: words(string(CopyTrusted), string(CopyUsed), string(CopyAll)),
	})
}

func retentionShape() *shape {
	return mapOf("retention", key{
		name: "window", def: "90d", example: "180d",
		doc: "At least 30d. `doctor` and the screens compare it with what prod keeps.", value: text(duration),
	})
}

func serviceShape(gates, overrides, records, evidence, retention *shape) *shape {
	return mapOf("",
		key{name: "name", doc: "What people call it; typed to confirm a promotion.", required: true, example: "chat-api", value: text(identifier)},
		key{name: "staging", doc: "The repository that CI pushes to.", required: true, example: "staging.example.com/chat-api", value: text(repository)},
		key{name: "prod", doc: "The repository that prod pulls from.", required: true, example: "prod.example.com/chat-api", value: text(repository)},
		key{name: "channel", doc: "The tag in the prod repository that prod follows.", def: "live", example: "canary", value: text(channelTag)},
		key{name: "ledger", doc: "The repository of the records, in the prod registry.", def: "`prod` with `-ledger` at its end", example: "prod.example.com/records/chat-api", value: text(repository)},
		key{name: "platforms", doc: "What a candidate must have; scan and base-image must cover each.", def: "all that the index has", example: "[linux/amd64, linux/arm64]", value: listOf(text(platformName), 1)},
		key{name: "candidates", doc: "What is listed, and may be promoted.", example: "{tags: '^v', limit: 20}", value: mapOf("",
			key{name: "tags", doc: "A regular expression (RE2) that a tag of a candidate matches.", def: "every tag", example: "'^(v|main-)'", value: text(expression)},
			key{name: "limit", doc: "How many digests are listed, newest first.", def: "50", example: "20", value: number(1, maxCandidates)})},
		key{name: "deliver", doc: "How prod learns of a new digest.", def: "`{tag: {}}`", example: "{command: [kubectl, set, image, deploy/app, 'app={{.Reference}}']}", value: deliverShape()},
		key{name: "running", doc: "How `plimsoll doctor` learns what prod runs: an answer in any form that names digests, such as `repository@sha256:…`.", def: "it is not asked", example: "{command: [kubectl, get, pods, -l, app=chat, -o, 'jsonpath={..imageID}']}", value: runningShape()},
		key{name: "gates", doc: "Gates of this service. An entry replaces the default's whole entry; `off` switches it off, visibly.", def: "the defaults", example: "{e2e: off}", value: gates},
		key{name: "overrides", doc: "In place of the team's `overrides`; an empty list allows none.", def: "the team's", example: "[{gates: [freeze], by: [release-owners]}]", value: overrides},
		key{name: "records", doc: "In place of the team's `records`.", def: "the team's", example: "{signers: [chat-owners]}", value: records},
		key{name: "evidence", doc: "In place of the team's `evidence`.", def: "the team's", example: "{copy: all}", value: evidence},
		key{name: "retention", doc: "In place of the team's `retention`.", def: "the team's", example: "{window: 180d}", value: retention},
	)
}

func runningShape() *shape {
	return mapOf("",
		key{
			name: "command", doc: "A program and its arguments, run without a shell on this machine; what it prints is the answer.",
			example: "[kubectl, get, pods, -l, app=chat, -o, 'jsonpath={..imageID}']", value: listOf(text(anyText), 1),
		},
		key{name: "url", doc: "An address whose answer to GET it is. No credential is sent, no redirect is followed.", example: "https://chat.example.com/version", value: text(httpsURL)},
	).choosing(choice{need: []string{"command"}}, choice{need: []string{"url"}})
}

func deliverShape() *shape {
	return mapOf("",
		key{name: "tag", doc: "Prod pulls the channel's tag by itself; nothing to do.", example: "{}", value: &shape{kind: aMapping, keys: []key{}}},
		key{
			name: "command", doc: "A program and its arguments, run without a shell on this machine after the channel moved. {{.Reference}}, {{.Digest}}, {{.Service}}, {{.Channel}} and {{.Previous}} are filled in.",
			example: "[kubectl, set, image, deploy/app, 'app={{.Reference}}']", value: listOf(text(commandArgument), 1),
		},
		key{name: "git", doc: "A commit in a manifest repository.", example: "{repository: 'https://github.com/acme/deploy', path: apps/chat/kustomization.yaml}", value: mapOf("",
			key{name: "repository", doc: "Where to clone from and push to.", required: true, example: "https://github.com/acme/deploy", value: text(gitRemote)},
			key{name: "branch", doc: "The branch.", def: "main", example: "prod", value: text(anyText)},
			key{name: "path", doc: "The file in it that names the image.", required: true, example: "apps/chat/kustomization.yaml", value: text(pathInRepository)})},
	).choosing(choice{need: []string{"tag"}}, choice{need: []string{"command"}}, choice{need: []string{"git"}})
}
