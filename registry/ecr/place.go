package ecr

import (
	"regexp"
	"strings"
	"sync"
)

// place is where a registry is: its account and region.
type place struct {
	account string // "" if the host does not tell: the caller's own
	region  string // "" if the host does not tell: that of the profile or the environment
}

// hostName are the names of private registries: with AWS's domain of the
// partition, and the dual stack name.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html
var hostName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.(?:com|com\.cn|eu)|on\.aws|on\.amazonwebservices\.(?:com\.cn|eu)|sc2s\.sgov\.gov|c2s\.ic\.gov)$`)
})

// placeOf reads a host name; false if it is no private registry of ECR.
func placeOf(host string) (place, bool) {
	if !strings.Contains(host, "ecr") { // most hosts, without the cost of a regular expression
		return place{}, false
	}
	m := hostName().FindStringSubmatch(strings.ToLower(host))
	if m == nil {
		return place{}, false
	}
	return place{account: m[1], region: m[2]}, true
}
