// Package acrtest is an Azure for tests: a TLS listener that answers under the
// real names, as far as the documentation tells how Azure answers.
//
//	login.microsoftonline.com   entra.go     tokens: client_credentials, device_code; dev.azure.com: a job's token;
//	                                         169.254.169.254: that of a machine in Azure, over plain HTTP
//	management.azure.com        manager.go   a registry's properties; importImage, which takes its time
//	                            rights.go    permissions and role assignments
//	NAME.azurecr.io             registry.go  /oauth2/exchange, /oauth2/token, scopes and ends of tokens enforced
//	                            api.go       /acr/v1: manifests, locks, what was deleted softly
//	                              └─► a real registry on loopback (olareg or the CNCF distribution)
//
// Cloud.Dial brings every name to the listener. Cloud.Requests tells who asked
// what; Cloud.Secrets are all tokens that must never be seen elsewhere.
//
// What the documentation leaves open is chosen and marked "assumed"; nothing
// here was compared with a live Azure.
package acrtest
