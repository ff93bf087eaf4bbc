package config_test

import (
	"testing"
	"time"

	"plimsoll/config"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestEveryKindOfSourceLoads(t *testing.T) {
	c := mustLoad(t, `
sources:
  runs:    {github: {repository: acme/chat, checks: [e2e, load], gh: true}}
  server:  {github: {repository: acme/chat, api: 'https://github.example.com/api/v3/', token-env: GHE_TOKEN}, timeout: 1m, keep: 0s}
  builds:  {azure-pipelines: {organization: acme, project: chat, pipeline: '42', az: true}}
  tfs:     {azure-pipelines: {organization: 'https://tfs.example.com/tfs/Main/', project: chat, pipeline: e2e, token-env: TFS_TOKEN}}
  ci:
    http:
      url: 'https://ci.example.com/api/{{.Service}}/runs?commit={{.Revision}}'
      token-env: CI_TOKEN
      header: X-Api-Key
      state: $.runs[0].status
      passed: [success]
      running: [queued, running]
      count: $.runs[0].tests.passed
      total: $.runs[0].tests.total
      time: $.runs[0]['finished at']
      link: $.runs[0].url
      ca: corp.pem
  here:    {http: {url: 'http://127.0.0.1:8080/state', state: $.s, passed: [ok], plain-http: true}}
  harbor:  {http: {url: 'https://harbor.example.com/report/{{.Digest}}', token-env: HARBOR_TOKEN}}
  own:     {registry: {}, timeout: 30s}
  script:  {command: [./state, '{{.Digest}}', '{{.Staging}}']}
`+smallest)
	want := map[string]config.Source{
		"runs":   {GitHub: &config.GitHubSource{API: "https://api.github.com", Repository: "acme/chat", Checks: []string{"e2e", "load"}, CLI: true}},
		"server": {GitHub: &config.GitHubSource{API: "https://github.example.com/api/v3", Repository: "acme/chat", TokenEnv: "GHE_TOKEN"}, Timeout: time.Minute},
		"builds": {Pipelines: &config.PipelinesSource{URL: "https://dev.azure.com/acme", Project: "chat", Pipeline: "42", CLI: true}},
		"tfs":    {Pipelines: &config.PipelinesSource{URL: "https://tfs.example.com/tfs/Main", Project: "chat", Pipeline: "e2e", TokenEnv: "TFS_TOKEN"}},
		"ci": {HTTP: &config.HTTPSource{
			URL: "https://ci.example.com/api/{{.Service}}/runs?commit={{.Revision}}", TokenEnv: "CI_TOKEN", Header: "X-Api-Key",
			State: "$.runs[0].status", Passed: []string{"success"}, Running: []string{"queued", "running"},
			Count: "$.runs[0].tests.passed", Total: "$.runs[0].tests.total", Time: "$.runs[0]['finished at']", Link: "$.runs[0].url",
		}},
		"here":   {HTTP: &config.HTTPSource{URL: "http://127.0.0.1:8080/state", Header: "Authorization", State: "$.s", Passed: []string{"ok"}, PlainHTTP: true}},
		"harbor": {HTTP: &config.HTTPSource{URL: "https://harbor.example.com/report/{{.Digest}}", TokenEnv: "HARBOR_TOKEN", Header: "Authorization"}},
		"own":    {Registry: true, Timeout: 30 * time.Second, Keep: time.Minute},
		"script": {Command: []string{"./state", "{{.Digest}}", "{{.Staging}}"}},
	}
	for name, s := range want {
		s.Name = name
		if s.Timeout == 0 {
			s.Timeout, s.Keep = 10*time.Second, time.Minute
		}
		want[name] = s
	}
	if d := cmp.Diff(want, c.Sources, cmpopts.IgnoreFields(config.HTTPSource{}, "CA")); d != "" {
		t.Error(d)
	}
	if len(c.Sources["ci"].HTTP.CA) == 0 || c.Sources["here"].HTTP.CA != nil {
		t.Error("the certificate authority")
	}
}
