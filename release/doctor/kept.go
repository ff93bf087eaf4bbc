package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"plimsoll/registry"
	"plimsoll/release/ledger"
	"plimsoll/release/operation"
)

// recent is how many of the newest digests of the ledger must still be in prod.
const recent = 20

func isNotFound(err error) bool { return errors.Is(err, registry.ErrNotFound) }

// plural is a number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// short is a digest as people read it.
func short(d digest.Digest) string {
	hex := d.Encoded()
	return hex[:min(12, len(hex))]
}

func shorts(list []digest.Digest) string {
	words := make([]string, 0, len(list))
	for _, d := range list {
		words = append(words, short(d))
	}
	return strings.Join(words, ", ")
}

// retention asks how long prod keeps what no tag names.
func (e *examination) retention(ctx context.Context) []Fact {
	ctx, done := e.within(ctx)
	defer done()
	q := question{"retention", e.Prod.String()}
	want := max(e.Service.Window, leastKept)
	check := fmt.Sprintf("look at the clean-up rules of %s: what was in prod has to stay for %s", e.Prod, span(want))
	r, offered, err := e.Reader.Retention(ctx, e.Prod)
	switch {
	case err != nil:
		return []Fact{q.untold(err, "how long prod keeps images could not be told").todo("%s", check)}
	case !offered:
		return []Fact{q.unknown("this registry does not tell how long it keeps images").todo("%s", check)}
	case !r.Known:
		return []Fact{q.unknown("how long prod keeps images is not known").because("%s", r.Detail).todo("%s", check)}
	}
	return []Fact{e.keeps(q, r, want)}
}

// keeps compares what a registry does by itself with what a rollback needs.
func (e *examination) keeps(q question, r registry.Retention, want time.Duration) Fact {
	detail := r.Detail
	if r.SoftDelete > 0 {
		detail = strings.TrimPrefix(detail+"; what was deleted can be restored for "+span(r.SoftDelete), "; ")
	}
	longer := fmt.Sprintf("set the retention of %s to %s or more: a rollback needs the old images", e.Prod, span(want))
	switch came := e.since(want); {
	case r.Released > 0 && r.Released < want:
		return q.broken("prod deletes what a release tag names after %s, not after %s", span(r.Released), span(want)).because("%s", detail).todo("%s", longer)
	case r.ReleasedKept > 0 && came >= r.ReleasedKept:
		return q.broken("prod keeps the newest %d of what release tags name, and %d came within %s", r.ReleasedKept, came, span(want)).because("%s", detail).todo("%s", longer)
	case r.Untagged > 0 && r.Untagged < want:
		return q.broken("prod keeps what no tag names for %s, not for %s", span(r.Untagged), span(want)).because("%s", detail).todo("%s", longer)
	case r.ReleasedKept > 0:
		return q.warning("prod keeps the newest %d of what release tags name, however old; %d came within %s", r.ReleasedKept, came, span(want)).because("%s", detail).
			todo("count days in place of images, %s or more", span(want))
	case r.UntaggedKept > 0:
		return q.warning("prod keeps the newest %d of what no tag names, however old", r.UntaggedKept).because("%s", detail).
			todo("count days in place of images, %s or more", span(want))
	case r.Released > 0:
		return q.ok("prod keeps what a release tag names for %s, at least %s are wanted", span(r.Released), span(want)).because("%s", detail)
	case r.Untagged > 0:
		return q.ok("prod keeps what no tag names for %s, at least %s are wanted", span(r.Untagged), span(want)).because("%s", detail)
	}
	return q.ok("prod deletes nothing by itself").because("%s", detail)
}

// since is how many digests came into prod within a time, by verified records.
func (e *examination) since(d time.Duration) int {
	came := map[digest.Digest]bool{}
	for _, r := range e.chain.Records {
		if r.Verified && r.State() != ledger.Abandoned && e.Now.Sub(r.At()) < d {
			came[r.Predicate.To.Digest] = true
		}
	}
	return len(came)
}

// newest are the digests that came into prod last, by verified records.
func (e *examination) newest() []digest.Digest {
	var out []digest.Digest
	for _, r := range slices.Backward(e.chain.Records) {
		d := r.Predicate.To.Digest
		if r.Verified && r.State() != ledger.Abandoned && d.Validate() == nil && !slices.Contains(out, d) && len(out) < recent {
			out = append(out, d)
		}
	}
	return out
}

// shelf is what prod has of a digest.
type shelf struct {
	digest    digest.Digest
	gone      bool          // the digest is not there
	untagged  bool          // the release tag is not there
	elsewhere digest.Digest // what the release tag points at instead
	unread    error
}

