// Package forge holds what the APIs of GitHub and Azure DevOps ask of everybody
// who talks to them: a token, and patience.
//
//	tokens.go  tokens from the environment, gh and az
//	limits.go  rate limits, as GitHub, Azure DevOps and RFC 9110 tell them
package forge
