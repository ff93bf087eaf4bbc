package sources

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"

	"plimsoll/config"
	"plimsoll/config/fault"
	"plimsoll/gates"
	"plimsoll/registry/harbor"
)

// maxReport is the bytes of a scanner's report, as large as signed ones may be.
const maxReport = 10 << 20

// endpoint asks any HTTP endpoint: with a path to the state its JSON is taken
// apart, without one it has to be a scanner's report.
type endpoint struct {
	*Sources
	config.HTTPSource
}

func (e endpoint) ask(ctx context.Context, q Question) ([]gates.Answer, error) {
	address, err := fill("url", e.URL, q, escaped)
	if err != nil {
		return nil, err
	}
	if err := e.allowed(address); err != nil {
		return nil, err
	}
	c := call{url: address, header: http.Header{"Accept": {"application/json"}}, ca: e.CA, max: maxAnswer}
	if e.State == "" {
		c.max = maxReport
		c.header.Set("X-Accept-Vulnerabilities", harbor.Accept)
	}
	if e.TokenEnv != "" && e.Trusted() {
		secret, err := e.variable(e.TokenEnv)
		if err != nil {
			return nil, err
		}
		e.authorize(&c, secret)
	}
	r, err := e.fetch(ctx, c)
	if err != nil {
		return nil, err
	}
	switch {
	case r.status == http.StatusNotFound || r.status == http.StatusNoContent:
		return []gates.Answer{{State: gates.Absent}}, nil
	case r.status < 200 || r.status > 299:
		return nil, e.refusal(r, c.secret)
	case e.State == "":
		a, err := scanned(r.body, q.Digest)
		return []gates.Answer{a}, err
	}
	a, err := e.read(r.body)
	return []gates.Answer{a}, err
}

// allowed refuses an address that is not what the configuration may mean: no
// TLS beyond this machine, or a user and password in the address.
func (e endpoint) allowed(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fault.New(fault.Usage, "correct url of the source", nil, "its address cannot be read")
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case u.User != nil:
		return fault.New(fault.Usage, "put the token into a variable and name it in token-env", nil, "its address holds a user and a password")
	case u.Scheme == "https" && u.Host != "", u.Scheme == "http" && e.PlainHTTP && loopback:
		return nil
	}
	return fault.New(fault.Usage, "use https; plain-http: true is for this machine only", nil, "its address is not on TLS")
}

// authorize adds the token: as a bearer token, or as it is in a header of its own.
func (e endpoint) authorize(c *call, secret string) {
	name := http.CanonicalHeaderKey(cmp.Or(e.Header, "Authorization"))
	if name == "Authorization" {
		secret = "Bearer " + secret
	}
	c.header[name], c.secret = []string{secret}, true
}

// read takes an answer apart.
func (e endpoint) read(raw []byte) (gates.Answer, error) {
	var doc any
	if err := decode(raw, &doc); err != nil {
		return gates.Answer{}, err
	}
	v, err := at(doc, "state", e.State)
	if err != nil {
		return gates.Answer{}, err
	}
	a := gates.Answer{State: e.state(v)}
	if a.State == "" {
		return a, fmt.Errorf("its answer has no word at %s (state)", e.State)
	}
	if err := e.count(doc, &a); err != nil {
		return a, err
	}
	if e.Link != "" {
		if v, err := at(doc, "link", e.Link); err == nil { // a page for people decides nothing
			w, _ := word(v)
			a.Link = page(w)
		}
	}
	if e.Time == "" || a.State == gates.Running || a.State == gates.Absent {
		return a, nil
	}
	if v, err = at(doc, "time", e.Time); err == nil {
		a.Finished, err = moment(v)
	}
	return a, err
}

// count reads the numbers of tests. One that is not finished may not have them yet.
func (e endpoint) count(doc any, a *gates.Answer) error {
	if a.State == gates.Running || a.State == gates.Absent {
		return nil
	}
	passed, err := numberAt(doc, "count", e.Count)
	if err != nil {
		return err
	}
	total, err := numberAt(doc, "total", e.Total)
	if err != nil {
		return err
	}
	if passed > total && e.Total != "" {
		return fmt.Errorf("it counts %d passed tests of %d", passed, total)
	}
	a.Passed, a.Total = passed, total
	if a.State == gates.Failed && e.Total != "" {
		a.Failed = total - passed
	}
	return nil
}

// state is what a word of the answer means: what is not listed has failed.
func (e endpoint) state(v any) gates.AnswerState {
	if v == nil {
		return gates.Absent
	}
	w, ok := word(v)
	switch {
	case !ok:
		return ""
	case slices.Contains(e.Passed, w):
		return gates.Passed
	case slices.Contains(e.Running, w):
		return gates.Running
	}
	return gates.Failed
}

func (e endpoint) refusal(r reply, secret bool) error {
	err := fmt.Errorf("%d %s", r.status, http.StatusText(r.status))
	if !secret && e.TokenEnv != "" {
		return ofSource{fault.New(fault.Usage, fault.HintOf(errUntrusted), err, "it was asked without its token, because %s", errUntrusted.Error())}
	}
	hint := "look at url of the source"
	if r.status == http.StatusUnauthorized || r.status == http.StatusForbidden {
		hint = "look at the token in the variable that token-env names"
	}
	return ofSource{fault.New(fault.Failed, hint, err, "it does not answer")}
}
