package expr

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// prefix keeps the names of our objects apart from what an expression writes.
const prefix = "plimsoll."

// celType is a kind in the words of the checker.
func (k kind) celType() *cel.Type {
	switch {
	case k.object != "":
		return cel.ObjectType(prefix + k.object)
	case k.list != nil:
		return cel.ListType(k.list.celType())
	case k.mapOf != nil:
		return cel.MapType(cel.StringType, k.mapOf.celType())
	case k.null:
		return cel.NullableType(k.scalar)
	}
	return k.scalar
}

// provider tells the checker which fields our objects have. At run time the
// objects are maps: a field type without getters makes CEL look keys up.
type provider struct {
	types.Provider
	fields map[string]map[string]*types.FieldType // by object
	names  map[string][]string
}

func newProvider(below types.Provider) provider {
	p := provider{Provider: below, fields: map[string]map[string]*types.FieldType{}, names: map[string][]string{}}
	for object, fields := range schema() {
		declared := make(map[string]*types.FieldType, len(fields))
		for _, f := range fields {
			declared[f.name] = &types.FieldType{Type: f.kind.celType()}
		}
		p.fields[prefix+object], p.names[prefix+object] = declared, Fields(object)
	}
	return p
}

// FindStructType implements types.Provider.
func (p provider) FindStructType(name string) (*types.Type, bool) {
	if _, ok := p.fields[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (p provider) FindStructFieldNames(name string) ([]string, bool) {
	if names, ok := p.names[name]; ok {
		return names, true
	}
	return p.Provider.FindStructFieldNames(name)
}

// FindStructFieldType implements types.Provider.
func (p provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if declared, ok := p.fields[name]; ok {
		f, ok := declared[field]
		return f, ok
	}
	return p.Provider.FindStructFieldType(name, field)
}
