// Package ui is the console: what a release manager, an oncall engineer and a
// room full of people look at. Data flows one way:
//
//	key → binding → screen or dialog → intent → model.act → command (asks the Backend)
//	view ← data ← model.Update ← message ←──────────────────────┘
//
// Update and View never wait: only commands call the Backend. What writes runs
// in workers, which outlive the screen; Run returns when they have ended.
// Every answer carries the number of its question, and late ones are dropped.
// What the backend says is cleaned before it reaches data.
//
//	backend.go   what the console asks of the release desk
//	run.go       Run: options, signals, the end
//	app.go       the root model: Update routes, View composes
//	act.go       keys → actions → what is done about them
//	events.go    answers, the progress and the end of what is being written
//	clock.go     what time alone changes: ages, what is read again by itself
//	asker.go     a secret that what runs below needs
//	commands.go  messages, and the questions to the backend
//	worker.go    promotions, rollbacks, sign-offs: what must not be abandoned
//	data.go      all that the console knows; running.go: the operation; pipeline.go: a run that does it
//	keys.go      the table of bindings: dispatch, line of keys, help, docs/keys.md
//	reasons.go   why an action is not possible now
//	breach.go    prod pushed past the gate, a policy that nobody signed: above every screen
//	explain.go   the checks as plain text, to be sent to somebody
//	layout.go    the window divided, pure; frame.go: the last guard
//	text.go      text from outside made harmless; styles.go: themes
//	list.go cells.go pager.go input.go            table, text, typing
//	header.go statusbar.go pending.go help.go     around the screens
//	screen_*.go  services, candidates, detail, diff, operation, rollback, history,
//	             record, doctor
//	dialog*.go   boxes over them; dialog_confirm.go guards prod
//
// Bubble Tea runs it, Lip Gloss paints (styles.go) and lays dialogs over a
// screen (dialog.go), Bubbles matches keys (keys.go), edits what is typed
// (input.go) and draws bars (screen_operation.go). The table and the pager are
// own code: a table of Bubbles ends the look of a selected row at the first
// coloured cell, and its viewport keeps the lines that a pure View makes anew.
package ui
