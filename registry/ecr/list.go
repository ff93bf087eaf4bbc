package ecr

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/registry"
)

// page is how many images are asked for at once: the most that ECR gives.
const page = 1000

// List reads the images of a repository. ECR gives them in no order, so all
// are read before the first, the newest, is yielded.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
func (p *provider) List(ctx context.Context, repo registry.Repository, yield func([]registry.Item) bool) error {
	api, err := p.api(ctx)
	if err != nil {
		return err
	}
	rules, err := p.rules(ctx, repo)
	if err != nil {
		return err
	}
	var items []registry.Item
	question := &ecr.DescribeImagesInput{RegistryId: p.at.registry(), RepositoryName: aws.String(repo.Path), MaxResults: aws.Int32(page)}
	for pages := 0; pages == 0 || aws.ToString(question.NextToken) != ""; pages++ {
		if pages == registry.MaxTagPages {
			return fmt.Errorf("the list of %s has more than the %d pages that are accepted: %w", repo, registry.MaxTagPages, registry.ErrLimit)
		}
		out, err := describeImages(ctx, api, question)
		if err != nil {
			return unsupported(p.session(*p.identity()).trouble(ctx, err, "list "+repo.String()), "list images")
		}
		for _, d := range out.ImageDetails {
			if item, ok := itemOf(d, rules); ok {
				items = append(items, item)
			}
		}
		question.NextToken = out.NextToken
	}
	slices.SortStableFunc(items, func(a, b registry.Item) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.Digest, b.Digest))
	})
	yield(items)
	return nil
}

func describeImages(ctx context.Context, api *ecr.Client, question *ecr.DescribeImagesInput) (*ecr.DescribeImagesOutput, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	return api.DescribeImages(ctx, question) //nolint:wrapcheck // the caller says what was asked
}

// rules is the tag mutability of a repository, none for who may not look.
func (p *provider) rules(ctx context.Context, repo registry.Repository) (mutability, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	r, err := p.describe(ctx, repo)
	if isUnsupported(err) {
		return mutability{}, nil
	}
	return mutabilityOf(r), err
}

// itemOf reads one image; false for one without a digest, about which nothing could be asked.
func itemOf(d types.ImageDetail, rules mutability) (registry.Item, bool) {
	item := registry.Item{
		Digest: digest.Digest(aws.ToString(d.ImageDigest)), MediaType: clean.Text(aws.ToString(d.ImageManifestMediaType)),
		Size: max(0, aws.ToInt64(d.ImageSizeInBytes)), Subject: digest.Digest(aws.ToString(d.SubjectManifestDigest)),
		Created: aws.ToTime(d.ImagePushedAt).UTC(),
	}
	if d.ImagePushedAt == nil {
		item.Created = time.Time{}
	}
	if item.Digest.Validate() != nil {
		return item, false
	}
	if item.Subject.Validate() != nil {
		item.Subject = ""
	}
	// One field for two things: the artifact type, and for an image the type of its configuration.
	switch kind := clean.Text(aws.ToString(d.ArtifactMediaType)); {
	case item.Subject != "":
		item.ArtifactType = kind
	default:
		item.ConfigType = kind
	}
	if d.ImageScanStatus != nil {
		item.Scan = clean.Text(string(d.ImageScanStatus.Status))
	}
	fixed := len(d.ImageTags) > 0
	for _, tag := range d.ImageTags {
		item.Tags = append(item.Tags, clean.Text(tag))
		fixed = fixed && rules.immutable(tag)
	}
	item.Lock.Write = fixed
	return item, true
}
