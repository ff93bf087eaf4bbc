package expr

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"
)

// The limits of one expression.
const (
	MaxSize  = 4 << 10   // bytes of its text
	MaxDepth = 100       // levels of nesting
	MaxCost  = 5_000_000 // steps of one evaluation, as CEL counts them
	maxRegex = 1000      // instructions of one regular expression
	maxKept  = 500       // programs
)

// Error is a mistake in an expression. Line and Column count from 1, Column in
// characters, both within the expression.
type Error struct {
	Line, Column int
	Message      string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message)
}

// Program is a checked expression. It is safe for concurrent use.
type Program struct {
	text  string
	run   cel.Program
	reads map[string]bool
	paths []path
}

// String is the expression as it was written.
func (p *Program) String() string { return p.text }

// Reads tells whether the expression looks at a variable: image, config, diff, evidence or now.
func (p *Program) Reads(variable string) bool { return p.reads[variable] }

// environment is built at the first expression: who has none does not pay for it.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	base, err := cel.NewEnv(
		ext.Strings(), cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true),
		cel.EnableErrorOnBadPresenceTest(true), // has() of what cannot have fields is no "no"
		cel.ParserExpressionSizeLimit(MaxSize), cel.ParserRecursionLimit(MaxDepth), cel.RegexProgramSizeLimit(maxRegex),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals()),
	)
	if err != nil {
		return nil, fmt.Errorf("prepare CEL: %w", err)
	}
	options := []cel.EnvOption{cel.CustomTypeProvider(newProvider(base.CELTypeProvider()))}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		options = append(options, cel.Variable(name, variables[name].celType()))
	}
	env, err := base.Extend(options...)
	if err != nil {
		return nil, fmt.Errorf("prepare CEL: %w", err)
	}
	return env, nil
})

// Compile parses and checks an expression. A mistake in it is an *Error: no
// CEL, a name or field that is not declared, types that do not fit, a result
// that is not bool, or a text over the limits.
func Compile(expr string) (*Program, error) {
	if err := checkText(expr); err != nil {
		return nil, err
	}
	kept.Lock()
	p, ok := kept.programs[expr]
	kept.Unlock()
	if ok {
		return p, nil
	}
	p, err := compile(expr)
	if err != nil {
		return nil, err
	}
	kept.Lock()
	defer kept.Unlock()
	if kept.programs == nil || len(kept.programs) >= maxKept {
		kept.programs = map[string]*Program{}
	}
	kept.programs[expr] = p
	return p, nil
}

// kept are the programs of this process: the gates ask for the same few with
// every verdict.
var kept struct {
	sync.Mutex
	programs map[string]*Program
}

func compile(expr string) (*Program, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(expr)
	if issues.Err() != nil {
		return nil, firstOf(issues)
	}
	if got := ast.OutputType(); !got.IsExactType(cel.BoolType) {
		return nil, &Error{1, 1, notBool(got)}
	}
	run, err := env.Program(ast, cel.CostLimit(MaxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, &Error{1, 1, err.Error()}
	}
	p := &Program{text: expr, run: run, reads: map[string]bool{}, paths: pathsOf(ast.NativeRep().Expr())}
	for _, r := range ast.NativeRep().ReferenceMap() {
		if _, ok := variables[r.Name]; ok {
			p.reads[r.Name] = true
		}
	}
	return p, nil
}

func checkText(expr string) error {
	switch {
	case strings.TrimSpace(expr) == "":
		return &Error{1, 1, "the expression is empty"}
	case len(expr) > MaxSize:
		return &Error{1, 1, fmt.Sprintf("the expression has %d bytes, more than %d", len(expr), MaxSize)}
	case !utf8.ValidString(expr):
		return &Error{1, 1, "the expression is not UTF-8"}
	}
	return nil
}

func notBool(got *cel.Type) string {
	if got.IsExactType(cel.DynType) {
		return "the result may be anything, and must be true or false; compare it, as in … == true"
	}
	return "the result is " + strings.ReplaceAll(got.String(), prefix, "") + ", and must be true or false"
}

// firstOf is the mistake that a reader meets first; the others may follow from it.
func firstOf(issues *cel.Issues) error {
	all := slices.Clone(issues.Errors())
	if len(all) == 0 {
		return &Error{1, 1, issues.Err().Error()}
	}
	slices.SortStableFunc(all, func(a, b *cel.Error) int {
		return cmp.Or(cmp.Compare(a.Location.Line(), b.Location.Line()), cmp.Compare(a.Location.Column(), b.Location.Column()))
	})
	first := all[0]
	message := strings.ReplaceAll(first.Message, prefix, "")
	return &Error{max(1, first.Location.Line()), max(0, first.Location.Column()) + 1, message}
}

// errNotBool cannot happen after the check; an answer of another kind must still never pass.
var errNotBool = errors.New("the result is neither true nor false")
