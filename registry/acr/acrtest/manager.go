package acrtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"plimsoll/config"
	"plimsoll/registry"
)

// importRun is an import that Resource Manager has taken.
type importRun struct {
	Importing
	from, to *Registry
	repo     string // of the source
	digest   string
	tags     []string // repo:tag
	untagged []string // repositories
	by       string   // object
	asked    int
}

// Imports are the images that were ordered so far, repository@digest.
func (c *Cloud) Imports() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]string, 0, len(c.imports))
	for _, run := range c.imports {
		list = append(list, run.repo+"@"+run.digest)
	}
	return list
}

// manager is Resource Manager.
// https://learn.microsoft.com/rest/api/container-registry/registries/import-image
// https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
func (c *Cloud) manager(w http.ResponseWriter, r *http.Request) {
	text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	t, ok := c.read(text)
	if !ok || !slices.Contains([]string{"https://management.azure.com", "https://management.core.windows.net/", "https://management.core.windows.net"}, t.Audience) {
		failed(w, http.StatusUnauthorized, "InvalidAuthenticationToken", "The access token is invalid.")
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) == 2 && parts[0] == "operations" {
		c.operation(w, t.Object, parts[1])
		return
	}
	if len(parts) == 6 && parts[4] == "roleDefinitions" {
		c.definition(w, t.Object, parts[5])
		return
	}
	site := c.named(parts)
	if site == nil || r.URL.Query().Get("api-version") == "" {
		failed(w, http.StatusNotFound, "ResourceNotFound", "The Resource was not found.")
		return
	}
	c.resource(w, r, t.Object, site, parts)
}

// resource answers what is asked of a registry's resource.
func (c *Cloud) resource(w http.ResponseWriter, r *http.Request, by string, site *Registry, parts []string) {
	switch {
	case r.Method == http.MethodGet && len(parts) == 8:
		if !c.may(by, site.Host, "read") {
			failed(w, http.StatusForbidden, "AuthorizationFailed", "The client '"+by+"' does not have authorization to perform action 'Microsoft.ContainerRegistry/registries/read'.")
			return
		}
		reply(w, http.StatusOK, map[string]any{"id": r.URL.Path, "name": parts[7], "properties": site.Properties})
	case r.Method == http.MethodGet && len(parts) == 11 && parts[9] == "Microsoft.Authorization":
		c.authorization(w, r, by, site, parts[10])
	case r.Method == http.MethodPost && len(parts) == 9 && parts[8] == "importImage":
		c.order(w, r, by, site)
	default:
		failed(w, http.StatusNotFound, "NotFound", "no such call")
	}
}

// named is the registry of a resource path.
func (c *Cloud) named(parts []string) *Registry {
	if len(parts) < 8 || parts[0] != "subscriptions" || parts[2] != "resourceGroups" || parts[6] != "registries" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sites[strings.ToLower(parts[7])+".azurecr.io"]
}

