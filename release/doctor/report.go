package doctor

import "time"

// Status is what became of a fact.
type Status string

// The statuses. Unknown is not OK: it could not be told, and counts as a warning.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Broken  Status = "broken"
	Unknown Status = "unknown"
)

// Report is what was found out about services.
type Report struct {
	Services []Service `json:"services"`
	Broken   int       `json:"broken"`
	Warnings int       `json:"warnings"` // the unknown ones among them
}

// Service is what was found out about one service, in a fixed order.
type Service struct {
	Service string `json:"service"`
	Facts   []Fact `json:"facts"`
}

// Fact is one thing that is so, is not so, or could not be told. Its texts are
// cleaned and hold no secret.
type Fact struct {
	ID      string `json:"id"`      // stable: what was asked; docs/doctor.md lists all
	Subject string `json:"subject"` // of what: a repository, a host, a group, a gate; "" for the service
	Status  Status `json:"status"`
	Summary string `json:"summary"` // one line
	Detail  string `json:"detail"`  // how it is known, or why it is not; may be ""
	Hint    string `json:"hint"`    // what to do; "" if nothing is
}

// Request says what may be used beside the everyday identity.
type Request struct {
	// Promotion asks for the promotion identity: a role may be activated for that. It is
	// used to open and cancel uploads, noted in the audit chain, and dropped.
	Promotion bool
	// CI is CI's credential: user:password, or a bearer token of the registry. "": not given.
	CI string
	// Limit is how long one fact may take, 0: 20 s.
	Limit time.Duration
}

// Of collects services into a report.
func Of(services ...Service) Report {
	r := Report{Services: services}
	if services == nil {
		r.Services = []Service{}
	}
	for _, s := range services {
		for _, f := range s.Facts {
			switch f.Status {
			case Broken:
				r.Broken++
			case Warning, Unknown:
				r.Warnings++
			case OK:
			}
		}
	}
	return r
}

// Unreadable is a service whose configuration names no repositories that could be asked.
func Unreadable(name string, err error) Service {
	return Service{Service: name, Facts: []Fact{question{"configuration", name}.broken("the service cannot be looked into").because("%s", plainly(err)).todo("%s", hintOf(err))}}
}
