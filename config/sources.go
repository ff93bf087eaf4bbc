package config

import "time"

// Source is a place outside the registry that says something about a
// candidate. Exactly one of the forms is set.
type Source struct {
	Name      string
	GitHub    *GitHubSource
	Pipelines *PipelinesSource
	HTTP      *HTTPSource
	Registry  bool          // the scan of the staging registry itself, asked for with the read identity
	Command   []string      // argv, templates over Service, Digest, Revision, Staging; JSON on its standard output
	Timeout   time.Duration // 10 s by default
	Keep      time.Duration // how long an answer may be shown again; 1 m by default; a promotion always asks
}

// GitHubSource reads the check runs and statuses of the candidate's revision.
type GitHubSource struct {
	API        string   // https://api.github.com by default
	Repository string   // owner/name
	Checks     []string // names of check runs and status contexts that must have passed; empty: every one
	TokenEnv   string   // the environment variable with a token
	CLI        bool     // ask gh auth token
}

// PipelinesSource reads the builds of the candidate's revision in Azure Pipelines, and their test runs.
type PipelinesSource struct {
	URL      string // of the organization: https://dev.azure.com/acme
	Project  string
	Pipeline string // name or number of the definition
	TokenEnv string // the environment variable with a personal access token or System.AccessToken
	CLI      bool   // ask az account get-access-token
}

// HTTPSource asks any endpoint and takes its JSON apart.
type HTTPSource struct {
	URL       string   // a template over Service, Digest, Revision, Staging, each escaped for a URL
	TokenEnv  string   // the environment variable with a bearer token; "" for none
	Header    string   // the header that carries the token; Authorization by default
	State     string   // JSONPath (RFC 9535) of the state; "" if the whole answer is a scanner's report
	Passed    []string // values of the state that mean passed; others: see Running
	Running   []string // values that mean not finished
	Count     string   // JSONPath of the number of tests that passed; "" for none
	Total     string   // JSONPath of the number of all tests
	Time      string   // JSONPath of when it finished, RFC 3339 or seconds since 1970
	Link      string   // JSONPath of a page for people
	CA        []byte   // PEM of an extra certificate authority
	PlainHTTP bool     // loopback only
}
