package operation

import (
	"regexp"
	"slices"
	"strings"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/config/fault"
)

// operationID is what an operation is called by another machine.
var operationID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// maxAskers is how many people may have asked: who began a run, and who ran it again.
const maxAskers = 5

// check refuses what no pipeline passes.
func (a Asked) check() error {
	if a.Operation != "" && !operationID.MatchString(a.Operation) {
		return fault.New(fault.Usage, "pass the operation's id as the input has it", nil, "--operation %q is no id of an operation", clean.Text(a.Operation))
	}
	if a.Operation != "" && len(a.RequestedBy) == 0 {
		return fault.New(fault.Usage, "add --requested-by with who started the run, as the runner says it", nil, "--operation without --requested-by: nobody would know who asked")
	}
	if len(a.RequestedBy) > maxAskers {
		return fault.New(fault.Usage, "pass who began the run and who ran it again", nil, "--requested-by stands there more than %d times", maxAskers)
	}
	if slices.ContainsFunc(a.RequestedBy, func(name string) bool { return strings.TrimSpace(name) == "" }) {
		return fault.New(fault.Usage, "pass who started the run, as the runner says it", nil, "--requested-by is empty")
	}
	return nil
}

// requesters are the ids of those who asked this machine, a pipeline, each once.
func (s *state) requesters() []string {
	var out []string
	for _, name := range s.Request.RequestedBy {
		if id, _ := s.requester(name); !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// requester is who the pipeline's name for a person means: the id that via.people
// gives it, else the person of trust with that id, else the name itself. known
// tells whether it was one of the first two.
func (s *state) requester(name string) (id string, known bool) {
	name = strings.TrimSpace(name)
	if id, ok := s.r.Config.Registry(s.prod.Host).Via.Person(name); ok {
		return id, true
	}
	for _, g := range s.r.Config.Trust {
		if i := slices.IndexFunc(g.People, func(p config.Person) bool { return strings.EqualFold(p.ID, name) }); i >= 0 {
			return g.People[i].ID, true
		}
	}
	return clean.Text(name), false
}

// mayAsk refuses a promotion whose sign-off may not be the promoter's as long as
// nobody can tell who in trust the one who asked is.
func (s *state) mayAsk() error {
	gate := s.service.Gates.SignOff
	if gate == nil || !gate.NotPromoter || gate.When == config.Never {
		return nil
	}
	for _, name := range s.Request.RequestedBy {
		if id, known := s.requester(name); !known {
			return fault.New(fault.Gate, "say who that is: registries: {"+s.prod.Host+": {via: {people: {"+id+": ID}}}}, with the id that trust gives them", nil,
				"%s: %s asked for it, and who asks may not sign off (not-by: [promoter]); trust knows nobody by that name; nothing was changed", s.what(), id)
		}
	}
	return nil
}
