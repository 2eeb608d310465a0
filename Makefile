# Two commands are enough to begin: `make run` and `make test`. `make` alone lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

LINT_VERSION := v2.15.0
LINT := bin/golangci-lint-$(LINT_VERSION)

ARGS ?=
PROOF ?= all
N ?=
FUZZTIME ?= 10s

.PHONY: help
help: ## list what make can do
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

.PHONY: run
run: ## start the sandbox: the whole product on this machine (ARGS="--data DIR …")
	go run . sandbox $(ARGS)

.PHONY: test
test: ## set up what the tests need, then run them all
	.ci/setup
	go vet ./...
	go test -vet=off -p 1 -timeout 15m $$(go list ./... | grep -v '/bench$$')
	go test -vet=off -timeout 15m ./bench
	.ci/race
	.ci/licences
	.ci/scripts

.PHONY: check
check: lint ## before a commit: formatting, vet, lint, the house's rules, fast tests
	@unformatted=$$(gofmt -l .); [[ -z $$unformatted ]] || { echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	.ci/house
	go test -short -timeout 5m ./...

.PHONY: lint
lint: $(LINT) ## lint, with the import directions (the first time builds the linter: two minutes)
	$(LINT) run ./...

# A tool of its own, built outside the module, so that go.mod has what the product needs and no more.
$(LINT):
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/golangci-lint $@

.PHONY: bench
bench: ## measure the gateway beside its floors and peers, and write bench/RESULTS.md (25 minutes; SCALE=0.1 for a look)
	.ci/peers || echo "what is missing is said in the report" >&2
	.ci/licences peers
	go run ./bench report $(if $(SCALE),-scale $(SCALE))

.PHONY: proofs
proofs: ## take the figures of docs/proofs.md at their full scale (PROOF=name N=scale)
	go run ./bench $(PROOF) $(if $(N),-n $(N))

.PHONY: fuzz
fuzz: ## run each fuzz target for a while (FUZZTIME=10s)
	.ci/fuzz $(FUZZTIME)

.PHONY: build
build: ## build the static program: bin/warmgate
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/warmgate .

.PHONY: clean
clean: ## remove what was built
	rm -rf bin loadtest/node_modules
