package config

import (
	"bytes"
	"encoding/json"
	"fmt"
)

//go:generate go run ./internal/schemagen ../docs

// SchemaURL names the dialect of the schema: the newest that the usual editors
// understand in full.
const SchemaURL = "http://json-schema.org/draft-07/schema#"

// object is a part of a JSON Schema; encoding/json sorts its keys, so that the
// same table gives the same bytes.
type object map[string]any

// Schema is the JSON Schema of plimsoll.yaml, made from the table that the
// loader checks files against. Editors complete and check with it. It cannot say
// everything that Load checks: files, and references between keys.
func Schema() []byte {
	g := schemaWriter{definitions: object{}}
	root := g.schema(teamShape())
	root["$schema"] = SchemaURL
	root["title"] = "plimsoll.yaml"
	root["description"] = "The configuration of Plimsoll, a release console for container images."
	root["definitions"] = g.definitions
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		panic(fmt.Sprintf("the schema is made of maps, lists and texts: %v", err))
	}
	return b.Bytes()
}

type schemaWriter struct{ definitions object }

// schema describes s; a shape with a name stands in the definitions once.
func (g schemaWriter) schema(s *shape) object {
	if s.name == "" {
		return g.body(s)
	}
	if _, ok := g.definitions[s.name]; !ok {
		g.definitions[s.name] = object{}
		g.definitions[s.name] = g.body(s)
	}
	return object{"$ref": "#/definitions/" + s.name}
}

func (g schemaWriter) body(s *shape) object {
	if len(s.forms) > 0 {
		forms := make([]object, 0, len(s.forms))
		for _, f := range s.forms {
			forms = append(forms, g.schema(f))
		}
		return object{"anyOf": forms}
	}
	//exhaustive:ignore
	switch s.kind {
	case aMapping:
		return g.mapping(s)
	case aList:
		o := object{"type": "array", "items": g.schema(s.of)}
		if s.low > 0 {
			o["minItems"] = s.low
		}
		return o
	case aInteger:
		return object{"type": "integer", "minimum": s.low, "maximum": s.high}
	case aBoolean:
		if s.must {
			return object{"type": "boolean", "enum": []bool{true}}
		}
		return object{"type": "boolean"}
	}
	if len(s.words) > 0 {
		return object{"type": "string", "enum": s.words}
	}
	return textSchema(s.format)
}

func textSchema(f *format) object {
	o := object{"type": "string", "minLength": 1}
	if f.pattern != "" {
		o["pattern"] = f.pattern
	}
	return o
}

func (g schemaWriter) mapping(s *shape) object {
	o := object{"type": "object"}
	if s.of != nil {
		o["propertyNames"] = textSchema(s.format)
		o["additionalProperties"] = g.schema(s.of)
		return o
	}
	properties, required := object{}, []string{}
	for _, k := range s.keys {
		p := g.schema(k.value)
		p["description"] = k.doc
		properties[k.name] = p
		if k.required {
			required = append(required, k.name)
		}
	}
	o["properties"], o["additionalProperties"] = properties, false
	if len(required) > 0 {
		o["required"] = required
	}
	if s.some {
		o["minProperties"] = 1
	}
	if len(s.least) > 0 {
		one := make([]object, 0, len(s.least))
		for _, name := range s.least {
			one = append(one, object{"required": []string{name}})
		}
		o["anyOf"] = one
	}
	if len(s.choices) > 0 {
		choices := make([]object, 0, len(s.choices))
		for _, c := range s.choices {
			may := append(append([]string{}, c.need...), c.may...)
			choices = append(choices, object{"required": c.need, "propertyNames": object{"enum": may}})
		}
		o["oneOf"] = choices
	}
	return o
}
