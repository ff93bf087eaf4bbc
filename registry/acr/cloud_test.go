package acr

import (
	"strings"
	"testing"

	"plimsoll/config"
)

func TestEachCloudHasItsOwnAuthorityAndManager(t *testing.T) {
	for name, story := range map[string]struct {
		host, cloud, environment string
		authority, manager       string
	}{
		"public":                  {"acme.azurecr.io", "", "", "https://login.microsoftonline.com/", "https://management.azure.com"},
		"China, by its name":      {"acme.azurecr.cn", "", "", "https://login.chinacloudapi.cn/", "https://management.chinacloudapi.cn"},
		"government, by its name": {"ACME.azurecr.us", "", "", "https://login.microsoftonline.us/", "https://management.usgovcloudapi.net"},
		"another name":            {"registry.example.com", "china", "", "https://login.chinacloudapi.cn/", "https://management.chinacloudapi.cn"},
		"the environment":         {"acme.azurecr.io", "", "https://login.example.com/", "https://login.example.com/", "https://management.azure.com"},
		"the entry wins":          {"acme.azurecr.us", "government", "https://login.example.com/", "https://login.microsoftonline.us/", "https://management.usgovcloudapi.net"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AZURE_AUTHORITY_HOST", story.environment)
			c := cloudOf(story.host, config.Registry{AzureCloud: story.cloud})
			if c.ActiveDirectoryAuthorityHost != story.authority {
				t.Errorf("authority %s", c.ActiveDirectoryAuthorityHost)
			}
			if m := c.Services["resourceManager"].Endpoint; m != story.manager {
				t.Errorf("manager %s", m)
			}
		})
	}
}

// TestARegistryIsKnownByItsResource: a private endpoint keeps the name, and a name with a
// label of the domain that Azure adds has the registry's before the first hyphen.
func TestARegistryIsKnownByItsResource(t *testing.T) {
	for host, want := range map[string]string{"acmeprod.azurecr.io": "acmeprod", "acmeprod-dxa1b2c3.azurecr.io": "acmeprod"} {
		if id := resourceID("sub", "group", host); !strings.HasSuffix(id, "/resourceGroups/group/providers/Microsoft.ContainerRegistry/registries/"+want) {
			t.Errorf("%s is %s", host, id)
		}
	}
}
