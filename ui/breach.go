package ui

import (
	"slices"
	"strings"

	"plimsoll/release"
)

// What is above every screen, in whatever dialog, as long as it holds: prod
// was pushed past the gate, or the policy that decides was signed by nobody who may.

// breachMost is how many lines it takes at most.
const breachMost = 5

// breachLines is that, broken to the window's width and filled up to it: first
// of the service that is shown, with what to do, then the names of the others.
func breachLines(d *data, s screen, keys keymap, w int) []string {
	var out []string
	for _, words := range breachWords(d, s.service(), keys) {
		for i, part := range wrap(words, w-4) {
			mark := "   "
			if i == 0 {
				mark = " ! "
			}
			out = append(out, fit(mark+part, w))
		}
	}
	return out[:min(len(out), breachMost)]
}

func breachWords(d *data, shown string, keys keymap) []string {
	var out, pushed, unsigned []string
	for _, svc := range d.services {
		v := d.list(svc.name).value
		past := v.Prod.Unrecorded != "" && v.Prod.Digest != nil
		switch {
		case svc.name == shown:
			if past {
				out = append(out, pushedWords(svc, v.Prod, keys))
			}
			if v.Unsigned != "" {
				out = append(out, unsignedWords(svc))
			}
			continue
		case past:
			pushed = append(pushed, svc.name)
		}
		if v.Unsigned != "" {
			unsigned = append(unsigned, svc.name)
		}
	}
	others := "; open it for what to do"
	if len(pushed) > 0 {
		out = append(out, "SOMEBODY PUSHED PAST THE GATE: "+strings.Join(pushed, ", ")+others)
	}
	if len(unsigned) > 0 {
		out = append(out, "POLICY NOT SIGNED by its owners: "+strings.Join(unsigned, ", ")+others)
	}
	return out
}

func pushedWords(svc service, p release.Prod, keys keymap) string {
	return "SOMEBODY PUSHED PAST THE GATE: " + svc.prod + ":" + svc.channel + " points at " + short(*p.Digest) + ", which has no valid record. " +
		"Find out who; " + keys.of(actRollback).first() + " rolls back; plimsoll adopt " + svc.name + " signs for it"
}

func unsignedWords(svc service) string {
	return "POLICY NOT SIGNED by its owners, so nothing is promoted. plimsoll policy show " + svc.name +
		" tells what differs: take the signed file, or let an owner sign"
}

// quietWarnings are the warnings that are not shouted above the screen already.
func quietWarnings(v release.ServiceView) []string {
	return slices.DeleteFunc(slices.Clone(v.Warnings), func(w string) bool { return w == v.Prod.Unrecorded || w == v.Unsigned })
}
