package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"plimsoll/config/fault"
)

// listOf is an index of n referrers, numbered from first.
func listOf(t testing.TB, first, n int) []byte {
	t.Helper()
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	for i := range n {
		index.Manifests = append(index.Manifests, ocispec.Descriptor{
			MediaType: ocispec.MediaTypeImageManifest, Size: 7, Digest: digest.FromString(fmt.Sprint(first + i)),
		})
	}
	raw, err := json.Marshal(index)
	must(t, err)
	return raw
}

// noFallback answers the fallback tag with not found.
func noFallback(w http.ResponseWriter, r *http.Request) bool {
	if strings.Contains(r.URL.Path, "/referrers/") {
		return false
	}
	w.WriteHeader(http.StatusNotFound)
	return true
}

func TestReferrersComeFromAllPagesWithoutDuplicates(t *testing.T) {
	repo := answers(t, func(w http.ResponseWriter, r *http.Request) {
		if noFallback(w, r) {
			return
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json; charset=utf-8")
		switch r.URL.Query().Get("page") {
		case "":
			w.Header().Set("Link", `<?page=2>; rel="next"`)
			_, _ = w.Write(listOf(t, 0, 3))
		case "2":
			w.Header().Set("Link", `</v2/team/app/referrers/x?page=3>; foo="a,b"; rel=next`)
			_, _ = w.Write(listOf(t, 2, 2))
		default:
			_, _ = w.Write(listOf(t, 0, 5))
		}
	})
	c, _ := anonymous(t)
	r, err := c.Referrers(t.Context(), repo, digest.FromString("subject"), nil)
	must(t, err)
	if len(r.Descriptors) != 5 || !r.API {
		t.Errorf("%d referrers, want 5: %+v", len(r.Descriptors), r)
	}
}

func TestAListingErrorIsNeverAnEmptyList(t *testing.T) {
	page2 := func(w http.ResponseWriter, status int) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"errors":[{"code":"NAME_UNKNOWN"}]}`)
	}
	for name, h := range map[string]http.HandlerFunc{
		"forbidden": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"broken":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"teapot":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
		"no JSON":   func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{") },
		"an image":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"config":{},"layers":[]}`) },
		"other type": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"mediaType":"x/y","manifests":[]}`)
		},
		"no digest": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"manifests":[{"digest":"latest"}]}`)
		},
		"second page": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("page") {
				page2(w, http.StatusNotFound)
				return
			}
			w.Header().Set("Link", `<?page=2>; rel="next"`)
			_, _ = w.Write(listOf(t, 0, 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := anonymous(t)
			c.policy.attempts = 2
			repo := answers(t, h)
			if r, err := c.Referrers(t.Context(), repo, digest.FromString("subject"), []string{}); err == nil {
				t.Errorf("no error, but %+v", r)
			}
			if has, err := c.HasReferrersAPI(t.Context(), repo); err == nil && name != "second page" {
				t.Errorf("no error, but %v", has)
			}
		})
	}
}

func TestAFallbackTagThatCannotBeReadIsAnError(t *testing.T) {
	c, _ := anonymous(t)
	repo := Repository{Host: startPlain(t), Path: "team/app"}
	m := pushImage(t, c, repo, "v1", "a")
	other := pushImage(t, c, repo, Fallback(m.Descriptor.Digest), "b")
	if r, err := c.Referrers(t.Context(), repo, m.Descriptor.Digest, nil); err == nil {
		t.Errorf("an image (%s) was read as a list: %+v", other.Descriptor.Digest, r)
	}
}

func TestRegistriesWithoutTheAPIAreAskedOnce(t *testing.T) {
	web := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }))
	for name, answer := range map[string]http.HandlerFunc{
		"404": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "404 page not found", http.StatusNotFound) },
		"405": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) },
		"ghcr": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+web+"/", http.StatusSeeOther)
		},
		"a website": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, "<html>")
		},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			without := before(func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/referrers/") {
					return false
				}
				asked.Add(1)
				answer(w, r)
				return true
			})
			c, _ := anonymous(t)
			repo := Repository{Host: startPlain(t, without), Path: "team/app"}
			m := pushImage(t, c, repo, "v1", "a")
			must(t, c.PutBlob(t.Context(), repo, ocispec.DescriptorEmptyJSON.Data))
			must(t, c.Attach(t.Context(), repo, statement(t, m.Descriptor, "one")))
			tags, err := c.Tags(t.Context(), repo)
			must(t, err)
			r, err := c.Referrers(t.Context(), repo, m.Descriptor.Digest, tags)
			must(t, err)
			has, err := c.HasReferrersAPI(t.Context(), repo)
			must(t, err)
			if len(r.Descriptors) != 1 || r.API || has || asked.Load() != 1 {
				t.Errorf("%+v, API %v, asked %d times", r, has, asked.Load())
			}
		})
	}
}

func TestTheFallbackTagIsLookedForInTheTagList(t *testing.T) {
	c, tr := anonymous(t)
	repo := Repository{Host: start(t), Path: "team/app"}
	m := pushImage(t, c, repo, "v1", "a")
	tr.take()
	_, err := c.Referrers(t.Context(), repo, m.Descriptor.Digest, []string{"v1"})
	must(t, err)
	if n := len(tr.take()); n != 1 {
		t.Errorf("%d requests, want the API alone", n)
	}
	_, err = c.Referrers(t.Context(), repo, m.Descriptor.Digest, nil)
	must(t, err)
	if n := len(tr.take()); n != 2 {
		t.Errorf("%d requests, want the API and the tag", n)
	}
}

