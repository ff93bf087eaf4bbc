package config

// signers is the key that most gates have.
func signers(who string) key {
	k := optionalSigners(who, "")
	k.required = true
	return k
}

func optionalSigners(who, def string) key {
	return key{name: "signers", doc: "The signer groups whose " + who + " count.", def: def, example: "[ci]", value: listOf(text(identifier), 1)}
}

func sourcesOf(what, example string) key {
	return key{
		name: "sources", doc: "Where else " + what + " may come from: names of `sources`. A failure counts from wherever it comes.",
		def: "`signers` alone", example: example, value: listOf(text(identifier), 1),
	}
}

func maxAge(of string) key {
	return key{name: "max-age", doc: "How old " + of + " may be, by its signed time.", def: "no limit", example: "72h", value: text(duration)}
}

// orOff lets a gate be switched off in a word.
func orOff(gate *shape) *shape { return anyOf(words("off"), gate) }

func gatesShape() *shape {
	return mapOf("gates",
		key{name: "e2e", doc: "Asks for passed end-to-end tests: signed results, answers of sources, or both.", example: "{signers: [ci], max-age: 72h, suites: [smoke, api]}", value: orOff(mapOf("",
			optionalSigners("test results", "`sources` alone"), sourcesOf("test results", "[e2e-runs]"), maxAge("a result"),
			key{name: "suites", doc: "Every one of these must have passed.", def: "at least one suite", example: "[smoke, api]", value: listOf(text(anyText), 1)}).with("signers", "sources"))},
		key{name: "scan", doc: "Asks for a vulnerability scan: signed, from a source, or both.", example: "{signers: [scanner], max-severity: medium, max-age: 24h}", value: orOff(scanShape())},
		key{name: "base-image", doc: "Asks for provenance that names the base images.", example: "{signers: [ci], pinned: required}", value: orOff(baseImageShape())},
		key{name: "provenance", doc: "Asks for provenance that says where, and by whom, the image was built.", example: "{signers: [ci], source: https://github.com/acme/chat, branches: [main]}", value: orOff(provenanceShape())},
		key{name: "sign-off", doc: "Asks people.", example: "{signers: [qa-leads], quorum: 1, when: bigger-change}", value: orOff(signOffShape())},
		key{name: "soak", doc: "Asks for a time in staging.", example: "{min: 1h, channel: staging}", value: orOff(soakShape())},
		key{name: "freeze", doc: "Times in which nothing is promoted. Rollback always works.", example: "[{from: 2026-12-20, to: 2027-01-02, reason: year end}]", value: orOff(listOf(freezeShape(), 1))},
		key{name: "custom", doc: "Your own rules in CEL.", example: "[{name: no-root, expr: 'image.config.user != \"\"'}]", value: orOff(listOf(mapOf("",
			key{name: "name", doc: "The name of the check.", required: true, example: "no-root", value: text(identifier)},
			key{name: "expr", doc: "An expression that must be true.", required: true, example: `'image.config.user != "root"'`, value: text(anyText)},
			key{name: "message", doc: "What to tell people if it is not true.", def: "the expression", example: "run as another user than root", value: text(anyText)}), 1))},
	)
}

func scanShape() *shape {
	return mapOf("",
		optionalSigners("scans", "`sources` alone"), sourcesOf("scans", "[harbor]"),
		key{
			name: "vex", doc: "The signer groups whose OpenVEX statements count: what they call not affected or fixed passes.", def: "the groups of `signers`",
			example: "[security]", value: listOf(text(identifier), 1),
		},
		key{name: "max-severity", doc: "The worst severity that still passes.", required: true, example: "medium", value: words(severityWords()...)},
		maxAge("a scan"),
		key{name: "allow", doc: "Vulnerabilities that pass for a while.", example: "[{id: CVE-2026-1234, until: 2026-12-31, reason: not reachable}]", value: listOf(mapOf("",
			key{name: "id", doc: "The vulnerability, as the scanner names it.", required: true, example: "CVE-2026-1234", value: text(anyText)},
			key{name: "until", doc: "How long it passes; a date is included.", required: true, example: "2026-12-31", value: text(moment)},
			key{name: "reason", doc: "Why, kept in the policy.", required: true, example: "not reachable", value: text(anyText)}), 0)},
	).with("signers", "sources")
}

func baseImageShape() *shape {
	return mapOf("",
		signers("provenance statements"),
		key{name: "pinned", doc: "Whether base images must be pinned by digest.", def: "required", example: "required", value: words("required", "optional")},
		key{
			name: "repositories", doc: "The repositories that base images may come from, as host/path; `*` stands for anything but a slash, `/**` at the end for everything below.",
			def: "any", example: "['docker.io/library/*', 'mcr.microsoft.com/**']", value: listOf(text(imagePattern), 1),
		},
		key{name: "max-age", doc: "How long ago the build may have taken its base images, by the provenance's signed time.", def: "no limit", example: "2160h", value: text(duration)},
		key{
			name: "max-base-age", doc: "How old a base image itself may be, by `created` of its own configuration, which its registry is asked for; only with `repositories`, each with its host in full.",
			def: "no limit, and no registry of a base image is asked", example: "180d", value: text(duration),
		})
}

