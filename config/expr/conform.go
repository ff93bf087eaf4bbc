package expr

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"cel.dev/cel-go/cel"
)

// misfit is a fact of another type than was declared. Its text continues the
// path of the variable: image.config.user is no string.
type misfit struct{ path, want string }

// Error implements error.
func (m *misfit) Error() string { return m.path + " is no " + m.want }

// within puts a step before the path of a misfit.
func within(step string, err error) error {
	if m, ok := err.(*misfit); ok { //nolint:errorlint // conform returns nothing else, and never wraps it
		return &misfit{step + m.path, m.want}
	}
	return err
}

// conform copies a JSON value into what the checker was told. What has no
// declared type is passed on as it is.
func (k kind) conform(v any) (any, error) {
	switch {
	case k.object != "":
		return k.conformObject(v)
	case k.list != nil:
		return k.conformList(v)
	case k.mapOf != nil:
		return k.conformMap(v)
	case v == nil && k.null:
		return nil, nil //nolint:nilnil // null is the value
	}
	return k.conformScalar(v)
}

func (k kind) conformObject(v any) (any, error) {
	in, ok := v.(map[string]any)
	if !ok {
		return nil, &misfit{"", "object"}
	}
	out := make(map[string]any, len(in))
	for _, f := range schema()[k.object] {
		value, ok := in[f.name]
		if !ok {
			if f.omit {
				out[f.name] = "" // every field that JSON omits is a string
			}
			continue
		}
		fit, err := f.kind.conform(value)
		if err != nil {
			return nil, within("."+f.name, err)
		}
		out[f.name] = fit
	}
	return out, nil
}

func (k kind) conformList(v any) (any, error) {
	var in []any
	switch v := v.(type) {
	case nil:
	case []string:
		in = make([]any, len(v))
		for i := range v {
			in[i] = v[i]
		}
	case []map[string]any:
		in = make([]any, len(v))
		for i := range v {
			in[i] = v[i]
		}
	case []any:
		in = v
	default:
		return nil, &misfit{"", "list"}
	}
	out := make([]any, len(in))
	for i := range in {
		fit, err := k.list.conform(in[i])
		if err != nil {
			return nil, within("["+strconv.Itoa(i)+"]", err)
		}
		out[i] = fit
	}
	return out, nil
}

func (k kind) conformMap(v any) (any, error) {
	var in map[string]any
	switch v := v.(type) {
	case nil:
	case map[string]string:
		in = make(map[string]any, len(v))
		for name, s := range v {
			in[name] = s
		}
	case map[string]any:
		in = v
	default:
		return nil, &misfit{"", "map"}
	}
	out := make(map[string]any, len(in))
	for name := range in {
		fit, err := k.mapOf.conform(in[name])
		if err != nil {
			return nil, within(fmt.Sprintf("[%q]", name), err)
		}
		out[name] = fit
	}
	return out, nil
}

func (k kind) conformScalar(v any) (any, error) {
	switch k.scalar {
	case cel.DynType:
		return v, nil
	case cel.StringType:
		if s, ok := v.(string); ok {
			return s, nil
		}
	case cel.BoolType:
		if b, ok := v.(bool); ok {
			return b, nil
		}
	case cel.IntType:
		if n, ok := integer(v); ok {
			return n, nil
		}
	case cel.TimestampType:
		if at, ok := timeOf(v); ok {
			return at, nil
		}
	}
	return nil, &misfit{"", k.scalar.String()}
}

// integer is a whole number, however Go holds it.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	case float64:
		const exact = 1 << 53 // beyond it a float64 does not hold every whole number
		return int64(v), v == math.Trunc(v) && math.Abs(v) <= exact
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	}
	return 0, false
}

func timeOf(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case string:
		at, err := time.Parse(time.RFC3339Nano, v)
		return at, err == nil
	}
	return time.Time{}, false
}
