package registry

import (
	"context"
	"time"
)

// Hurried is the request with a short patience, for tests of what goes wrong.
func Hurried(r CopyRequest, stall time.Duration) CopyRequest {
	limits := defaultCopyLimits
	limits.stall, limits.open, limits.wait, limits.report = stall, max(stall, 5*time.Second), time.Millisecond, time.Millisecond
	r.limits = &limits
	return r
}

// Impatient takes the waits between tries from the client.
func Impatient(c *Client) *Client {
	c.sleep = func(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) }
	return c
}

// Waiting lets the client wait by sleep.
func Waiting(c *Client, sleep func(context.Context, time.Duration) error) *Client {
	c.sleep = sleep
	return c
}