func provenanceShape() *shape {
	return mapOf("",
		signers("provenance statements"),
		key{name: "source", doc: "The source repository it was built from; the scheme, `.git` and a closing slash do not matter.", required: true, example: "https://github.com/acme/chat", value: text(buildSource)},
		key{name: "branches", doc: "The branches or tags it may be built from; `*` stands for anything but a slash.", def: "any", example: "[main, 'release/*']", value: listOf(text(branchPattern), 1)},
		key{
			name: "builders", doc: "The ids of the builders that may build it, whole or with a `*` at the end.", def: "any",
			example: "['https://github.com/acme/.github/workflows/build.yml@*']", value: listOf(text(builderID), 1),
		},
		maxAge("a provenance statement"))
}

func signOffShape() *shape {
	return mapOf("",
		key{name: "signers", doc: "The signer groups whose `people` may approve.", required: true, example: "[qa-leads]", value: listOf(text(identifier), 1)},
		key{name: "quorum", doc: "How many different people must approve.", def: "1", example: "2", value: number(1, 100)},
		key{
			name: "when", doc: "When a sign-off is asked for; `bigger-change` means: when more than the application changes against prod.", def: "always", example: "bigger-change",
			value: words(string(Always), string(Never), string(BiggerChange)),
		},
		key{name: "bigger", doc: "What makes a change a bigger one; only with `when: bigger-change`.", def: "all rules, 25 and 50 per cent", example: "{rules: [base-image, user, severity], size: 25}", value: mapOf("",
			key{name: "rules", doc: "What is looked at: another base image; packages of a new ecosystem; another user, entrypoint, ports, names of environment variables or platforms; a new major version; a vulnerability above `max-severity` that prod does not have.", def: "all of them", example: "[base-image, user]", value: listOf(words(biggerWords()...), 0)},
			key{name: "size", doc: "How many per cent the compressed size may change, up to 1000; 0 does not look at it.", def: "25", example: "50", value: number(0, 1000)},
			key{name: "layers", doc: "How many per cent of the layers' bytes may be new, up to 1000; 0 does not look at it.", def: "50", example: "80", value: number(0, 1000)})},
		key{name: "not-by", doc: "Who may not approve: `promoter`, the person who promotes.", def: "nobody is left out", example: "[promoter]", value: listOf(words("promoter"), 0)},
		maxAge("a sign-off"))
}

// biggerWords are the names of the rules, as they are written.
func biggerWords() []string {
	rules := DefaultBigger().Rules
	out := make([]string, 0, len(rules))
	for _, r := range rules {
		out = append(out, string(r))
	}
	return out
}

func soakShape() *shape {
	return mapOf("",
		key{name: "min", doc: "The least time since the candidate first became what staging runs.", required: true, example: "1h", value: text(duration)},
		key{
			name: "channel", doc: "The tag of the staging repository that staging follows: when this machine saw it on the candidate, the time began.",
			def: "with `signers` none, else a tag of the name of the service's `channel`", example: "staging", value: text(channelTag),
		},
		key{name: "signers", doc: "The signer groups whose statements count that staging runs a digest.", def: "only what this machine saw counts", example: "[ci]", value: listOf(text(identifier), 1)})
}

func freezeShape() *shape {
	return mapOf("",
		key{name: "from", doc: "When it begins; a date is a whole day in UTC.", example: "2026-12-20", value: text(moment)},
		key{name: "to", doc: "When it ends; a date is included.", example: "2027-01-02", value: text(moment)},
		key{name: "cron", doc: "In place of `from` and `to`: when it begins, again and again, as five fields of cron (minute, hour, day, month, day of the week).", example: "'0 17 * * FRI'", value: text(cronTime)},
		key{name: "for", doc: "How long it lasts from each beginning, 1m to 31d.", example: "63h", value: text(within("1m", "31d"))},
		key{name: "zone", doc: "The time zone of `cron`, as the IANA database names it.", def: "UTC", example: "Europe/Berlin", value: text(zoneName)},
		key{name: "reason", doc: "Why, shown to whoever waits.", required: true, example: "year end", value: text(anyText)},
	).choosing(choice{need: []string{"from", "to", "reason"}}, choice{need: []string{"cron", "for", "reason"}, may: []string{"zone"}})
}

func overridesShape() *shape {
	return listOf(mapOf("override",
		key{
			name: "gates", doc: "The gates that may be passed over: names of gates, yours in `custom` included. `policy` and `quarantine` never may; a standing rejection blocks in spite of an override of `sign-off`.",
			required: true, example: "[freeze, soak]", value: listOf(text(identifier), 1),
		},
		key{name: "by", doc: "The signer groups whose `people` may do it.", required: true, example: "[release-owners]", value: listOf(text(identifier), 1)}), 0)
}
