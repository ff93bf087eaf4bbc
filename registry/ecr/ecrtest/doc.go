// Package ecrtest is an AWS for tests: a TLS listener that answers under the
// real names, as far as the documentation tells how AWS answers.
//
//	sts.REGION.amazonaws.com             sts.go       GetCallerIdentity, AssumeRole, AssumeRoleWithWebIdentity
//	portal.sso.REGION.amazonaws.com      portal.go    IAM Identity Center: GetRoleCredentials
//	api.ecr.REGION.amazonaws.com         api.go       AmazonEC2ContainerRegistry_V20150921.*, signatures and permissions enforced
//	ACCOUNT.dkr.ecr.REGION.amazonaws.com registry.go  the token of GetAuthorizationToken, its end, permissions, tag mutability
//	                                       └─► a real registry on loopback (olareg or the CNCF distribution)
//
// Cloud.Dial brings every name to the listener. Cloud.Requests tells who asked
// what; Cloud.Secrets are all keys and tokens that must never be seen elsewhere.
//
// Answers follow the documentation and what people reported of the live
// service; what neither tells is chosen and marked "assumed". Nothing here was
// compared with a live AWS.
package ecrtest
