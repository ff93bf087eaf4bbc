package store_test

import (
	"testing"

	"plimsoll/store"
)

func TestPinsStayAndAreNoAcceptedFiles(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if found, err := s.Pinned("policy of chat", &got); found || err != nil {
		t.Fatalf("%v %v", found, err)
	}
	for _, v := range []string{"one", "two"} {
		if err := s.Pin("policy of chat", map[string]string{"is": v}); err != nil {
			t.Fatal(err)
		}
	}
	again, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := again.Pinned("policy of chat", &got); !found || err != nil || got["is"] != "two" {
		t.Fatalf("%v %v %v", found, err, got)
	}
	var number int
	if _, err := again.Pinned("policy of chat", &number); err == nil {
		t.Error("what does not fit counts as never seen")
	}
	if again.Accepted("policy of chat", "") || again.AcceptedContent("policy of chat") != nil {
		t.Error("a pin is an accepted file")
	}
}
