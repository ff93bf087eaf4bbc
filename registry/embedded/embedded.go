package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/olareg/olareg"
	"github.com/olareg/olareg/config"
)

// Options says what kind of registry to start. The zero value is a registry
// in memory on a free loopback port, with the referrers API and deletion.
type Options struct {
	// Dir is where blobs and manifests lie; it is made when it is missing and
	// left behind on Close. "" keeps everything in memory, which is no place
	// for layers of hundreds of megabytes.
	Dir string
	// Listener is used, and closed by Close, in place of a free port of 127.0.0.1.
	Listener net.Listener
	// Wrap goes around the registry's handler, for faults, counting and refusals. It may be nil.
	Wrap func(http.Handler) http.Handler
	// NoReferrers switches the referrers API off: then evidence goes to fallback tags.
	NoReferrers bool
}

// Registry is a running registry. Its methods are safe for concurrent use.
type Registry struct {
	host   string
	server *http.Server
	store  *olareg.Server

	requests sync.WaitGroup // in flight: the store must outlive them
	busy     busy
	serving  chan error
	close    sync.Once
	closed   error
}

// patience is how long Close waits for requests in flight before it cuts them.
const patience = time.Second

// Start starts a registry that serves until Close.
func Start(o Options) (*Registry, error) {
	l := o.Listener
	if l == nil {
		var err error
		if l, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0"); err != nil {
			return nil, fmt.Errorf("start a registry on a free loopback port: %w", err)
		}
	}
	r := &Registry{host: l.Addr().String(), store: olareg.New(storage(o)), serving: make(chan error, 1)}
	handler := http.Handler(r.store)
	if o.Wrap != nil {
		handler = o.Wrap(handler)
	}
	r.server = &http.Server{
		Handler: r.counted(handler), ReadHeaderTimeout: 10 * time.Second,
		ConnState: r.busy.state,
		ErrorLog:  log.New(io.Discard, "", 0), // olareg writes some headers twice, and the demo owns the screen
	}
	go func() { r.serving <- r.server.Serve(l) }()
	return r, nil
}

// storage is olareg's configuration for o. The garbage collector is off: a
// demo or a test lives shorter than its grace period, and a blob that vanishes
// in between would be a riddle.
func storage(o Options) config.Config {
	yes, no, referrers := true, false, !o.NoReferrers
	c := config.Config{
		Storage: config.ConfigStorage{
			StoreType: config.StoreMem,
			GC:        config.ConfigGC{Frequency: -1, GracePeriod: -1, EmptyRepo: &no, ReferrersWithSubj: &no},
		},
		API: config.ConfigAPI{
			DeleteEnabled: &yes,
			Blob:          config.ConfigAPIBlob{DeleteEnabled: &yes},
			Referrer:      config.ConfigAPIReferrer{Enabled: &referrers},
		},
	}
	if o.Dir != "" {
		c.Storage.StoreType, c.Storage.RootDir = config.StoreDir, o.Dir
	}
	return c
}

// counted keeps account of the requests in flight.
func (r *Registry) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.requests.Add(1)
		defer r.requests.Done()
		h.ServeHTTP(w, q)
	})
}

// Host is where the registry answers in plain HTTP, such as 127.0.0.1:40123.
func (r *Registry) Host() string { return r.host }

// Close stops the registry: requests in flight get a second, then their
// connections are cut. It leaves no goroutine, and what lies in Dir stays. A
// second call does nothing and answers the same.
func (r *Registry) Close() error {
	r.close.Do(func() { r.closed = r.stop() })
	return r.closed
}

// stop does without the patience of http.Server.Shutdown for connections that
// were opened and never used, which clients do ahead of need.
func (r *Registry) stop() error {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_ = r.server.Shutdown(over) // no new connections, no idle ones; it does not wait
	r.busy.wait(patience)
	err := r.server.Close()
	r.requests.Wait()
	if served := <-r.serving; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err = errors.Join(err, r.store.Close()); err != nil {
		return fmt.Errorf("stop the registry on %s: %w", r.host, err)
	}
	return nil
}

// busy knows the connections on which a request is being answered.
type busy struct {
	mu      sync.Mutex
	active  map[net.Conn]bool
	waiting chan struct{} // closed when none is active any more; nil: nobody waits
}

// state is an http.Server.ConnState. A connection stays active until its answer was sent.
func (b *busy) state(c net.Conn, s http.ConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s == http.StateActive {
		if b.active == nil {
			b.active = map[net.Conn]bool{}
		}
		b.active[c] = true
		return
	}
	delete(b.active, c)
	if len(b.active) == 0 && b.waiting != nil {
		close(b.waiting)
		b.waiting = nil
	}
}

// wait waits until no connection is active, at most for d.
func (b *busy) wait(d time.Duration) {
	b.mu.Lock()
	if len(b.active) == 0 {
		b.mu.Unlock()
		return
	}
	none := make(chan struct{})
	b.waiting = none
	b.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-none:
	case <-timer.C:
	}
}
