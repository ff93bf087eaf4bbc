package acr

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/containerregistry/armcontainerregistry"

	"plimsoll/config/clean"
	"plimsoll/registry"
)

const (
	// importLimit ends the wait for an import that Azure never calls done.
	importLimit = time.Hour
	// The pause between two questions, whatever Retry-After says.
	shortestPause, longestPause = time.Second, 10 * time.Second
)

type importPoller = runtime.Poller[armcontainerregistry.RegistriesClientImportImageResponse]

// Import lets Azure copy one manifest with all below it. Referrers do not come
// with it: the caller imports each. It has no progress in bytes. An order that Azure does
// not know any more is placed again: what arrived is not copied twice.
// https://learn.microsoft.com/azure/container-registry/container-registry-import-images
func (p *provider) Import(ctx context.Context, r registry.ImportRequest) error {
	if err := p.mayImport(r); err != nil {
		return err
	}
	client, err := p.registries()
	if err != nil {
		return err
	}
	err = p.carryOut(ctx, client, r)
	if r.Resume != "" && statusOf(err) == http.StatusNotFound {
		r.Resume = "" // Azure does not know that order any more
		err = p.carryOut(ctx, client, r)
	}
	return err
}

func (p *provider) carryOut(ctx context.Context, client *armcontainerregistry.RegistriesClient, r registry.ImportRequest) error {
	poller, err := p.order(ctx, client, r)
	if err != nil {
		return err
	}
	return p.await(ctx, poller, r)
}

// mayImport tells why this cannot be imported, nil if it can be tried.
func (p *provider) mayImport(r registry.ImportRequest) error {
	if err := p.mayAsk(); err != nil {
		return err
	}
	if suffixOf(r.Source.Host) == "" || suffixOf(r.Source.Host) != suffixOf(r.Target.Host) {
		return fmt.Errorf("%s is no Azure registry of the same cloud: %w", r.Source.Host, registry.ErrUnsupported)
	}
	return nil
}

// order places the import, or takes up one that was placed before.
func (p *provider) order(ctx context.Context, client *armcontainerregistry.RegistriesClient, r registry.ImportRequest) (*importPoller, error) {
	entry := p.entry.Import
	if r.Resume != "" {
		poller, err := client.BeginImportImage(ctx, entry.ResourceGroup, resource(p.host), armcontainerregistry.ImportImageParameters{},
			&armcontainerregistry.RegistriesClientBeginImportImageOptions{ResumeToken: r.Resume})
		if err == nil {
			return poller, nil
		}
	}
	poller, err := client.BeginImportImage(ctx, entry.ResourceGroup, resource(p.host), p.parameters(r), nil)
	if err != nil && r.Tag != "" && statusOf(err) == http.StatusConflict {
		r.Tag = "" // the tag is there, from an earlier start or by somebody else: the release step looks at it
		poller, err = client.BeginImportImage(ctx, entry.ResourceGroup, resource(p.host), p.parameters(r), nil)
	}
	if err != nil {
		return nil, p.declined(ctx, err)
	}
	if r.Journal == nil {
		return poller, nil
	}
	token, err := poller.ResumeToken()
	if err != nil {
		return poller, nil //nolint:nilerr // it ended already
	}
	return poller, r.Journal(token)
}

// parameters are the order: by digest, and never over a tag that is there.
func (p *provider) parameters(r registry.ImportRequest) armcontainerregistry.ImportImageParameters {
	from := p.entry.Import.Source
	if from.Subscription == "" {
		from.Subscription, from.ResourceGroup = p.entry.Import.Subscription, p.entry.Import.ResourceGroup
	}
	params := armcontainerregistry.ImportImageParameters{
		Mode: to.Ptr(armcontainerregistry.ImportModeNoForce),
		Source: &armcontainerregistry.ImportSource{
			ResourceID:  to.Ptr(resourceID(from.Subscription, from.ResourceGroup, r.Source.Host)),
			SourceImage: to.Ptr(r.Source.Path + "@" + r.Digest.String()),
		},
	}
	if r.Tag != "" {
		params.TargetTags = []*string{to.Ptr(r.Target.Path + ":" + r.Tag)}
	} else {
		params.UntaggedTargetRepositories = []*string{to.Ptr(r.Target.Path)}
	}
	return params
}

// await asks until the import is done, the image is there, or it took too long.
func (p *provider) await(ctx context.Context, poller *importPoller, r registry.ImportRequest) error {
	start := p.options.Now()
	for {
		resp, err := poller.Poll(ctx)
		if err != nil {
			return p.declined(ctx, err)
		}
		if poller.Done() {
			if _, err := poller.Result(ctx); err != nil {
				return p.declined(ctx, err)
			}
			return nil
		}
		took := p.options.Now().Sub(start)
		if r.Report != nil {
			r.Report(fmt.Sprintf("Azure copies %s by itself (%s)", short(r), took.Round(time.Second)))
		}
		if there, err := arrived(ctx, r); there || err != nil {
			return err
		}
		if took >= importLimit {
			return fmt.Errorf("the import of %s was not done after %v: %w", r.Source.At(r.Digest), importLimit, registry.ErrUnsupported)
		}
		if err := p.options.Sleep(ctx, pause(resp)); err != nil {
			return err
		}
	}
}

func arrived(ctx context.Context, r registry.ImportRequest) (bool, error) {
	if r.Arrived == nil {
		return false, nil
	}
	return r.Arrived(ctx)
}

// pause is how long Azure wants to be left alone, within bounds.
func pause(resp *http.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil {
		return shortestPause * 2
	}
	return min(max(time.Duration(min(seconds, 60))*time.Second, shortestPause), longestPause)
}

// declined says why Azure does not import, in a line; the bytes can take
// the other way, through this machine, whatever the reason was.
func (p *provider) declined(ctx context.Context, err error) error {
	err = p.refused(ctx, err)
	if ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("Azure did not import: %w: %w", registry.ErrUnsupported, err) //nolint:staticcheck // a name
}

func statusOf(err error) int {
	var answer *azcore.ResponseError
	if errors.As(err, &answer) {
		return answer.StatusCode
	}
	return 0
}

func short(r registry.ImportRequest) string {
	hex := r.Digest.Encoded()
	return hex[:min(12, len(hex))]
}

// said is an error of the SDK in one line, without secrets.
type said struct{ err error }

func brief(err error) error { return &said{err} }

func (s *said) Error() string {
	text := s.err.Error()
	var answer *azcore.ResponseError
	if errors.As(s.err, &answer) && answer.RawResponse != nil {
		if d := description(answer.RawResponse); d != "" {
			text = d
		}
	}
	return clean.Text(clean.Redact(strings.Join(strings.Fields(text), " ")))
}

func (s *said) Unwrap() error { return s.err }
