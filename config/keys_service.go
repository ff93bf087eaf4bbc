package config

// maxCandidates is the most digests of one service that are listed.
const maxCandidates = 1000

// signers is the key that most gates have.
func signers(who string) key {
	return key{name: "signers", doc: "The signer groups whose " + who + " count.", required: true, example: "[ci]", value: listOf(text(identifier), 1)}
}

func maxAge(of string) key {
	return key{name: "max-age", doc: "How old " + of + " may be, by its signed time.", def: "no limit", example: "72h", value: text(duration)}
}

// orOff lets a gate be switched off in a word.
func orOff(gate *shape) *shape { return anyOf(words("off"), gate) }

func gatesShape() *shape {
	return mapOf("gates",
		key{name: "e2e", doc: "Asks for passed end-to-end tests.", example: "{signers: [ci], max-age: 72h, suites: [smoke, api]}", value: orOff(mapOf("",
			signers("test results"), maxAge("a result"),
			key{name: "suites", doc: "Every one of these must have passed.", def: "at least one suite", example: "[smoke, api]", value: listOf(text(anyText), 1)}))},
		key{name: "scan", doc: "Asks for a vulnerability scan.", example: "{signers: [scanner], max-severity: medium, max-age: 24h}", value: orOff(scanShape())},
		key{name: "base-image", doc: "Asks for provenance that names the base images.", example: "{signers: [ci], pinned: required}", value: orOff(mapOf("",
			signers("provenance statements"),
			key{name: "pinned", doc: "Whether base images must be pinned by digest.", def: "required", example: "required", value: words("required", "optional")}))},
		key{name: "sign-off", doc: "Asks people.", example: "{signers: [qa-leads], quorum: 1, when: bigger-change}", value: orOff(signOffShape())},
		key{name: "soak", doc: "Asks for a time in staging.", example: "{min: 1h}", value: orOff(mapOf("",
			key{name: "min", doc: "The least time.", required: true, example: "1h", value: text(duration)}))},
		key{name: "freeze", doc: "Times in which nothing is promoted. Rollback always works.", example: "[{from: 2026-12-20, to: 2027-01-02, reason: year end}]", value: orOff(listOf(mapOf("",
			key{name: "from", doc: "When it begins; a date is a whole day in UTC.", required: true, example: "2026-12-20", value: text(moment)},
			key{name: "to", doc: "When it ends; a date is included.", required: true, example: "2027-01-02", value: text(moment)},
			key{name: "reason", doc: "Why, shown to whoever waits.", required: true, example: "year end", value: text(anyText)}), 1))},
		key{name: "custom", doc: "Your own rules in CEL.", example: "[{name: no-root, expr: 'image.config.user != \"\"'}]", value: orOff(listOf(mapOf("",
			key{name: "name", doc: "The name of the check.", required: true, example: "no-root", value: text(identifier)},
			key{name: "expr", doc: "An expression that must be true.", required: true, example: `'image.config.user != "root"'`, value: text(anyText)}), 1))},
	)
}

func scanShape() *shape {
	return mapOf("",
		signers("scans"),
		key{name: "max-severity", doc: "The worst severity that still passes.", required: true, example: "medium", value: words(severityWords()...)},
		maxAge("a scan"),
		key{name: "allow", doc: "Vulnerabilities that pass for a while.", example: "[{id: CVE-2026-1234, until: 2026-12-31, reason: not reachable}]", value: listOf(mapOf("",
			key{name: "id", doc: "The vulnerability, as the scanner names it.", required: true, example: "CVE-2026-1234", value: text(anyText)},
			key{name: "until", doc: "How long it passes; a date is included.", required: true, example: "2026-12-31", value: text(moment)},
			key{name: "reason", doc: "Why, kept in the policy.", required: true, example: "not reachable", value: text(anyText)}), 0)})
}

func signOffShape() *shape {
	return mapOf("",
		key{name: "signers", doc: "The signer groups whose `people` may approve.", required: true, example: "[qa-leads]", value: listOf(text(identifier), 1)},
		key{name: "quorum", doc: "How many different people must approve.", def: "1", example: "2", value: number(1, 100)},
		key{
			name: "when", doc: "When a sign-off is asked for; `bigger-change` means: when more than the application changes against prod.", def: "always", example: "bigger-change",
			value: words(string(Always), string(Never), string(BiggerChange)),
		},
		key{name: "not-by", doc: "Who may not approve: `promoter`, the person who promotes.", def: "nobody is left out", example: "[promoter]", value: listOf(words("promoter"), 0)},
		maxAge("a sign-off"))
}

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

func serviceShape(gates, records, evidence, retention *shape) *shape {
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
		key{name: "gates", doc: "Gates of this service. An entry replaces the default's whole entry; `off` switches it off, visibly.", def: "the defaults", example: "{e2e: off}", value: gates},
		key{name: "records", doc: "In place of the team's `records`.", def: "the team's", example: "{signers: [chat-owners]}", value: records},
		key{name: "evidence", doc: "In place of the team's `evidence`.", def: "the team's", example: "{copy: all}", value: evidence},
		key{name: "retention", doc: "In place of the team's `retention`.", def: "the team's", example: "{window: 180d}", value: retention},
	)
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
