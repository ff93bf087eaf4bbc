package ui

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/charmbracelet/x/exp/golden"

	"plimsoll/config"
	"plimsoll/release"
	"plimsoll/release/operation"
)

// Golden files hold what a person sees, by size and state. Write them anew
// with: go test ./ui -run Golden -update, and look at each.

var goldenSizes = []extent{{80, 24}, {120, 40}, {200, 60}}

// goldenStates are the states of the candidates screen.
var goldenStates = map[string]func(t *testing.T, w, h int) *driver{
	"full": func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("j") },
	"empty": func(t *testing.T, w, h int) *driver {
		desk := newFake(t)
		desk.lists["chat-api"] = release.ServiceView{Service: "chat-api", At: noon}
		return startAt(t, desk, w, h)
	},
	"loading": func(t *testing.T, w, h int) *driver {
		d := boot(t, newFake(t), w, h)
		d.stop = func() bool { return true }
		d.cmds = append(d.cmds, d.m.Init())
		d.now = d.now.Add(3 * time.Second)
		return d.send(wake{-1})
	},
	"error": func(t *testing.T, w, h int) *driver {
		desk := newFake(t)
		desk.lists, desk.listErr = nil, errors.New("Get \"https://staging.example.com/v2/chat-api/tags/list\": dial tcp: lookup staging.example.com: no such host")
		return startAt(t, desk, w, h)
	},
	"old": func(t *testing.T, w, h int) *driver {
		desk := newFake(t)
		d := startAt(t, desk, w, h)
		desk.listErr = errors.New("dial tcp: connection refused")
		return d.wait(5 * time.Minute)
	},
	"gated": func(t *testing.T, w, h int) *driver { return startAt(t, gatedDesk(t), w, h) },
	"breached": func(t *testing.T, w, h int) *driver {
		desk := newFake(t)
		desk.lists["chat-api"] = breachedView(true)
		return startAt(t, desk, w, h)
	},
	"readonly": func(t *testing.T, w, h int) *driver {
		return startAt(t, newFake(t), w, h, func(o *Options) { o.ReadOnly = true })
	},
}

func TestGoldenCandidates(t *testing.T) {
	for name, state := range goldenStates {
		for _, at := range goldenSizes {
			t.Run(fmt.Sprintf("%s_%dx%d", name, at.w, at.h), func(t *testing.T) {
				d := state(t, at.w, at.h)
				fits(t, d, at)
				golden.RequireEqual(t, d.screen()+"\n")
				d.stop = nil
				d.drain()
			})
		}
	}
}

