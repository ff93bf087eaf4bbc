package demo

import (
	"sync/atomic"
	"time"
)

// clock is the time of the story; it becomes the real time when the story ends.
type clock struct{ behind atomic.Int64 }

// set moves the clock to ago before now; it goes on from there.
func (c *clock) set(ago time.Duration) { c.behind.Store(int64(ago)) }

// Now is the time of the story.
func (c *clock) Now() time.Time { return time.Now().Add(-time.Duration(c.behind.Load())) }
