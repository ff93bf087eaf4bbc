package evidence

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// timePaths says where a predicate of each type keeps its own time, the
// better place first.
var timePaths = map[string][][]string{
	TestResult: {{FinishedOn}, {"finishedOn"}},
	Vuln:       {{"metadata", "scanFinishedOn"}},
	SLSA1:      {{"runDetails", "metadata", "finishedOn"}},
	SLSA02:     {{"metadata", "buildFinishedOn"}},
	VSA:        {{"timeVerified"}},
	SignOff:    {{"decidedOn"}},
	Promotion:  {{"finishedOn"}, {"startedOn"}},
	Completion: {{"finishedOn"}},
	Quarantine: {{"decidedOn"}},
	Deployment: {{"deployedOn"}},
	Policy:     {{"decidedOn"}},
}

// SignedTime is when the statement was made, as signed: the verified log entry,
// else what the predicate says; zero if it says nothing. A time that cannot be
// read is an error with ErrMalformed in its chain.
func (v Verified) SignedTime() (time.Time, error) {
	if !v.Logged.IsZero() {
		return v.Logged, nil
	}
	paths := timePaths[v.Statement.PredicateType]
	if strings.HasPrefix(v.Statement.PredicateType, OpenVEX) {
		paths = [][]string{{"last_updated"}, {"timestamp"}}
	}
	for _, path := range paths {
		at, err := timeAt(v.Statement.Predicate, path)
		if err != nil || !at.IsZero() {
			return at, err
		}
	}
	return time.Time{}, nil
}

// timeAt reads the RFC 3339 time at path; zero if it is not there, null or empty.
func timeAt(raw json.RawMessage, path []string) (time.Time, error) {
	for _, name := range path {
		var f map[string]json.RawMessage
		if raw == nil || string(raw) == "null" {
			return time.Time{}, nil
		}
		if err := json.Unmarshal(raw, &f); err != nil {
			return time.Time{}, fmt.Errorf("%w: where %s is expected stands no object", ErrMalformed, strings.Join(path, "."))
		}
		raw = f[name]
	}
	var s *string
	if raw == nil {
		return time.Time{}, nil
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return time.Time{}, fmt.Errorf("%w: %s is no time", ErrMalformed, strings.Join(path, "."))
	}
	if s == nil || *s == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, *s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %s is %q, no RFC 3339 time", ErrMalformed, strings.Join(path, "."), short(*s))
	}
	return at.UTC(), nil
}
