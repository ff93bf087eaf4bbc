package expr

import (
	"fmt"
	"strings"
)

// Eval answers the expression over facts: JSON values (what json.Unmarshal puts
// into an any; times may be time.Time) by variable. A variable or field that is
// missing is not known, and an expression that needs it is an error, as is one
// that costs more than MaxCost. The facts are not changed.
func (p *Program) Eval(facts map[string]any) (bool, error) {
	known := make(map[string]any, len(variables))
	for name, k := range variables {
		value, ok := facts[name]
		if !ok || !p.reads[name] {
			continue
		}
		fit, err := k.conform(value)
		if err != nil {
			return false, fmt.Errorf("%s%w", name, err)
		}
		known[name] = fit
	}
	out, _, err := p.run.Eval(known)
	if err != nil {
		return false, fmt.Errorf("evaluate: %s", strings.ReplaceAll(err.Error(), prefix, ""))
	}
	answer, ok := out.Value().(bool)
	if !ok {
		return false, errNotBool
	}
	return answer, nil
}
