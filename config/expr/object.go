package expr

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"sync"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Object is a JSON object as a fact that is taken apart when an expression
// first looks into it: a bill of materials has megabytes, and most expressions
// ask for another predicate. Numbers are doubles, as CEL has them of JSON. What
// is no JSON object is null, which has no field. Safe for concurrent use.
func Object(raw json.RawMessage) any {
	if !json.Valid(raw) || !bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{")) {
		return nil
	}
	return &lazy{open: sync.OnceValue(func() traits.Mapper {
		return types.NewStringInterfaceMap(types.DefaultTypeAdapter, decode(raw))
	})}
}

// decode reads a valid JSON object. A number that no double holds is infinite, as IEEE 754 rounds it.
func decode(raw []byte) map[string]any {
	var out map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	_ = d.Decode(&out) // it is valid
	for k, v := range out {
		out[k] = doubles(v)
	}
	return out
}

func doubles(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := strconv.ParseFloat(v.String(), 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil
		}
		return f
	case []any:
		for i := range v {
			v[i] = doubles(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = doubles(v[k])
		}
	}
	return v
}

// lazy is a traits.Mapper that opens itself.
type lazy struct{ open func() traits.Mapper }

var _ traits.Mapper = (*lazy)(nil)

// ConvertToNative implements ref.Val.
func (l *lazy) ConvertToNative(to reflect.Type) (any, error) {
	return l.open().ConvertToNative(to) //nolint:wrapcheck // it is the map
}

// ConvertToType implements ref.Val.
func (l *lazy) ConvertToType(to ref.Type) ref.Val { return l.open().ConvertToType(to) }

// Equal implements ref.Val.
func (l *lazy) Equal(other ref.Val) ref.Val { return l.open().Equal(other) }

// Type implements ref.Val.
func (l *lazy) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (l *lazy) Value() any { return l.open().Value() }

// Contains implements traits.Container.
func (l *lazy) Contains(key ref.Val) ref.Val { return l.open().Contains(key) }

// Get implements traits.Indexer.
func (l *lazy) Get(key ref.Val) ref.Val { return l.open().Get(key) }

// Find implements traits.Mapper.
func (l *lazy) Find(key ref.Val) (ref.Val, bool) { return l.open().Find(key) }

// Iterator implements traits.Iterable.
func (l *lazy) Iterator() traits.Iterator { return l.open().Iterator() }

// Size implements traits.Sizer.
func (l *lazy) Size() ref.Val { return l.open().Size() }
