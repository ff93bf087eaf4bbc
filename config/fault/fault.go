// Package fault is how a failure reaches a person or a script: an exit code,
// what was tried and why it failed, and what to do next.
//
// Any layer may return a *fault.Error; whoever wraps it keeps it findable with
// errors.As. An error without one is a plain failure (exit code 1).
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Code is a process exit code; scripts rely on its meaning.
type Code int

// The exit codes of Plimsoll.
const (
	Failed     Code = 1 // it did not work, prod is unchanged
	Usage      Code = 2 // the command line or the configuration is wrong
	Gate       Code = 3 // a gate says no
	Moved      Code = 4 // prod moved since it was shown
	Refused    Code = 5 // the registry refused the identity
	Unfinished Code = 6 // the channel moved, a later step is unfinished
)

// Error is a failure with its exit code and the remedy.
type Error struct {
	Code    Code
	Message string // what was tried, on what, and why it failed
	Hint    string // what to do next; may be empty
	Err     error  // the cause; may be nil
}

// Error returns the message, followed by its cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes an Error; err, the cause, may be nil.
func New(code Code, hint string, err error, format string, args ...any) *Error {
	return &Error{Code: code, Hint: hint, Err: err, Message: fmt.Sprintf(format, args...)}
}

// Join is errors.Join for people: in one line, and what several say alike only
// once, such as a damaged file that every reader of it met. It is nil without errors.
func Join(errs ...error) error {
	var kept joined
	seen := map[string]bool{}
	var add func(errs []error)
	add = func(errs []error) {
		for _, err := range errs {
			if list, ok := err.(joined); ok { //nolint:errorlint // one that was wrapped is another text
				add(list)
			} else if err != nil && !seen[err.Error()] {
				seen[err.Error()] = true
				kept = append(kept, err)
			}
		}
	}
	add(errs)
	if len(kept) == 0 {
		return nil
	}
	return kept
}

type joined []error

func (j joined) Error() string {
	texts := make([]string, 0, len(j))
	for _, err := range j {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

func (j joined) Unwrap() []error { return j }

// CodeOf is the exit code of err: 0 without an error, Failed without an Error in its chain.
func CodeOf(err error) Code {
	if err == nil {
		return 0
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Failed
}

// HintOf is the remedy that the chain of err names, outermost first, or "".
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}
