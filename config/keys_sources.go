package config

func sourcesShape() *shape {
	rest := []string{"timeout", "keep"}
	source := mapOf("source",
		key{name: "github", doc: "The check runs and statuses of the candidate's revision.", example: "{repository: acme/chat, checks: [e2e], gh: true}", value: gitHubSourceShape()},
		key{name: "azure-pipelines", doc: "The builds of the candidate's revision, and their test runs.", example: "{organization: acme, project: chat, pipeline: e2e, az: true}", value: pipelinesSourceShape()},
		key{name: "http", doc: "Any address that answers in JSON.", example: "{url: 'https://ci.example.com/runs/{{.Revision}}', state: $.status, passed: [success]}", value: httpSourceShape()},
		key{
			name: "registry", doc: "The staging registry's own scan, for the gate `scan`: of Amazon ECR or a Harbor (`harbor: true`), asked for with the `read` identity.",
			example: "{}", value: mapOf(""),
		},
		key{
			name: "command", doc: "A program and its arguments, run without a shell on this machine, with JSON on its standard output. {{.Service}}, {{.Digest}}, {{.Revision}} and {{.Staging}} are filled in.",
			example: "[./e2e-state, '{{.Revision}}']", value: listOf(text(sourceArgument), 1),
		},
		key{name: "timeout", doc: "How long to wait for an answer, 1s to 2m.", def: "10s", example: "30s", value: text(within("1s", "2m"))},
		key{name: "keep", doc: "How long an answer is shown again before it is asked for anew, 0s to 1h. A promotion always asks.", def: "1m", example: "5m", value: text(within("0s", "1h"))},
	).choosing(
		choice{need: []string{"github"}, may: rest}, choice{need: []string{"azure-pipelines"}, may: rest},
		choice{need: []string{"http"}, may: rest}, choice{need: []string{"registry"}, may: rest}, choice{need: []string{"command"}, may: rest},
	)
	return dictOf(identifier, source)
}

func tokenEnv(what string) key {
	return key{name: "token-env", doc: "The environment variable that holds " + what + ". The file never holds it itself.", example: "CI_TOKEN", value: text(environmentName)}
}

func gitHubSourceShape() *shape {
	return mapOf("",
		key{name: "repository", doc: "The repository that the candidate was built from.", required: true, example: "acme/chat", value: text(gitHubRepository)},
		key{name: "checks", doc: "The check runs and status contexts that must have passed.", def: "every one that there is", example: "[e2e, load]", value: listOf(text(anyText), 1)},
		key{name: "api", doc: "The API, for GitHub Enterprise.", def: defaultGitHub, example: "https://github.example.com/api/v3", value: text(apiURL)},
		tokenEnv("a token that may read checks and statuses"),
		key{name: "gh", doc: "Ask `gh auth token` for the token.", def: "no token, or `token-env`", example: "true", value: only()})
}

func pipelinesSourceShape() *shape {
	return mapOf("",
		key{name: "organization", doc: "The Azure DevOps organization, by name, or its URL on a server of your own.", required: true, example: "acme", value: text(organization)},
		key{name: "project", doc: "The project.", required: true, example: "chat", value: text(anyText)},
		key{name: "pipeline", doc: "The name or number of the pipeline.", required: true, example: "e2e", value: text(anyText)},
		tokenEnv("a personal access token that may read builds and test runs, or `System.AccessToken`"),
		key{name: "az", doc: "Ask `az account get-access-token` for the token.", def: "no token, or `token-env`", example: "true", value: only()})
}

func httpSourceShape() *shape {
	path := func(name, doc, def, example string) key {
		return key{name: name, doc: doc, def: def, example: example, value: text(jsonPath)}
	}
	return mapOf("",
		key{
			name: "url", doc: "What is asked. {{.Service}}, {{.Digest}}, {{.Revision}} and {{.Staging}} are filled in, escaped.", required: true,
			example: "'https://ci.example.com/api/runs?commit={{.Revision}}'", value: text(askedURL),
		},
		tokenEnv("a bearer token"),
		key{name: "header", doc: "The header that carries the token by itself, in place of `Authorization: Bearer`.", def: defaultHeader, example: "X-Api-Key", value: text(headerName)},
		path("state", "Where the state is in the answer, as JSONPath (RFC 9535).", "none: the answer is a scanner's report, for the scan gate: of Trivy, Grype or Harbor, SARIF, CycloneDX", "$.status"),
		key{name: "passed", doc: "The states that mean passed; needed with `state`. Every other one that is not in `running` means failed.", example: "[success, skipped]", value: listOf(text(anyText), 1)},
		key{name: "running", doc: "The states that mean not finished.", def: "none", example: "[queued, in_progress]", value: listOf(text(anyText), 1)},
		path("count", "Where the number of tests is that passed.", "not shown", "$.tests.passed"),
		path("total", "Where the number of all tests is.", "not shown", "$.tests.total"),
		path("time", "Where the time is at which it finished: RFC 3339, or seconds since 1970.", "no time, so the answer is stale where the gate has a `max-age`", "$.finished_at"),
		path("link", "Where the address of a page for people is.", "not shown", "$.html_url"),
		key{name: "ca", doc: "A PEM file with an additional certificate authority for this address.", example: "corp.pem", value: text(filePath)},
		key{name: "plain-http", doc: "Speak HTTP without TLS, with a loopback address only.", def: "false", example: "true", value: flag()})
}
