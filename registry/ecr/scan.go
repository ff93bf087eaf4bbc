package ecr

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"

	"plimsoll/config/clean"
	"plimsoll/config/fault"
	"plimsoll/registry"
)

// Scan reads the findings of basic or enhanced scanning, whichever the registry
// is set to, all pages.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html
func (p *provider) Scan(ctx context.Context, repo registry.Repository, dg digest.Digest) (registry.Scan, error) {
	id := p.identity()
	api, err := p.api(ctx)
	if isUnsupported(err) {
		return registry.Scan{}, fault.New(fault.Usage, "give "+p.host+" an aws identity under registries: read: {aws: {profile: …}}", err,
			"the findings of ECR can be read with an aws identity only")
	}
	if err != nil {
		return registry.Scan{}, err
	}
	var scan registry.Scan
	question := &ecr.DescribeImageScanFindingsInput{
		RegistryId: p.at.registry(), RepositoryName: aws.String(repo.Path),
		ImageId: &types.ImageIdentifier{ImageDigest: aws.String(dg.String())}, MaxResults: aws.Int32(page),
	}
	for first := true; first || aws.ToString(question.NextToken) != ""; first = false {
		out, err := describeFindings(ctx, api, question)
		if codeOf(err) == "ScanNotFoundException" && first {
			return registry.Scan{State: registry.NoScan}, nil
		}
		if err != nil {
			return registry.Scan{}, p.session(*id).trouble(ctx, err, "read the findings of ECR")
		}
		next, err := readScan(out)
		if err != nil || next.State != registry.Scanned {
			return next, err
		}
		if !first && !next.Finished.Equal(scan.Finished) {
			return registry.Scan{}, fault.New(fault.Failed, "run it again", nil, "ECR scanned the image anew while its findings were read")
		}
		scan.State, scan.Finished, scan.Findings = next.State, next.Finished, append(scan.Findings, next.Findings...)
		if len(scan.Findings) > registry.MaxFindings {
			return scan, nil // the client says that this is too many
		}
		question.NextToken = out.NextToken
	}
	return scan, nil
}

func describeFindings(ctx context.Context, api *ecr.Client, question *ecr.DescribeImageScanFindingsInput) (*ecr.DescribeImageScanFindingsOutput, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	return api.DescribeImageScanFindings(ctx, question) //nolint:wrapcheck // the caller says what was asked
}

// readScan reads one page. Without a status nothing is known, whatever findings there are.
func readScan(out *ecr.DescribeImageScanFindingsOutput) (registry.Scan, error) {
	var status types.ImageScanStatus
	if out.ImageScanStatus != nil {
		status = *out.ImageScanStatus
	}
	//exhaustive:ignore
	switch status.Status {
	case types.ScanStatusComplete, types.ScanStatusActive: // of basic and of enhanced scanning
	case types.ScanStatusInProgress, types.ScanStatusPending:
		return registry.Scan{State: registry.Scanning}, nil
	default:
		return registry.Scan{}, unscanned(status)
	}
	scan := registry.Scan{State: registry.Scanned}
	if f := out.ImageScanFindings; f != nil {
		scan.Finished = aws.ToTime(f.ImageScanCompletedAt).UTC()
		if f.ImageScanCompletedAt == nil {
			scan.Finished = time.Time{}
		}
		for _, v := range f.Findings {
			scan.Findings = append(scan.Findings, basic(v))
		}
		for _, v := range f.EnhancedFindings {
			scan.Findings = append(scan.Findings, enhanced(v)...)
		}
	}
	return scan, nil
}

// unscanned says why there are no findings, and what to do.
func unscanned(status types.ImageScanStatus) error {
	hint := "look at the image in the console of ECR"
	//exhaustive:ignore
	switch status.Status {
	case types.ScanStatusUnsupportedImage:
		hint = "ECR cannot look into this image (its system, or its size); have another scanner look at it and attest: plimsoll attest scan"
	case types.ScanStatusScanEligibilityExpired:
		hint = "the image is older than the scan duration of the registry's enhanced scanning; lengthen that in the settings of Amazon Inspector, or push the image again"
	case types.ScanStatusFailed:
		hint = "have it scanned again: aws ecr start-image-scan (basic scanning), or look at Amazon Inspector (enhanced)"
	case types.ScanStatusLimitExceeded:
		hint = "ECR scans no more today; wait, or raise its quota"
	case types.ScanStatusImageArchived:
		hint = "restore the image from the archive first"
	}
	word, why := clean.Text(string(status.Status)), clean.Text(aws.ToString(status.Description))
	if word == "" {
		word = "nothing"
	}
	if why != "" {
		why = ": " + why
	}
	return fault.New(fault.Failed, hint, registry.ErrUnscanned, "ECR says %s%s", word, why)
}

// basic is a finding of basic scanning, which knows no fixes.
func basic(v types.ImageScanFinding) registry.Finding {
	f := registry.Finding{ID: said(v.Name), Severity: clean.Text(string(v.Severity)), URL: said(v.Uri)}
	for _, a := range v.Attributes {
		switch aws.ToString(a.Key) {
		case "package_name":
			f.Package = said(a.Value)
		case "package_version":
			f.Version = said(a.Value)
		}
	}
	return f
}

// enhanced is a finding of Amazon Inspector, once for each package. One that is
// closed is gone; one that is suppressed is somebody's decision and not the policy's.
func enhanced(v types.EnhancedImageScanFinding) []registry.Finding {
	if aws.ToString(v.Status) == "CLOSED" {
		return nil
	}
	f := registry.Finding{Severity: said(v.Severity), Title: said(v.Title)}
	var packages []types.VulnerablePackage
	if d := v.PackageVulnerabilityDetails; d != nil {
		f.ID, f.URL, packages = said(d.VulnerabilityId), said(d.SourceUrl), d.VulnerablePackages
		for _, other := range d.RelatedVulnerabilities {
			f.Aliases = append(f.Aliases, clean.Text(other))
		}
	}
	if f.ID == "" {
		f.ID = f.Title // of code, which has no number
	}
	if len(packages) == 0 {
		return []registry.Finding{f}
	}
	out := make([]registry.Finding, 0, len(packages))
	for _, p := range packages {
		f.Package, f.Version, f.Fixed = said(p.Name), versionOf(p), said(p.FixedInVersion)
		if strings.EqualFold(f.Fixed, "NotAvailable") {
			f.Fixed = ""
		}
		out = append(out, f)
	}
	return out
}

// versionOf is a version as package managers write it: epoch:version-release.
func versionOf(p types.VulnerablePackage) string {
	v := said(p.Version)
	if e := aws.ToInt32(p.Epoch); e != 0 {
		v = fmt.Sprintf("%d:%s", e, v)
	}
	if r := said(p.Release); r != "" {
		v += "-" + r
	}
	return v
}

func said(s *string) string { return clean.Text(clean.Redact(aws.ToString(s))) }
