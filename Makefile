# Everything here needs Go and make alone; tools are pinned and land in .bin.
GO       ?= go
BIN      := $(CURDIR)/.bin
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
LDFLAGS  := -s -w -X plimsoll/cli.version=$(VERSION)
LINT     := golangci-lint/v2/cmd/golangci-lint@v2.15.0
VULN     := golang.org/x/vuln/cmd/govulncheck@v1.9.0
COSIGN   := v3.1.3
FUZZTIME ?= 10s

.PHONY: build demo test interop race lint fuzz bench generate generated tidy vuln cross clean

build: ## the program, ./plimsoll
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o plimsoll .

demo: build ## two registries in process, three services, the console over them
	./plimsoll demo

test: ## every test that a change must pass, under 5 minutes on 2 cores
	$(GO) test ./...

interop: $(BIN)/cosign-$(COSIGN) ## the real cosign against our gates and our statements
	$(GO) test -tags interop -count 1 -run Cosign ./cli

$(BIN)/cosign-$(COSIGN): # 7 minutes on 2 cores, once
	GOBIN=$(BIN) $(GO) install github.com/sigstore/cosign/v3/cmd/cosign@$(COSIGN)
	mv $(BIN)/cosign $@

race: ## the same under the race detector
	$(GO) test -race ./...

lint: $(BIN)/golangci-lint-v2.15.0
	$(BIN)/golangci-lint-v2.15.0 run ./...

$(BIN)/golangci-lint-v2.15.0:
	GOBIN=$(BIN) $(GO) install github.com/golangci/$(LINT)
	mv $(BIN)/golangci-lint $@

fuzz: ## every fuzz target for FUZZTIME each, two at a time with a processor each
	@set -e; list=$$(mktemp); trap 'rm -f '$$list EXIT; for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do echo "$$package $$target"; done; done > $$list; \
	xargs -n 2 -P 2 sh -c 'out=$$($(GO) test -run "^$$" -fuzz "^$$1$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x -parallel 1 $$0 2>&1) \
	  && echo "$$0 $$1: $$(echo "$$out" | grep "^fuzz: elapsed" | tail -n 1)" || { echo "FAIL $$0 $$1"; echo "$$out"; exit 1; }' < $$list

# Whole programs beside their peers take few long turns, starts many short ones, the rest what go test thinks right.
RACES  := ^Benchmark(Copy|Promote|Refresh|Tags)$$
STARTS := ^Benchmark(Start|FirstFrame)$$

bench: ## the figures of docs/benchmarks.md, with the peers beside ours; 15 minutes
	$(GO) test -run '^$$' -bench '$(STARTS)' -benchtime 20x ./cli
	$(GO) test -run '^$$' -bench '$(RACES)' -benchtime 3x -timeout 30m ./registry ./release ./cli
	$(GO) test -run '^$$' -bench . -skip '$(STARTS)|$(RACES)' -timeout 30m ./...

generate: ## what is generated: the schema of plimsoll.yaml, the table of keys, the pages of the commands
	$(GO) generate ./...

generated: generate ## fails if a generated file is not the committed one
	git diff --exit-code -- docs
	@test -z "$$(git status --porcelain -- docs)" || { git status --porcelain -- docs; exit 1; }

tidy:
	$(GO) mod tidy
	git diff --exit-code go.mod go.sum

vuln: ## known vulnerabilities, where the database can be reached
	GOBIN=$(BIN) $(GO) install $(VULN)
	$(BIN)/govulncheck ./...

cross: ## builds for every system we ship
	@set -e; for os in linux darwin windows; do for arch in amd64 arm64; do \
	  echo "$$os/$$arch"; CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -o /dev/null .; \
	done; done

clean:
	rm -rf plimsoll dist
