package release

import (
	"fmt"
	"slices"
	"strings"

	"plimsoll/config/clean"
	"plimsoll/gates"
)

// Allowance is which gates the policy of a service lets people go past, with
// a reason. It is for showing: the promotion asks the key itself.
type Allowance struct {
	Service string `json:"service"`
	// Person is who trust says that the person's key is now; "" if trust gives it
	// to nobody, or if only opening the key could tell.
	Person string `json:"person"`
	Known  bool   `json:"known"` // the person's key is known, so Person is certain
	// By is who may go past a gate, by its name; a gate that nobody may go past is not in it.
	By map[string][]string `json:"by"`
}

// MayOverride tells which gates of a service may be gone past, and by whom. It
// asks no network and opens no key.
func (d *Desk) MayOverride(service string) (Allowance, error) {
	p, err := d.place(service)
	if err != nil {
		return Allowance{}, err
	}
	a := Allowance{Service: p.Name, By: map[string][]string{}}
	a.Person, a.Known = d.person()
	for _, o := range p.Overrides {
		for _, gate := range o.Gates {
			a.By[gate] = d.whoMay(p, gate)
		}
	}
	return a, nil
}

// person is who trust says that the person's key is, and whether the key is
// known, without opening it.
func (d *Desk) person() (id string, known bool) {
	if d.Public == nil {
		return "", false
	}
	key := d.Public()
	if key == nil {
		return "", false
	}
	id, _ = d.member(key, d.everyGroup())
	return id, true
}

// whoMay are the people whom the policy lets go past a gate, whose key counts now.
func (d *Desk) whoMay(p place, gate string) []string {
	var may []string
	for _, g := range gates.Groups(p.policy) {
		for _, one := range g.People {
			if p.policy.MayOverride(gate, one.ID) && one.Key.Counts(d.Now()) && !slices.Contains(may, one.ID) {
				may = append(may, one.ID)
			}
		}
	}
	slices.Sort(may)
	return may
}

// Past are the checks that a promotion would go past: all that do not pass. why
// says why the person may not, "" if they may; without checks there is nothing to go past.
func (a Allowance) Past(checks []gates.Check) (waive []gates.Check, why string) {
	var no, nobody []string
	for _, c := range checks {
		if c.Status.Passes() {
			continue
		}
		waive = append(waive, c)
		switch w := a.forbids(c); {
		case w == noOne:
			nobody = append(nobody, c.Gate)
		case w != "":
			no = append(no, w)
		}
	}
	if len(nobody) > 0 {
		no = append(no, "the policy lets nobody go past "+list(nobody))
	}
	if len(no) == 0 && !a.Known && len(a.all(waive)) == 0 && len(waive) > 0 {
		no = append(no, "nobody may go past all of them")
	}
	return waive, clean.Text(strings.Join(no, "; "))
}

// all are those who may go past every one of the checks.
func (a Allowance) all(checks []gates.Check) []string {
	var may []string
	for i, c := range checks {
		if i == 0 {
			may = slices.Clone(a.By[c.Gate])
		}
		may = slices.DeleteFunc(may, func(id string) bool { return !slices.Contains(a.By[c.Gate], id) })
	}
	return may
}

// Who may go past all of the checks: the person, where they are known.
func (a Allowance) Who(checks []gates.Check) []string {
	if a.Known {
		return []string{a.Person}
	}
	return a.all(checks)
}

// noOne is what forbids says of a gate that the policy lets nobody go past.
const noOne = "nobody may"

// forbids says why the person may not go past one check, "" if they may.
func (a Allowance) forbids(c gates.Check) string {
	may := a.By[c.Gate]
	switch {
	case c.Gate == gates.PolicyGate || c.Gate == gates.QuarantineOut:
		return "nobody may go past " + c.Gate
	case c.Gate == gates.SignOff && c.Status == gates.Fail:
		return "nobody may go past a rejection: only who rejected can take it back"
	case c.Gate == gates.SignOff && c.Status == gates.Error:
		return "nobody may go past a sign-off that cannot be read: it may be a rejection"
	case len(may) == 0:
		return noOne
	case a.Known && !slices.Contains(may, a.Person):
		return fmt.Sprintf("only %s may go past %s", list(may), c.Gate)
	}
	return ""
}
