package ecrtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
)

// question is what the questions to ECR's interface have in common.
type question struct {
	Registry   string   `json:"registryId"`
	Repository string   `json:"repositoryName"`
	Names      []string `json:"repositoryNames"`
	Image      struct {
		Digest digest.Digest `json:"imageDigest"`
	} `json:"imageId"`
	Images []struct {
		Digest digest.Digest `json:"imageDigest"`
	} `json:"imageIds"`
	Most int    `json:"maxResults"`
	Next string `json:"nextToken"`
}

// api is ECR's own interface, JSON 1.1.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/
func (c *Cloud) api(w http.ResponseWriter, r *http.Request) (action, who string) {
	body, _ := io.ReadAll(r.Body)
	action = strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonEC2ContainerRegistry_V20150921.")
	s, code := c.signed(r, "ecr", body)
	if s == nil {
		exception(w, code, "refused")
		return action, ""
	}
	c.mu.Lock()
	busy := c.refusals > 0
	if busy {
		c.refusals--
	}
	c.mu.Unlock()
	var q question
	switch {
	case busy:
		exception(w, "ThrottlingException", "Rate exceeded")
	case json.Unmarshal(body, &q) != nil:
		exception(w, "SerializationException", "")
	case action == "GetAuthorizationToken":
		c.authorize(w, s)
	default:
		c.about(w, s, action, q)
	}
	return action, s.arn
}

// authorize is GetAuthorizationToken: everybody who can sign may ask.
func (c *Cloud) authorize(w http.ResponseWriter, s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	password := c.issue("ecr-password-")
	ends := c.now().Add(c.tokenLife)
	c.tokens[password] = &session{principal: s.principal, arn: s.arn, ends: ends}
	answer(w, map[string]any{"authorizationData": []any{map[string]any{
		"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:" + password)),
		"expiresAt":          float64(ends.UnixMilli()) / 1000,
		"proxyEndpoint":      "https://" + account(s.arn) + ".dkr.ecr." + Region + ".amazonaws.com",
	}}})
}

// about is a question about one repository.
func (c *Cloud) about(w http.ResponseWriter, s *session, action string, q question) {
	if q.Repository == "" && len(q.Names) == 1 {
		q.Repository = q.Names[0]
	}
	if q.Registry == "" {
		q.Registry = account(s.arn)
	}
	c.mu.Lock()
	site := c.sites[q.Registry+".dkr.ecr."+Region+".amazonaws.com"]
	c.mu.Unlock()
	if site == nil {
		exception(w, "InvalidParameterException", "no such registry")
		return
	}
	if !s.principal.may("ecr:"+action, site.ARN(q.Repository)) {
		exception(w, "AccessDeniedException", fmt.Sprintf("User: %s is not authorized to perform: ecr:%s on resource: %s", s.arn, action, site.ARN(q.Repository)))
		return
	}
	site.mu.Lock()
	defer site.mu.Unlock()
	repo := site.repos[q.Repository]
	if repo == nil {
		exception(w, "RepositoryNotFoundException", fmt.Sprintf("The repository with name '%s' does not exist in the registry with id '%s'", q.Repository, q.Registry))
		return
	}
	switch action {
	case "DescribeRepositories":
		repo.describe(w, site)
	case "DescribeImages":
		repo.list(w, q)
	case "GetLifecyclePolicy":
		if repo.Lifecycle == "" {
			exception(w, "LifecyclePolicyNotFoundException", "Lifecycle policy does not exist")
			return
		}
		answer(w, map[string]any{"registryId": q.Registry, "repositoryName": repo.Name, "lifecyclePolicyText": repo.Lifecycle})
	case "BatchGetImage":
		repo.get(w, q)
	case "DescribeImageScanFindings":
		repo.findings(w, q)
	default:
		exception(w, "UnknownOperationException", action)
	}
}

func (r *Repository) describe(w http.ResponseWriter, site *Registry) {
	filters := make([]any, 0, len(r.Excluded))
	for _, f := range r.Excluded {
		filters = append(filters, map[string]string{"filterType": "WILDCARD", "filter": f})
	}
	mutability := r.Mutability
	if mutability == "" {
		mutability = "MUTABLE"
	}
	answer(w, map[string]any{"repositories": []any{map[string]any{
		"repositoryName": r.Name, "registryId": site.Account, "repositoryArn": site.ARN(r.Name), "repositoryUri": site.Host + "/" + r.Name,
		"imageTagMutability": mutability, "imageTagMutabilityExclusionFilters": filters, "createdAt": 1.7e9,
	}}})
}

// list is DescribeImages, in no order.
func (r *Repository) list(w http.ResponseWriter, q question) {
	order := make([]digest.Digest, 0, len(r.images))
	for dg := range r.images {
		order = append(order, dg)
	}
	slices.Sort(order)
	from, _ := strconv.Atoi(q.Next)
	most := q.Most
	if most == 0 {
		most = 100
	}
	out := map[string]any{}
	if from+most < len(order) {
		out["nextToken"] = strconv.Itoa(from + most)
	}
	shown := order[min(from, len(order)):min(from+most, len(order))]
	details := make([]any, 0, len(shown))
	for _, dg := range shown {
		i := r.images[dg]
		d := map[string]any{
			"imageDigest": i.Digest, "imagePushedAt": float64(i.Pushed.UnixMilli()) / 1000, "imageSizeInBytes": i.Size,
			"imageManifestMediaType": i.Kind, "artifactMediaType": i.Config, "repositoryName": r.Name,
		}
		if i.Artifact != "" {
			d["artifactMediaType"] = i.Artifact
		}
		if len(i.Tags) > 0 {
			d["imageTags"] = i.Tags
		}
		if i.Subject != "" {
			d["subjectManifestDigest"] = i.Subject
		}
		if len(i.Scan) > 0 {
			d["imageScanStatus"] = i.Scan[0]["imageScanStatus"]
		}
		details = append(details, d)
	}
	out["imageDetails"] = details
	answer(w, out)
}

// get is BatchGetImage.
func (r *Repository) get(w http.ResponseWriter, q question) {
	images, failures := []any{}, []any{}
	for _, id := range q.Images {
		i := r.images[id.Digest]
		if i == nil {
			failures = append(failures, map[string]any{"imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"})
			continue
		}
		images = append(images, map[string]any{"imageId": map[string]any{"imageDigest": i.Digest}, "imageManifest": string(i.Raw), "imageManifestMediaType": i.Kind})
	}
	answer(w, map[string]any{"images": images, "failures": failures})
}

// findings is DescribeImageScanFindings.
func (r *Repository) findings(w http.ResponseWriter, q question) {
	i := r.images[q.Image.Digest]
	if i == nil {
		exception(w, "ImageNotFoundException", "The image does not exist")
		return
	}
	if i.Scan == nil {
		exception(w, "ScanNotFoundException", "Image scan does not exist")
		return
	}
	page, _ := strconv.Atoi(q.Next)
	out := map[string]any{"repositoryName": r.Name, "imageId": map[string]any{"imageDigest": i.Digest}}
	for k, v := range i.Scan[min(page, len(i.Scan)-1)] {
		out[k] = v
	}
	if page+1 < len(i.Scan) {
		out["nextToken"] = strconv.Itoa(page + 1)
	}
	answer(w, out)
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(body)
}

func exception(w http.ResponseWriter, kind, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": message})
}
