package config

import (
	"cmp"
	"strings"
)

// Via is a pipeline that promotes under its own identity. Exactly one of GitHub
// and Azure is set.
type Via struct {
	GitHub *GitHubWorkflow
	Azure  *AzurePipeline
	// People are the ids of trust by the names under which the pipeline knows who
	// asked, in lower case: logins of GitHub, users of Azure DevOps.
	People map[string]string
}

// GitHubWorkflow names a workflow that can be dispatched.
type GitHubWorkflow struct {
	API        string // "https://api.github.com", or that of GitHub Enterprise; no slash at the end
	Repository string // owner/name
	Workflow   string // the file's name
	Ref        string // the branch or tag whose workflow runs
	TokenEnv   string // the environment variable with a token; "": gh is asked
}

// AzurePipeline names an Azure Pipelines definition.
type AzurePipeline struct {
	URL      string // "https://dev.azure.com/acme", or a collection of a server; no slash at the end
	Project  string
	Pipeline string // its name or number
	Branch   string // whose YAML runs
	TokenEnv string // the environment variable with a token; "": az is asked
}

// TokenEnv is the environment variable with the pipeline's token; "" without one.
// A nil Via has none.
func (v *Via) TokenEnv() string {
	switch {
	case v == nil:
		return ""
	case v.GitHub != nil:
		return v.GitHub.TokenEnv
	}
	return v.Azure.TokenEnv
}

// Person is the id that People gives to whom the pipeline names, and whether it
// gives one. The name's case does not matter. A nil Via knows nobody.
func (v *Via) Person(name string) (string, bool) {
	if v == nil {
		return "", false
	}
	id, ok := v.People[strings.ToLower(name)]
	return id, ok
}

// defaultBranch is where pipelines are read from without a ref or branch.
const defaultBranch = "main"

func viaEntry() key {
	people := key{
		name: "people", doc: "Who in `trust` the people are that the pipeline names as having asked: their names there, and their ids. A gate that keeps the promoter from signing off needs it.",
		def: "who has the same name in `trust`", example: "{octocat: owner@example.com}", value: dictOf(personID, text(personID)),
	}
	return key{
		name: "via", doc: "A pipeline that promotes under its own identity, so that no person holds the right to write prod. `promote` dispatches it and follows its run; a rollback does so only without a `promote` identity.",
		example: "{github: {repository: acme/release, workflow: promote.yml}}",
		value: mapOf("",
			key{name: "github", doc: "A GitHub Actions workflow.", example: "{repository: acme/release, workflow: promote.yml}", value: mapOf("",
				key{name: "repository", doc: "The repository of the workflow.", required: true, example: "acme/release", value: text(gitHubRepository)},
				key{name: "workflow", doc: "The file name of the workflow.", required: true, example: "promote.yml", value: text(anyText)},
				key{name: "ref", doc: "The branch or tag whose workflow runs.", def: defaultBranch, example: "release", value: text(anyText)},
				key{name: "api", doc: "The API, for GitHub Enterprise.", def: defaultGitHub, example: "https://github.example.com/api/v3", value: text(apiURL)},
				tokenEnv("a token that may dispatch the workflow and read its runs"),
				key{name: "gh", doc: "Ask `gh auth token` for the token.", def: "true without `token-env`", example: "true", value: only()})},
			key{name: "azure", doc: "An Azure Pipelines definition.", example: "{organization: acme, project: release, pipeline: promote}", value: mapOf("",
				key{name: "organization", doc: "The Azure DevOps organization, by name, or its URL on a server of your own.", required: true, example: "acme", value: text(organization)},
				key{name: "project", doc: "The project.", required: true, example: "release", value: text(anyText)},
				key{name: "pipeline", doc: "The name or number of the pipeline.", required: true, example: "promote", value: text(anyText)},
				key{name: "branch", doc: "The branch whose pipeline runs.", def: defaultBranch, example: "release", value: text(anyText)},
				tokenEnv("a personal access token that may queue builds, or `System.AccessToken`"),
				key{name: "az", doc: "Ask `az account get-access-token` for the token.", def: "true without `token-env`", example: "true", value: only()})},
			people,
		).choosing(choice{need: []string{"github"}, may: []string{"people"}}, choice{need: []string{"azure"}, may: []string{"people"}}),
	}
}

func (b *binder) via(n *node) *Via {
	if n == nil {
		return nil
	}
	v := &Via{People: map[string]string{}}
	if people := n.get("people"); people != nil {
		for _, e := range people.entries {
			name := strings.ToLower(e.name)
			if _, twice := v.People[name]; twice {
				b.report(e.value.place, "keep one of them", "%s stands there twice, in upper and lower case", e.name)
			}
			v.People[name] = e.value.text
		}
	}
	if g := n.get("github"); g != nil {
		v.GitHub = b.gitHubWorkflow(g)
	} else {
		v.Azure = b.azurePipeline(n.get("azure"))
	}
	return v
}

func (b *binder) gitHubWorkflow(n *node) *GitHubWorkflow {
	b.cli(n, "gh")
	return &GitHubWorkflow{
		API: strings.TrimRight(cmp.Or(n.str("api"), defaultGitHub), "/"), Repository: n.str("repository"), Workflow: n.str("workflow"),
		Ref: cmp.Or(n.str("ref"), defaultBranch), TokenEnv: n.str("token-env"),
	}
}

func (b *binder) azurePipeline(n *node) *AzurePipeline {
	b.cli(n, "az")
	p := &AzurePipeline{
		URL: defaultAzure + n.str("organization"), Project: n.str("project"), Pipeline: n.str("pipeline"),
		Branch: cmp.Or(n.str("branch"), defaultBranch), TokenEnv: n.str("token-env"),
	}
	if o := n.str("organization"); strings.Contains(o, "://") {
		p.URL = strings.TrimRight(o, "/")
	}
	return p
}
