// Package sources asks places outside the registry what they know of a
// candidate: GitHub, Azure Pipelines, an HTTP endpoint, a command.
//
//	names, question ─► kept answer? ─► rate limit or trouble? ─► turn ─► the source's own time limit
//	                       │ (lists)          │                              │ GitHub · Pipelines · HTTP · command
//	                       ▼                  ▼                              ▼
//	                gates.Answer ◄── Answer.Err, with the reason ◄── cleaned, bounded, kept with its age
//
// What a source says is not signed: what vouches for it is who configured the
// source, and TLS. A source that cannot answer is Answer.Err and never an empty
// answer. All text from outside is cleaned; a token goes to the host that it is
// for and to no other; a configuration that nobody accepted runs nothing and
// sends no credential.
//
//	sources.go     Options, New, Question, Ask
//	kept.go        answers that may be shown again
//	trouble.go     a source that cannot answer is not asked by every row of a list
//	fetch.go       one HTTP request: TLS, redirects, sizes, one patient retry
//	limits.go      rate limits (release/forge)
//	credential.go  tokens from the environment, gh and az (release/forge)
//	github.go      check runs and commit statuses; checks.go: what they mean together
//	pipelines.go   builds of Azure Pipelines; testruns.go: their test runs
//	endpoint.go    any HTTP endpoint; path.go: JSONPath
//	ownscan.go     the staging registry's own scan: ECR, Harbor
//	command.go     a program and the JSON that it prints
//	scanner.go     reports of scanners: files, Harbor, ECR
//	fill.go        the templates of URLs and arguments
//	tidy.go        outside text and numbers, made harmless
package sources
