package viatest

import (
	"context"
	"slices"
	"strconv"
	"time"
)

// inputs are the parameters that the pipeline of docs/via.md declares.
var inputs = []string{"action", "service", "digest", "expect", "operation", "asker", "reason", "overrides", "quarantine"}

// Inputs are the names that the pipeline declares.
func Inputs() []string { return slices.Clone(inputs) }

// Run is one run. Its fields are read under the server's lock, by its methods.
type Run struct {
	of      *Server
	ID      int64
	Inputs  map[string]string
	name    string
	made    time.Time
	hidden  int // so many lists do not show it yet
	state   state
	exit    int
	cancel  context.CancelFunc
	release chan struct{} // closed when it may leave the queue
	done    chan struct{} // closed when it has ended
}

type state int

const (
	queued state = iota
	running
	stopping
	succeeded
	failed
	cancelled
)

// begin makes a run and starts it.
func (s *Server) begin(in map[string]string) *Run {
	ctx, cancel := context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Run{
		of: s, ID: int64(4001 + len(s.runs)), Inputs: in, made: time.Now(), hidden: s.hidden, cancel: cancel,
		release: make(chan struct{}), done: make(chan struct{}), name: "Promote",
	}
	if !s.nameless {
		r.name = "Promote " + in["service"] + " " + in["operation"]
	}
	if !s.held {
		close(r.release)
	}
	s.runs = append(s.runs, r)
	s.group.Add(1)
	go r.run(ctx)
	return r
}

func (r *Run) run(ctx context.Context) {
	defer r.of.group.Done()
	defer close(r.done)
	defer r.cancel()
	select {
	case <-r.release:
	case <-ctx.Done():
		r.of.set(func() { r.state = cancelled })
		return
	}
	r.of.set(func() { r.state = max(r.state, running) })
	code := r.of.job(ctx, r.Inputs)
	r.of.set(func() {
		r.exit = code
		switch {
		case r.state == stopping && code != 0:
			r.state = cancelled
		case code != 0:
			r.state = failed
		default:
			r.state = succeeded
		}
	})
}

// stop asks for the end; false if it has ended.
func (r *Run) stop() bool {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	if r.state >= succeeded {
		return false
	}
	r.state = stopping
	r.cancel()
	return true
}

// Cancel is somebody who cancels the run on the forge's own page.
func (r *Run) Cancel() { r.stop() }

// Release lets a run leave the queue.
func (r *Run) Release() { close(r.release) }

// Wait waits for its end.
func (r *Run) Wait() { <-r.done }

// Runs are all runs.
func (s *Server) Runs() []*Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.runs)
}

// visible are the runs that a list shows, newest first.
func (s *Server) visible(since time.Time) []*Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*Run
	for _, r := range slices.Backward(s.runs) {
		if r.hidden > 0 {
			r.hidden--
			continue
		}
		if !r.made.Before(since) {
			out = append(out, r)
		}
	}
	return out
}

// find is the run of that number, nil without one.
func (s *Server) find(id string) *Run {
	for _, r := range s.Runs() {
		if strconv.FormatInt(r.ID, 10) == id {
			return r
		}
	}
	return nil
}

// now is how it stands.
func (r *Run) now() (state, int) {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	return r.state, r.exit
}

func (s *Server) endAll() {
	for _, r := range s.Runs() {
		r.stop()
	}
	s.group.Wait()
}

// unexpected is the first input that the pipeline does not declare, or that is empty.
func unexpected(in map[string]string) string {
	for name, v := range in {
		if !slices.Contains(inputs, name) || v == "" {
			return name
		}
	}
	return ""
}