func TestAPIAndFallbackTagAreReadTogether(t *testing.T) {
	// A registry that got the API after evidence was written under the tag.
	c, _ := anonymous(t)
	repo := Repository{Host: start(t), Path: "team/app"}
	m := pushImage(t, c, repo, "v1", "a")
	must(t, c.PutBlob(t.Context(), repo, ocispec.DescriptorEmptyJSON.Data))
	one, two := statement(t, m.Descriptor, "one"), pushImage(t, c, repo, "two", "two")
	must(t, c.Attach(t.Context(), repo, one))
	must(t, c.listUnderTag(t.Context(), repo, m.Descriptor.Digest, one.Descriptor))
	must(t, c.listUnderTag(t.Context(), repo, m.Descriptor.Digest, two.Descriptor))
	r, err := c.Referrers(t.Context(), repo, m.Descriptor.Digest, []string{Fallback(m.Descriptor.Digest)})
	must(t, err)
	if len(r.Descriptors) != 2 || !has(r.Descriptors, one.Descriptor.Digest) || !has(r.Descriptors, two.Descriptor.Digest) {
		t.Errorf("%+v", r)
	}
}

func TestTheSubjectUnderTheFallbackTagIsNoList(t *testing.T) {
	// GitLab's registry reads sha256-… as the digest itself.
	gitlab := before(func(_ http.ResponseWriter, r *http.Request) bool {
		r.URL.Path = strings.ReplaceAll(r.URL.Path, "sha256-", "sha256:")
		return false
	})
	c, _ := anonymous(t)
	repo := Repository{Host: startPlain(t, gitlab), Path: "team/app"}
	child := pushImage(t, c, repo, "v1", "a")
	index := manifest(t, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{child.Descriptor},
	})
	must(t, c.PutManifest(t.Context(), repo, "v2", index))
	r, err := c.Referrers(t.Context(), repo, index.Descriptor.Digest, nil)
	must(t, err)
	if len(r.Descriptors) != 0 {
		t.Errorf("the platforms of the image pass for its referrers: %+v", r)
	}
}

func TestMoreReferrersThanAreReadAreALimit(t *testing.T) {
	repo := answers(t, func(w http.ResponseWriter, r *http.Request) {
		if !noFallback(w, r) {
			_, _ = w.Write(listOf(t, 0, MaxPerDigest+1))
		}
	})
	c, _ := anonymous(t)
	if _, err := c.Referrers(t.Context(), repo, digest.FromString("s"), nil); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "1000") {
		t.Errorf("%v", err)
	}
}

func TestTextOfReferrersIsCleaned(t *testing.T) {
	repo := answers(t, func(w http.ResponseWriter, r *http.Request) {
		if !noFallback(w, r) {
			_, _ = io.WriteString(w, `{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"digest":"`+digest.FromString("x").String()+
				`","size":1,"artifactType":"a\u001b[2J","annotations":{"k\u202e":"v\u0007"},"urls":["http://x"],"data":"e30="}]}`)
		}
	})
	c, _ := anonymous(t)
	r, err := c.Referrers(t.Context(), repo, digest.FromString("s"), nil)
	must(t, err)
	d := r.Descriptors[0]
	if d.ArtifactType != "a[2J" || d.Annotations["k"] != "v" || d.URLs != nil || d.Data != nil {
		t.Errorf("%+v", d)
	}
}

func TestEightWhoAttachAtOnceAreAllListed(t *testing.T) {
	host := startPlain(t)
	c, _ := anonymous(t)
	repo := Repository{Host: host, Path: "team/app"}
	m := pushImage(t, c, repo, "v1", "a")
	must(t, c.PutBlob(t.Context(), repo, ocispec.DescriptorEmptyJSON.Data))
	var group sync.WaitGroup
	for i := range 8 {
		other, _ := anonymous(t) // another machine
		group.Go(func() {
			if err := other.Attach(t.Context(), repo, statement(t, m.Descriptor, fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	r, err := c.Referrers(t.Context(), repo, m.Descriptor.Digest, nil)
	must(t, err)
	if len(r.Descriptors) != 8 {
		t.Errorf("%d of 8 are listed", len(r.Descriptors))
	}
}

func TestAListThatIsOverwrittenAgainAndAgainIsAnError(t *testing.T) {
	empty := listOf(t, 0, 0)
	vandal := before(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/sha256-") {
			return false
		}
		if r.Method == http.MethodPut {
			w.WriteHeader(http.StatusCreated)
			return true
		}
		w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
		_, _ = w.Write(empty)
		return true
	})
	c, _ := anonymous(t)
	c.pace = attachPace{settle: 1, attempts: 3}
	repo := Repository{Host: startPlain(t, vandal), Path: "team/app"}
	m := pushImage(t, c, repo, "v1", "a")
	must(t, c.PutBlob(t.Context(), repo, ocispec.DescriptorEmptyJSON.Data))
	err := c.Attach(t.Context(), repo, statement(t, m.Descriptor, "one"))
	if err == nil || !strings.Contains(err.Error(), Fallback(m.Descriptor.Digest)) || fault.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}

func TestAttachRefusesAManifestWithoutSubject(t *testing.T) {
	c, _ := anonymous(t)
	m, _ := image(t, "a")
	if err := c.Attach(t.Context(), Repository{Host: "127.0.0.1:1", Path: "x"}, m); err == nil || !strings.Contains(err.Error(), "subject") {
		t.Errorf("%v", err)
	}
}

func TestTheFallbackTagFollowsTheSpecification(t *testing.T) {
	for dg, want := range map[digest.Digest]string{
		"sha256:aaaa": "sha256-aaaa",
		digest.Digest("sha512:" + strings.Repeat("b", 128)): "sha512-" + strings.Repeat("b", 64),
	} {
		if got := Fallback(dg); got != want {
			t.Errorf("%s: %s, want %s", dg, got, want)
		}
	}
}