// order takes an import, or says why not.
func (c *Cloud) order(w http.ResponseWriter, r *http.Request, by string, to *Registry) {
	var body struct {
		Mode   string `json:"mode"`
		Source struct {
			ResourceID  string `json:"resourceId"`
			SourceImage string `json:"sourceImage"`
		} `json:"source"`
		TargetTags []string `json:"targetTags"`
		Untagged   []string `json:"untaggedTargetRepositories"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		failed(w, http.StatusBadRequest, "InvalidRequestContent", err.Error())
		return
	}
	c.mu.Lock()
	how := c.importing
	c.mu.Unlock()
	from := c.named(strings.Split(strings.Trim(body.Source.ResourceID, "/"), "/"))
	repo, dg, _ := strings.Cut(body.Source.SourceImage, "@")
	switch {
	case how.Refuse != "":
		failed(w, http.StatusConflict, how.Refuse, "refused")
	case !c.may(by, to.Host, "importImage"):
		failed(w, http.StatusForbidden, "AuthorizationFailed", "The client '"+by+"' does not have authorization to perform action 'Microsoft.ContainerRegistry/registries/importImage/action'.")
	case from == nil || !c.may(by, from.Host, "pull"):
		failed(w, http.StatusForbidden, "LinkedAuthorizationFailed", "The client does not have permission to perform action 'Microsoft.ContainerRegistry/registries/pull/read' on the linked scope.")
	case body.Mode == "NoForce" && to.hasTag(body.TargetTags):
		failed(w, http.StatusConflict, "Conflict", "Tag already exists in target registry.")
	default:
		c.mu.Lock()
		c.imports = append(c.imports, &importRun{Importing: how, from: from, to: to, repo: repo, digest: dg, tags: body.TargetTags, untagged: body.Untagged, by: by})
		n := len(c.imports)
		c.mu.Unlock()
		w.Header().Set("Location", fmt.Sprintf("https://%s/operations/%d?api-version=2023-07-01", Manager, n-1))
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusAccepted)
	}
}

func (s *Registry) hasTag(targets []string) bool {
	s.shelf.Lock()
	defer s.shelf.Unlock()
	return slices.ContainsFunc(targets, func(t string) bool {
		repo, tag, _ := strings.Cut(t, ":")
		return s.shelf.tags[repo][tag] != nil
	})
}

// operation answers a question about an import: 202 until it is done.
func (c *Cloud) operation(w http.ResponseWriter, by, id string) {
	n, err := strconv.Atoi(id)
	c.mu.Lock()
	if err != nil || n >= len(c.imports) || c.imports[n].by != by {
		c.mu.Unlock()
		failed(w, http.StatusNotFound, "NotFound", "no such operation")
		return
	}
	run := c.imports[n]
	run.asked++
	asked := run.asked
	c.mu.Unlock()
	switch {
	case asked <= run.Polls:
	case run.Fail != "":
		failed(w, http.StatusBadRequest, run.Fail, "the import failed")
		return
	case !run.Never:
		if err := run.copy(); err != nil {
			failed(w, http.StatusInternalServerError, "InternalError", err.Error())
			return
		}
		w.WriteHeader(http.StatusOK)
		return
	case run.Arrive:
		_ = run.copy() // it was there before
	}
	w.Header().Set("Location", fmt.Sprintf("https://%s/operations/%d?api-version=2023-07-01", Manager, n))
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusAccepted)
}

// copy does what the import is for, between the real registries.
func (run *importRun) copy() error {
	client := registry.New(registry.Options{Registries: func(string) config.Registry { return config.Registry{PlainHTTP: true} }})
	defer client.Close()
	targets := slices.Clone(run.tags)
	for _, repo := range run.untagged {
		targets = append(targets, repo+":")
	}
	for _, target := range targets {
		repo, tag, _ := strings.Cut(target, ":")
		if err := run.copyTo(client, repo, tag); err != nil {
			return err
		}
	}
	return nil
}

func (run *importRun) copyTo(client *registry.Client, repo, tag string) error {
	ctx := context.Background()
	source, target := run.from.Behind(run.repo), run.to.Behind(repo)
	dg := digest.Digest(run.digest)
	if _, err := registry.Copy(ctx, registry.CopyRequest{From: client, To: client, Source: source, Target: target, Root: dg}); err != nil {
		return err
	}
	m, err := client.Manifest(ctx, source, run.digest)
	if err != nil {
		return err
	}
	reference := run.digest
	if tag != "" {
		reference = tag
	}
	if err := client.PutManifest(ctx, target, reference, m); err != nil {
		return err
	}
	run.to.shelf.note(repo, reference, m.Descriptor.MediaType, m.Raw, run.to.cloud.time())
	return nil
}

func failed(w http.ResponseWriter, status int, code, message string) {
	reply(w, status, map[string]any{"error": map[string]string{"code": code, "message": message}})
}
