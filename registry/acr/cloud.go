package acr

import (
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm" // fills the clouds' Resource Manager in
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"plimsoll/config"
)

var _ = arm.ClientOptions{}

// audience is what a token for the data plane of a registry is for, in every cloud.
// https://learn.microsoft.com/azure/container-registry/container-registry-disable-authentication-as-arm
const audience = "https://containerregistry.azure.net"

// azureCloud is one of Azure's clouds.
type azureCloud struct {
	name string // for messages and keys
	cloud.Configuration
}

// suffixes are the host names of registries by cloud. A private endpoint
// keeps the name and changes only what it resolves to.
var suffixes = map[string]string{".azurecr.io": "public", ".azurecr.cn": "china", ".azurecr.us": "government"}

// suffixOf is the end of an Azure registry's host name, "" for other hosts.
func suffixOf(host string) string {
	for suffix := range suffixes {
		if strings.HasSuffix(strings.ToLower(host), suffix) {
			return suffix
		}
	}
	return ""
}

// cloudOf is the cloud of a registry: as configured, else by its name, else
// public. $AZURE_AUTHORITY_HOST, which all Azure tools know, wins over a guess.
func cloudOf(host string, entry config.Registry) azureCloud {
	name := entry.AzureCloud
	if name == "" {
		name = suffixes[suffixOf(host)]
	}
	c := azureCloud{name: name, Configuration: cloud.AzurePublic}
	switch name {
	case "china":
		c.Configuration = cloud.AzureChina
	case "government":
		c.Configuration = cloud.AzureGovernment
	default:
		c.name = "public"
	}
	if authority := os.Getenv("AZURE_AUTHORITY_HOST"); authority != "" && entry.AzureCloud == "" {
		c.ActiveDirectoryAuthorityHost = authority
	}
	return c
}
