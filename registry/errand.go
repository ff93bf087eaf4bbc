package registry

import "context"

// Errand is on whose behalf requests are sent: a provider may name it to its
// cloud, whose own log then tells it.
type Errand struct {
	Person    string // who asked, by the id of the signing key or the login
	Operation string // id of the operation, "" outside one
}

type errandKey struct{}

// WithErrand returns a context whose requests are sent for e.
func WithErrand(ctx context.Context, e Errand) context.Context {
	return context.WithValue(ctx, errandKey{}, e)
}

// ErrandOf is the errand of a context; the zero value without one.
func ErrandOf(ctx context.Context) Errand {
	e, _ := ctx.Value(errandKey{}).(Errand)
	return e
}
