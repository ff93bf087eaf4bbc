// Package trusttest is Microsoft Entra ID, Azure Key Vault and AWS KMS in process,
// for tests: as much of their documented protocols as asking for public keys and
// signing needs, under their real host names, behind a proxy.
//
//	clouds.go  hosts, the proxy, the environment that leads there
//	azure.go   Entra ID and Key Vault
//	aws.go     KMS
package trusttest
