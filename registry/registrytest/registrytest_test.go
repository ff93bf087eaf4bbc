package registrytest_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"plimsoll/registry/registrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// status asks for the API's root, with a login if user is set.
func status(t *testing.T, c *http.Client, url, user, password string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	c.CloseIdleConnections()
	return resp.StatusCode
}

func TestBothRegistriesAnswer(t *testing.T) {
	c := &http.Client{Transport: &http.Transport{}}
	for name, host := range map[string]string{"embedded": registrytest.Embedded(t), "distribution": registrytest.Distribution(t)} {
		if s := status(t, c, "http://"+host, "", ""); s != http.StatusOK {
			t.Errorf("%s answers %d", name, s)
		}
	}
}

func TestDistributionWantsTheLoginOverTLS(t *testing.T) {
	ca := registrytest.NewCA(t)
	host := registrytest.Distribution(t, registrytest.WithTLS(ca), registrytest.WithLogin("owner", "s3cret-word"))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.PEM)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	if s := status(t, c, "https://"+host, "", ""); s != http.StatusUnauthorized {
		t.Errorf("a stranger gets %d", s)
	}
	if s := status(t, c, "https://"+host, "owner", "s3cret-word"); s != http.StatusOK {
		t.Errorf("the owner gets %d", s)
	}
}
