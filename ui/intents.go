package ui

import (
	tea "charm.land/bubbletea/v2"
	"github.com/opencontainers/go-digest"

	"plimsoll/release"
)

// intent is what a screen or a dialog wants done; the root model does it.
// Screens and dialogs themselves start nothing.
type intent any

type (
	// goBack leaves the screen.
	goBack struct{}
	// openScreen shows another screen on top of this one.
	openScreen struct{ screen screen }
	// openService shows the candidates of a service.
	openService struct{ name string }
	// openDialog shows a dialog.
	openDialog struct{ dialog dialog }
	// closeDialog ends a dialog without doing anything.
	closeDialog struct{}
	// copyText sends text to the terminal's clipboard.
	copyText struct {
		text string
		said string // what it is, where it is too long to be shown; "" shows it
	}

	// refused says why a key did nothing.
	refused struct{ why string }
	// askRollback asks for the confirmation of a rollback.
	askRollback struct{ subject subject }

	// doApprove, doQuarantine, doPromote, doRollback and doFinish are confirmed: they write.
	doApprove    struct{ request release.ApproveRequest }
	doQuarantine struct{ request release.QuarantineRequest }
	doPromote    struct {
		request  release.PromoteRequest
		previous *digest.Digest
	}
	doRollback struct {
		request  release.RollbackRequest
		previous *digest.Digest
	}
	doFinish struct {
		id   string
		what running
	}
	// doCancel is confirmed: cancel the running operation.
	doCancel struct{}
	// doQuit is confirmed: cancel what can be cancelled, wait for the rest, quit.
	doQuit struct{}
)

// extent is a width and a height in cells.
type extent struct{ w, h int }

// screen is one full-window view. It holds what belongs to the eye only
// (cursor, filter, scroll); what it shows is in data.
type screen interface {
	place() place
	// heading is what the screen shows, for the rule above it.
	heading(d *data) string
	// service is whose prod digest is pinned above it, "" for all services.
	service() string
	// wants is what it asks the backend for; the first is whose age is shown.
	wants(d *data) []query
	// subject is what the keys act on.
	subject(d *data) subject
	// do handles a key that the root model does not.
	do(a action, d *data, at extent) (screen, intent)
	// status is what the status line says about the selection.
	status(d *data) line
	// view draws the body. It is pure.
	view(d *data, st *styles, at extent) string
}

// filtering is a screen with a list that can be filtered.
type filtering interface {
	screen
	filter() filter
	withFilter(f filter) screen
}

// pinning is a screen whose selection follows what was selected before an answer.
type pinning interface {
	screen
	pin(d *data) screen
}

// dialog is a box over the screen. It gets every key while it is open, and
// what it shows was frozen when it was opened.
type dialog interface {
	key(k tea.KeyPressMsg, d *data) (dialog, intent)
	paste(text string) dialog
	view(d *data, st *styles, at extent) string
}
