package ledger

import (
	"context"
	"strings"
	"testing"

	"plimsoll/config"
	"plimsoll/gates/evidence"
)

// A key of a key service that could not be asked for must not let anything out of quarantine.
func TestAQuarantineStandsWhileItsSignersKeyIsNotKnown(t *testing.T) {
	w := newWorld(t)
	l := w.laptop()
	platform := image("platform of bad")
	l.promote("good", "", 1)
	l.promote("worse", "good", 2)
	l.quarantine("bad", 3, "", platform)
	p := w.rollback("good", "worse", 4)
	p.Quarantines = []evidence.Pointer{{Digest: image("worse")}}
	l.append(p)

	unknown := config.Key{Path: "awskms:///alias/owner", Problem: "the network is down"}
	w.groups = []config.Group{
		{Name: "release-owners", People: []config.Person{{ID: "owner@example.com", Key: unknown}}},
		{Name: "others", Keys: []config.Key{{Public: w.stranger.Public()}}},
	}
	c, err := l.Read(context.Background(), w.groups, w.prod, "live")
	must(t, err)
	for _, d := range []string{"bad", "platform of bad", "worse"} {
		if why := c.QuarantinedBy(image(d)); !strings.Contains(why, "the network is down") {
			t.Errorf("%s: %q", d, why)
		}
	}
	if why := c.QuarantinedBy(image("good")); why != "" {
		t.Errorf("what nobody quarantined: %q", why)
	}
	w.groups[0].People[0].Key = config.Key{Public: w.stranger.Public()}
	c, err = l.Read(context.Background(), w.groups, w.prod, "live")
	must(t, err)
	if why := c.QuarantinedBy(image("bad"), image("worse")); why != "" {
		t.Errorf("a stranger quarantined it: %q", why)
	}
}
