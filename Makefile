# SPDX-License-Identifier: Apache-2.0

# Everything needs only Go and make, except "race", which needs a C compiler too.

export CGO_ENABLED ?= 0
export GOFLAGS += -buildvcs=false

GO      ?= go
BIN     := bin/seismo
VERSION ?= $(shell git describe --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
# Every target gets so many seconds, fewer where all would take over 80 s.
FUZZTIME ?= 5

.PHONY: help build run test race lint fuzz bench bench-live generate fmt cross rel clean

help: ## Show what can be made.
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

need-go:
	@command -v $(GO) >/dev/null || { echo "seismo: make: no Go toolchain on PATH: install Go 1.26 or newer from your distribution or go.dev" >&2; exit 1; }

build: need-go ## Build bin/seismo and compile the shipped signals.
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/seismo
	$(BIN) compile --quiet -o bin/signals.bin rules

run: build ## Record this host with detection into ./var and show what it sees (Ctrl-C ends it).
	@$(BIN) record --home ./var --signals bin/signals.bin --watch --or-replay

test: need-go ## Run all tests; as root, the live ones too.
	$(GO) test ./...

race: need-go ## Run all tests under the race detector (needs a C compiler).
	@command -v $${CC:-cc} >/dev/null || command -v gcc >/dev/null || { echo "seismo: make race: no C compiler: install gcc or clang (the race detector is written in C)" >&2; exit 1; }
	CGO_ENABLED=1 $(GO) test -race -short ./...

lint: need-go ## Check format, vet, staticcheck, pinned versions, and that generated files are current.
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
		test -z "$$unformatted" || { echo "seismo: make lint: not formatted (make fmt):" >&2; echo "$$unformatted" >&2; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@before=$$(cat docs/fields.md docs/sigma.md | cksum); $(MAKE) -s generate; after=$$(cat docs/fields.md docs/sigma.md | cksum); \
		test "$$before" = "$$after" || { echo "seismo: make lint: docs/fields.md or docs/sigma.md was not current (make generate)" >&2; exit 1; }
	@$(GO) list -m -f '{{.Version}}' modernc.org/libc | grep -qx v1.77.1 || { echo "seismo: make lint: modernc.org/libc must be v1.77.1, the partner of modernc.org/sqlite v1.60.1" >&2; exit 1; }

fuzz: need-go ## Run every fuzz target for FUZZTIME (5) seconds, 80 seconds in all.
	@GO=$(GO) FUZZTIME=$(FUZZTIME) .ci/fuzz

bench: need-go ## Run every benchmark once (BENCHTIME=2s for figures).
	$(GO) test ./... -run '^$$' -bench . -benchtime $${BENCHTIME:-1x}

bench-live: need-go ## Measure the recorder against auditd and LAUREL on this host (root; ARGS="-h" lists options).
	$(GO) run ./internal/bench/live $(ARGS)

generate: need-go ## Write docs/fields.md and the tables of docs/sigma.md.
	$(GO) run ./internal/event/gen docs/fields.md
	$(GO) run ./internal/taxonomy/gen docs/sigma.md

fmt: need-go ## Format the code.
	gofmt -w $$(git ls-files -co --exclude-standard '*.go')

cross: need-go ## Build for linux, windows and darwin on amd64 and arm64.
	@for os in linux windows darwin; do for arch in amd64 arm64; do \
		echo "== $$os/$$arch"; \
		GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -o /dev/null ./... || exit 1; \
	done; done

rel: need-go ## Run the live load test for 30 seconds (root).
	SEISMO_LOAD_SECONDS=30 $(GO) test ./sources/audit -run 'TestLive.*Load' -count=1 -v

clean: ## Remove what was built and recorded here.
	rm -rf bin var
