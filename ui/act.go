package ui

import (
	"context"
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"

	"plimsoll/gates/evidence"
	"plimsoll/release"
)

// key routes a key: to the dialog, to the filter that is being typed, or
// through the bindings.
func (m *model) key(k tea.KeyPressMsg) tea.Cmd {
	d := &m.data
	if m.dialog != nil {
		if k.String() == "ctrl+c" {
			k = tea.KeyPressMsg{Code: tea.KeyEscape}
		}
		d.note = ""
		_, d.room = m.below()
		next, in := m.dialog.key(k, d)
		m.dialog = next
		return m.act(in)
	}
	if s, ok := m.top().(filtering); ok && s.filter().editing && m.editFilter(s, k) {
		return nil
	}
	b, ok := m.keys.find(k, m.top().place())
	if !ok {
		return nil
	}
	d.note = ""
	if why := b.disabled(d, m.top().subject(d)); why != "" {
		return m.act(refused{string(b.action) + " is not possible now: " + why})
	}
	return m.perform(b.action, k)
}

// editFilter types into the filter and tells whether the key was for it.
func (m *model) editFilter(s filtering, k tea.KeyPressMsg) bool {
	f := s.filter()
	switch k.String() {
	case "up", "down", "pgup", "pgdown", "ctrl+c":
		return false
	case "esc":
		f = filter{}
	case "enter":
		f.editing = false
	default:
		f.input = f.input.key(k)
	}
	m.replace(s.withFilter(f))
	return true
}

func (m *model) paste(content string) {
	if m.dialog != nil {
		m.dialog = m.dialog.paste(content)
		return
	}
	if s, ok := m.top().(filtering); ok && s.filter().editing {
		f := s.filter()
		f.input = f.input.insert(content)
		m.replace(s.withFilter(f))
	}
}

// replace puts s in place of the screen that is shown.
func (m *model) replace(s screen) {
	m.stack[len(m.stack)-1] = s
	if c, ok := s.(candidates); ok {
		m.cursors[c.of] = c
	}
}

// perform does what every screen has in common and leaves the rest to the screen.
func (m *model) perform(a action, k tea.KeyPressMsg) tea.Cmd {
	d, s := &m.data, m.top()
	switch a { //nolint:exhaustive // the others belong to the screens
	case actQuit:
		return m.askQuit()
	case actHelp:
		m.dialog = newHelp(d, s, m.keys)
	case actError:
		m.dialog = newError(d)
	case actBack:
		return m.back()
	case actFilter:
		if fs, ok := s.(filtering); ok {
			f := fs.filter()
			f.editing = true
			m.replace(fs.withFilter(f))
		}
	case actRefresh:
		return m.load(s.wants(d)...)
	case actServices:
		m.stack = m.stack[:1]
		return m.load(stale(d, m.top().wants(d))...)
	case actNext:
		return m.neighbour(1)
	case actPrevious:
		return m.neighbour(-1)
	case actNumber:
		if n := int(k.String()[0] - '1'); n < len(d.services) {
			return m.act(openService{d.services[n].name})
		}
		d.note = "there is no service with that number"
	default:
		return m.onSubject(a)
	}
	return nil
}

// onSubject does what keys do to the selection.
func (m *model) onSubject(a action) tea.Cmd {
	d, s := &m.data, m.top()
	sub := s.subject(d)
	switch a { //nolint:exhaustive // the others belong to the screens
	case actDigest:
		return m.act(copyText{text: string(sub.digest)})
	case actExplain:
		return m.act(explained(d, sub))
	case actDoctor:
		return m.act(openScreen{doctorScreen{of: sub.service}})
	case actReference:
		return m.act(copyText{text: reference(d, s, sub)})
	case actDiff:
		from, _ := d.shown(sub.service)
		return m.act(openScreen{diffScreen{of: sub.service, from: from, to: sub.digest}})
	case actHistory:
		return m.act(openScreen{history{of: s.service()}})
	case actOperation:
		return m.act(openScreen{operationScreen{of: d.op.service}})
	case actApprove:
		m.dialog = newApprove(d, sub)
	case actPromote:
		m.dialog = newPromote(d, sub)
	case actQuarant:
		m.dialog = newQuarantine(d, sub)
	case actFinish:
		p, _ := d.open(sub.service)
		m.dialog = newFinish(d, p)
	case actCancel:
		m.dialog = newCancel(d)
	case actRollback:
		if sub.target == nil {
			return m.act(openScreen{rollback{of: sub.service}})
		}
		m.dialog = newRollback(d, sub)
	default:
		f := m.frame()
		next, in := s.do(a, d, extent{f.body.w, f.body.h})
		m.replace(next)
		return m.act(in)
	}
	return nil
}