// promoted looks whether what was promoted lately can still be rolled back to.
func (e *examination) promoted(ctx context.Context) []Fact {
	there, named := question{"promoted-kept", e.Prod.String()}, question{"promoted-tagged", e.Prod.String()}
	digests := e.newest()
	if len(digests) == 0 {
		if e.chainErr != nil {
			return []Fact{there.untold(e.chainErr, "the ledger could not be read, so it is not known what has to be in prod")}
		}
		return []Fact{there.ok("nothing was promoted yet")}
	}
	ctx, done := e.within(ctx)
	defer done()
	shelves := each(digests, func(d digest.Digest) shelf { return e.onShelf(ctx, d) })
	return []Fact{there.kept(shelves), named.tagged(shelves)}
}

// onShelf asks for the release tag; only where it does not lead to the digest,
// for the digest itself.
func (e *examination) onShelf(ctx context.Context, d digest.Digest) shelf {
	s := shelf{digest: d}
	tagged, err := e.Reader.Head(ctx, e.Prod, operation.ReleaseTag(d))
	switch {
	case err == nil && tagged.Digest == d:
		return s
	case err == nil:
		s.elsewhere = tagged.Digest
	case isNotFound(err):
		s.untagged = true
	default:
		s.unread = err
		return s
	}
	_, err = e.Reader.Head(ctx, e.Prod, d.String())
	s.gone = isNotFound(err)
	if err != nil && !s.gone {
		s.unread = err
	}
	return s
}

// kept tells of the digests.
func (q question) kept(shelves []shelf) Fact {
	gone := pick(shelves, func(s shelf) bool { return s.gone })
	if len(gone) > 0 {
		return q.broken("%s of the last %d digests that were in prod: gone: %s", fmt.Sprint(len(gone)), len(shelves), shorts(gone)).
			because("nothing can be rolled back to them").
			todo("find out which clean-up rule took them; where the registry has a bin, restore them from it")
	}
	if err := firstUnread(shelves); err != nil {
		return q.untold(err, "whether all of the last %d digests are still in prod could not be told", len(shelves))
	}
	if len(shelves) == 1 {
		return q.ok("the one digest that was in prod is there")
	}
	return q.ok("the last %d digests that were in prod are there", len(shelves))
}

// tagged tells of the release tags.
func (q question) tagged(shelves []shelf) Fact {
	moved := pick(shelves, func(s shelf) bool { return s.elsewhere != "" })
	missing := pick(shelves, func(s shelf) bool { return s.untagged && !s.gone })
	switch {
	case len(moved) > 0:
		return q.broken("the release tags of %s point at something else", shorts(moved)).
			todo("somebody moved them past Plimsoll: find out who may write prod, then put them back")
	case len(missing) > 0:
		return q.warning("%s of the last %d digests have no release tag: %s", fmt.Sprint(len(missing)), len(shelves), shorts(missing)).
			because("a clean-up of what no tag names would take them").
			todo("put the tag %s on the first one again, and likewise on the others", operation.ReleaseTag(missing[0]))
	}
	if err := firstUnread(shelves); err != nil {
		return q.untold(err, "whether all of them have their release tag could not be told")
	}
	return q.ok("every digest that is there has its release tag")
}

func pick(shelves []shelf, is func(shelf) bool) []digest.Digest {
	var out []digest.Digest
	for _, s := range shelves {
		if is(s) {
			out = append(out, s.digest)
		}
	}
	return out
}

func firstUnread(shelves []shelf) error {
	for _, s := range shelves {
		if s.unread != nil {
			return s.unread
		}
	}
	return nil
}

// locked looks whether what was promoted can be deleted, in registries that have locks.
func (e *examination) locked(ctx context.Context) []Fact {
	digests := e.newest()
	if !e.Reader.Locks(e.Prod.Host) || len(digests) == 0 {
		return nil
	}
	ctx, done := e.within(ctx)
	defer done()
	q := question{"promoted-locked", e.Prod.String()}
	items, offered, err := e.Reader.Inventory(ctx, e.Prod)
	switch {
	case err != nil:
		return []Fact{q.untold(err, "whether what was promoted is locked could not be told")}
	case !offered:
		return []Fact{q.unknown("the everyday identity may not see locks").todo("let it read the metadata of %s", e.Prod)}
	}
	open := slices.DeleteFunc(digests, func(d digest.Digest) bool {
		i := slices.IndexFunc(items, func(it registry.Item) bool { return it.Digest == d })
		return i < 0 || items[i].Lock.Delete // one that is gone is told of elsewhere
	})
	if len(open) > 0 {
		return []Fact{q.warning("not locked against deletion: %s", shorts(open)).
			todo("let the promotion identity lock (on Azure: metadata write); the next promotion of a digest locks it")}
	}
	return []Fact{q.ok("what was promoted is locked against deletion")}
}
