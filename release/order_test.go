package release

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestTagsAreOrderedTheWayPeopleReadThem(t *testing.T) {
	want := []string{"main-9", "main-10", "v1.2.0-rc.1", "v1.2.0-rc.2", "v1.2.0-rc.10", "v1.2.0", "v1.9.0", "v1.10.0", "v2"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, compareTags)
	if !slices.Equal(got, want) {
		t.Error(got)
	}
}

func TestTheOrderOfTagsIsAnOrder(t *testing.T) {
	tag := rapid.StringMatching(`[a-c0-2.-]{1,6}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := tag.Draw(t, "a"), tag.Draw(t, "b"), tag.Draw(t, "c")
		if sign(compareTags(a, b)) != -sign(compareTags(b, a)) {
			t.Fatalf("%q and %q", a, b)
		}
		if (compareTags(a, b) == 0) != (a == b) {
			t.Fatalf("%q and %q are not the same", a, b)
		}
		if compareTags(a, b) <= 0 && compareTags(b, c) <= 0 && compareTags(a, c) > 0 {
			t.Fatalf("%q, %q, %q", a, b, c)
		}
	})
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func TestOnlyWebAddressesBecomeLinks(t *testing.T) {
	for s, want := range map[string]string{
		"https://github.com/a/b":           "https://github.com/a/b",
		"https://user:secret@github.com/a": "https://github.com/a",
		"javascript:alert(1)":              "", "file:///etc/passwd": "", "git@github.com:a/b": "", "": "", "https://": "",
	} {
		if got := webAddress(s); got != want {
			t.Errorf("%q: %q", s, got)
		}
	}
}