// reference is the full name of the selected digest: in staging on the
// screens about candidates, in prod on those about what was in prod.
func reference(d *data, s screen, sub subject) string {
	svc := d.service(sub.service)
	repo := svc.staging
	if s.place()&(onRollback|onHistory|onRecord|onOperation) != 0 {
		repo = svc.prod
	}
	return repo + "@" + string(sub.digest)
}

// back is the ladder of esc: filter, message, screen. It never quits.
func (m *model) back() tea.Cmd {
	if s, ok := m.top().(filtering); ok && s.filter().input.text() != "" {
		m.replace(s.withFilter(filter{}))
		return nil
	}
	if r := m.data.result; r != nil && r.level != levelBusy {
		m.data.result = nil
		return nil
	}
	return m.act(goBack{})
}

// neighbour shows the service that is n further in the list.
func (m *model) neighbour(n int) tea.Cmd {
	all := m.data.services
	if len(all) == 0 {
		return nil
	}
	at := slices.IndexFunc(all, func(s service) bool { return s.name == m.top().service() })
	if at < 0 && n < 0 {
		at = 0
	}
	return m.act(openService{all[(at+n+len(all))%len(all)].name})
}

// act does what a screen or dialog asked for. It is the only place that does.
func (m *model) act(in intent) tea.Cmd {
	d := &m.data
	switch in := in.(type) {
	case goBack:
		if len(m.stack) > 2 || len(m.stack) == 2 && len(d.services) != 1 {
			m.stack = m.stack[:len(m.stack)-1]
		}
	case openScreen:
		m.stack = append(m.stack, in.screen)
		return m.load(stale(d, in.screen.wants(d))...)
	case openService:
		return m.openService(in.name)
	case openDialog:
		m.dialog = in.dialog
	case closeDialog:
		m.shut()
	case refused:
		d.note = in.why
	case askRollback:
		m.dialog = newRollback(d, in.subject)
	case copyText:
		d.note = "copy sent: " + text(in.text)
		if in.said != "" {
			d.note = "copy sent: " + in.said
		}
		return tea.SetClipboard(in.text)
	default:
		return m.confirmed(in)
	}
	return nil
}

// openService shows the candidates of a service, with the cursor where it was.
func (m *model) openService(name string) tea.Cmd {
	s, ok := m.cursors[name]
	if !ok {
		s = candidates{of: name}
	}
	m.stack = []screen{m.stack[0], s}
	return m.load(stale(&m.data, s.wants(&m.data))...)
}

// confirmed does what a person confirmed in a dialog: it writes.
func (m *model) confirmed(in intent) tea.Cmd {
	switch in := in.(type) {
	case doPromote:
		one := running{action: "promote", service: in.request.Service, digest: in.request.Digest, previous: in.previous, overrides: in.request.Overrides, reason: in.request.Reason}
		return m.start(one, func(ctx context.Context, report func(release.Progress)) (release.Outcome, error) {
			return m.reader.backend.Promote(ctx, in.request, report) //nolint:wrapcheck // shown as it is
		})
	case doRollback:
		one := running{action: "rollback", service: in.request.Service, digest: in.request.Digest, previous: in.previous}
		return m.start(one, func(ctx context.Context, report func(release.Progress)) (release.Outcome, error) {
			return m.reader.backend.Rollback(ctx, in.request, report) //nolint:wrapcheck // shown as it is
		})
	case doFinish:
		return m.start(in.what, func(ctx context.Context, report func(release.Progress)) (release.Outcome, error) {
			return m.reader.backend.Resume(ctx, in.id, report) //nolint:wrapcheck // shown as it is
		})
	case doApprove:
		verb := map[string]string{evidence.Approved: "approved", evidence.Rejected: "rejected"}[in.request.Decision]
		return m.write("signing: "+short(in.request.Digest)+" is being "+verb, "signing off "+short(in.request.Digest), func(ctx context.Context) (string, error) {
			out, err := m.reader.backend.Approve(ctx, in.request)
			said := fmt.Sprintf("%s %s of %s as %s", verb, short(in.request.Digest), in.request.Service, out.Reviewer)
			if out.Warning != "" {
				said += "; " + out.Warning
			}
			return said, err
		})
	case doQuarantine:
		return m.write("signing a quarantine", "quarantining "+short(in.request.Digest), func(ctx context.Context) (string, error) {
			out, err := m.reader.backend.Quarantine(ctx, in.request)
			return quarantineWords(in.request, out), err
		})
	case doCancel:
		m.shut()
		m.cancelOperation()
	case doQuit:
		return m.quit()
	}
	return nil
}

func quarantineWords(r release.QuarantineRequest, out release.Quarantined) string {
	switch {
	case out.Unchanged && r.Lift:
		return short(r.Digest) + " was not quarantined"
	case out.Unchanged:
		return short(r.Digest) + " was quarantined already"
	case r.Lift:
		return "lifted the quarantine of " + short(r.Digest)
	}
	return "quarantined " + short(r.Digest) + ": " + out.Reason
}