// goldenScreens are the other screens and the dialogs.
var goldenScreens = map[string]func(t *testing.T, w, h int) *driver{
	"services": func(t *testing.T, w, h int) *driver {
		desk := newFake(t)
		desk.services = append(desk.services, sampleService("web"), sampleService("model-server"))
		desk.lists["web"] = release.ServiceView{Service: "web", At: noon.Add(-2 * hour), Error: "staging is unreachable"}
		empty := release.ServiceView{Service: "model-server", At: noon}
		desk.lists["model-server"] = empty
		return startAt(t, desk, w, h)
	},
	"detail":     func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("j", "j", "enter") },
	"diff":       func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("d") },
	"diff-end":   func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("d", "G") },
	"rollback":   func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("b") },
	"history":    func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("h") },
	"record":     func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("h", "enter") },
	"help":       func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("j", "?") },
	"filter":     func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("/", "main") },
	"promote":    func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("p", "chat") },
	"wrong-name": func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("p", "prod", "enter") },
	"approve":    func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("j", "a") },
	"comment":    func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("j", "a", "c", "fine") },
	"roll-back":  func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("b", "k", "enter") },
	"quarantine": func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("x", "leaks") },
	"promoted": func(t *testing.T, w, h int) *driver {
		return startAt(t, newFake(t), w, h).press("p", "chat-api", "enter")
	},
	"copied": func(t *testing.T, w, h int) *driver { return startAt(t, newFake(t), w, h).press("y") },
	"pending": func(t *testing.T, w, h int) *driver {
		desk := newFake(t)
		desk.pending = samplePending()
		return startAt(t, desk, w, h)
	},
	"unfinished": func(t *testing.T, w, h int) *driver {
		desk := newFake(t)
		desk.pending = samplePending()
		return startAt(t, desk, w, h).press("e")
	},
	"failure": func(t *testing.T, w, h int) *driver {
		desk := newFake(t)
		desk.approveErr = errors.New("PUT https://staging.example.com/v2/chat-api/manifests/sha256:aa: 403 DENIED: requested access to the resource is denied")
		return startAt(t, desk, w, h).press("a", "y")
	},
	"failure-box": func(t *testing.T, w, h int) *driver {
		desk := newFake(t)
		desk.approveErr = errors.New("PUT https://staging.example.com/v2/chat-api/manifests/sha256:aa: 403 DENIED: requested access to the resource is denied")
		return startAt(t, desk, w, h).press("a", "y", "e")
	},
	"override": func(t *testing.T, w, h int) *driver {
		return startAt(t, gatedDesk(t), w, h).press("p", "tab", "stops the data loss")
	},
	"no-override": func(t *testing.T, w, h int) *driver { return startAt(t, gatedDesk(t), w, h).press("j", "p") },
	"overridden": func(t *testing.T, w, h int) *driver {
		return startAt(t, gatedDesk(t), w, h).press("p", "tab", "stops the data loss", "enter", "chat-api", "enter")
	},
	"gated-detail": func(t *testing.T, w, h int) *driver { return startAt(t, gatedDesk(t), w, h).press("j", "enter") },
	"doctor": func(t *testing.T, w, h int) *driver {
		desk := newFake(t)
		desk.doctor = sampleReport()
		return startAt(t, desk, w, h).press("D")
	},
	"override-history": func(t *testing.T, w, h int) *driver {
		desk := gatedDesk(t)
		desk.entries = overriddenEntries()
		return startAt(t, desk, w, h).press("h")
	},
	"override-record": func(t *testing.T, w, h int) *driver {
		desk := gatedDesk(t)
		desk.entries, desk.verified = overriddenEntries(), sampleVerification()
		return startAt(t, desk, w, h).press("h", "enter")
	},
	"no-services": func(t *testing.T, w, h int) *driver {
		desk := newFake(t)
		desk.services = []config.Service{}
		return startAt(t, desk, w, h)
	},
}

func TestGoldenScreens(t *testing.T) {
	for name, state := range goldenScreens {
		for _, at := range goldenSizes {
			if at.w == 200 && name != "services" && name != "promote" && name != "detail" && name != "diff" && name != "override" && name != "gated-detail" {
				continue // what 120×40 shows, with more room
			}
			t.Run(fmt.Sprintf("%s_%dx%d", name, at.w, at.h), func(t *testing.T) {
				d := state(t, at.w, at.h)
				fits(t, d, at)
				golden.RequireEqual(t, d.screen()+"\n")
			})
		}
	}
}

func TestGoldenPromotion(t *testing.T) {
	moved := copying()
	moved.Index, moved.Moved, moved.Copy = 6, true, nil
	for name, p := range map[string]operation.Progress{"copying": copying(), "moved": moved} {
		for _, at := range goldenSizes {
			t.Run(fmt.Sprintf("%s_%dx%d", name, at.w, at.h), func(t *testing.T) {
				d, s := promoting(t, newFake(t), p)
				d.m.data.window = at
				d.now = d.now.Add(4 * time.Second)
				d.m.data.now = d.now
				if p.Copy != nil {
					d.m.data.op.speed = meter{}.add(d.now.Add(-4*time.Second), 0).add(d.now, 64_000_000)
				}
				fits(t, d, at)
				golden.RequireEqual(t, d.screen()+"\n")
				s.end <- nil
				over(d)
			})
		}
	}
}

// TestGoldenDanger keeps the looks of what must be loud.
func TestGoldenDanger(t *testing.T) {
	for _, name := range []string{"dark", "light", "plain"} {
		t.Run(name, func(t *testing.T) {
			desk := gatedDesk(t)
			v := breachedView(false)
			v.Candidates, v.Prod.Overrides = gatedView().Candidates, nil
			desk.lists["chat-api"] = v
			d := startAt(t, desk, 80, 24, func(o *Options) { o.Theme = name }).press("p")
			golden.RequireEqual(t, d.m.View().Content+"\n")
		})
	}
}

// TestGoldenColours keeps the looks of each theme, escape sequences and all.
func TestGoldenColours(t *testing.T) {
	for _, name := range []string{"dark", "light", "plain"} {
		t.Run(name, func(t *testing.T) {
			d := startAt(t, newFake(t), 80, 24, func(o *Options) { o.Theme = name }).press("j")
			golden.RequireEqual(t, d.m.View().Content+"\n")
		})
	}
}
