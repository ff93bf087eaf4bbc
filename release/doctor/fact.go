package doctor

import (
	"errors"
	"fmt"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/registry"
)

// text is fit to print wherever it came from.
func text(s string) string { return clean.Text(clean.Redact(s)) }

// question is a fact that is not told yet.
type question struct{ id, subject string }

func (q question) tell(s Status, format string, args ...any) Fact {
	return Fact{ID: q.id, Subject: text(q.subject), Status: s, Summary: text(fmt.Sprintf(format, args...))}
}

func (q question) ok(format string, args ...any) Fact      { return q.tell(OK, format, args...) }
func (q question) warning(format string, args ...any) Fact { return q.tell(Warning, format, args...) }

func (q question) broken(format string, args ...any) Fact { return q.tell(Broken, format, args...) }

func (q question) unknown(format string, args ...any) Fact { return q.tell(Unknown, format, args...) }

// untold is a fact that an error kept from being told, with the error's remedy.
func (q question) untold(err error, format string, args ...any) Fact {
	return q.unknown(format, args...).because("%s", plainly(err)).todo("%s", fault.HintOf(err))
}

// because says how it is known, or why it is not.
func (f Fact) because(format string, args ...any) Fact {
	f.Detail = text(fmt.Sprintf(format, args...))
	return f
}

// todo says what to do.
func (f Fact) todo(format string, args ...any) Fact {
	f.Hint = text(fmt.Sprintf(format, args...))
	return f
}

// plainly is an error without the words of the client about whose identity it
// was: that is not always the one that the configuration names.
func plainly(err error) string {
	var status *registry.StatusError
	if errors.As(err, &status) {
		return status.Error()
	}
	return err.Error()
}
