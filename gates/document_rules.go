package gates

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"plimsoll/config"
	"plimsoll/gates/report"
)

// sourceDocument is one source, in the form of effectiveSources.
type sourceDocument struct {
	GitHub    *string  `json:"github"`
	API       string   `json:"api"`
	Checks    []string `json:"checks"`
	Pipelines *string  `json:"azure-pipelines"`
	Project   string   `json:"project"`
	Pipeline  string   `json:"pipeline"`
	HTTP      *string  `json:"http"`
	State     string   `json:"state"`
	Passed    []string `json:"passed"`
	Running   []string `json:"running"`
	Count     string   `json:"count"`
	Total     string   `json:"total"`
	Time      string   `json:"time"`
	CA        []byte   `json:"ca"`
	Registry  *string  `json:"registry"` // the staging repository
	Command   []string `json:"command"`
}

func (s sourceDocument) source(name string) config.Source {
	out := config.Source{Name: name}
	switch {
	case s.GitHub != nil:
		out.GitHub = &config.GitHubSource{Repository: *s.GitHub, API: s.API, Checks: s.Checks}
	case s.Pipelines != nil:
		out.Pipelines = &config.PipelinesSource{URL: *s.Pipelines, Project: s.Project, Pipeline: s.Pipeline}
	case s.HTTP != nil:
		out.HTTP = &config.HTTPSource{
			URL: *s.HTTP, State: s.State, Passed: s.Passed, Running: s.Running,
			Count: s.Count, Total: s.Total, Time: s.Time, CA: s.CA,
		}
	case s.Registry != nil:
		out.Registry = true
	default:
		out.Command = s.Command
	}
	return out
}

// rules reads the gates of a document.
func rules(raw map[string]json.RawMessage) (g config.Gates, err error) {
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if custom, ok := strings.CutPrefix(name, customPrefix); ok {
			c := config.CustomGate{Name: custom}
			err = json.Unmarshal(raw[name], &c.Expr)
			g.Custom = append(g.Custom, c)
		} else {
			err = rule(&g, name, raw[name])
		}
		if err != nil {
			return config.Gates{}, fmt.Errorf("gates %s: %w", name, err)
		}
	}
	return g, nil
}

// ruleDocument is what the rules of all gates are made of.
type ruleDocument struct {
	Signers      []string `json:"signers"`
	Sources      []string `json:"sources"`
	VEX          []string `json:"vex"`
	Suites       []string `json:"suites"`
	Repositories []string `json:"repositories"`
	Branches     []string `json:"branches"`
	Builders     []string `json:"builders"`
	MaxAge       int64    `json:"max-age"`
	MaxBaseAge   int64    `json:"max-base-age"`
	MaxSeverity  string   `json:"max-severity"`
	Allow        []struct {
		ID     string `json:"id"`
		Until  string `json:"until"`
		Reason string `json:"reason"`
	} `json:"allow"`
	Pinned      bool   `json:"pinned"`
	Source      string `json:"source"`
	Quorum      int    `json:"quorum"`
	When        string `json:"when"`
	NotPromoter bool   `json:"not-by-promoter"`
	Bigger      *struct {
		Rules  []config.BiggerRule `json:"rules"`
		Size   float64             `json:"size"`
		Layers float64             `json:"layers"`
	} `json:"bigger"`
	Min     int64  `json:"min"`
	Channel string `json:"channel"`
}

// rule reads one gate.
func rule(g *config.Gates, name string, raw []byte) error {
	switch name {
	case "off":
		return json.Unmarshal(raw, &g.Off) //nolint:wrapcheck // the caller names the gate
	case FreezeGate:
		return windows(g, raw)
	}
	var d ruleDocument
	if err := json.Unmarshal(raw, &d); err != nil {
		return err //nolint:wrapcheck // as above
	}
	switch name {
	case E2E:
		g.E2E = &config.E2EGate{Signers: d.Signers, Sources: d.Sources, MaxAge: period(d.MaxAge), Suites: d.Suites}
	case Scan:
		return d.scan(g)
	case BaseImage:
		g.BaseImage = &config.BaseImageGate{
			Signers: d.Signers, Pinned: d.Pinned, Repositories: d.Repositories, MaxAge: period(d.MaxAge), MaxBaseAge: period(d.MaxBaseAge),
		}
	case Provenance:
		g.Provenance = &config.ProvenanceGate{Signers: d.Signers, Source: d.Source, Branches: d.Branches, Builders: d.Builders, MaxAge: period(d.MaxAge)}
	case SignOff:
		g.SignOff = &config.SignOffGate{Signers: d.Signers, Quorum: d.Quorum, When: config.When(d.When), NotPromoter: d.NotPromoter, MaxAge: period(d.MaxAge)}
		if d.Bigger != nil {
			g.SignOff.Bigger = config.Bigger{Rules: d.Bigger.Rules, Size: d.Bigger.Size, Layers: d.Bigger.Layers}
		}
	case Soak:
		g.Soak = &config.Soak{Min: period(d.Min), Channel: d.Channel, Signers: d.Signers}
	default:
		return errors.New("there is no such gate in this version")
	}
	return nil
}

func (d ruleDocument) scan(g *config.Gates) error {
	worst, err := report.Severity(d.MaxSeverity)
	if err != nil {
		return err
	}
	g.Scan = &config.ScanGate{Signers: d.Signers, Sources: d.Sources, VEX: d.VEX, MaxSeverity: worst, MaxAge: period(d.MaxAge)}
	for _, a := range d.Allow {
		until, err := moments(a.Until)
		if err != nil {
			return err
		}
		g.Scan.Allow = append(g.Scan.Allow, config.Allow{ID: a.ID, Until: until, Reason: a.Reason})
	}
	return nil
}

// windows reads the freezes.
func windows(g *config.Gates, raw []byte) error {
	var list []struct {
		From   string `json:"from"`
		To     string `json:"to"`
		Cron   string `json:"cron"`
		For    int64  `json:"for"`
		Zone   string `json:"zone"`
		Reason string `json:"reason"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err //nolint:wrapcheck // as above
	}
	for _, w := range list {
		f := config.Freeze{Cron: w.Cron, For: period(w.For), Reason: w.Reason}
		var err error
		if f.From, err = moments(w.From); err != nil {
			return err
		}
		if f.To, err = moments(w.To); err != nil {
			return err
		}
		if f.Zone, err = time.LoadLocation(w.Zone); err != nil {
			return err //nolint:wrapcheck // it names the zone
		}
		g.Freeze = append(g.Freeze, f)
	}
	return nil
}
