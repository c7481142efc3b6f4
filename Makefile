# SPDX-License-Identifier: Apache-2.0
#
# Targets whose line ends in a ## comment are listed by 'make help'. Further targets live in scripts/make/*.mk.

SHELL := /bin/sh
.DEFAULT_GOAL := build

FORK_VERSION := 0.2.0
# Another upstream: a name of scripts/fork/upstreams, a folder or a module version. CHECKOUT is a folder that holds a named one.
UPSTREAM ?=
CHECKOUT ?=
# PERF=off leaves out what makes stock Fabric faster (docs/fork.md, classes).
PERF ?= on
# Another upstream, and PERF=off, have a separate tree and separate binaries.
VARIANT := $(if $(UPSTREAM),-$(notdir $(UPSTREAM:%/=%)))$(if $(filter off,$(PERF)),-perf-off)
TREE := build/fabric$(VARIANT)
BIN := $(CURDIR)/build/bin$(VARIANT)
STOCK := $(CURDIR)/build/stock$(if $(UPSTREAM),-$(notdir $(UPSTREAM:%/=%)))
FORK := $(CURDIR)/build/tools/fork -upstream '$(UPSTREAM)' -checkout '$(CHECKOUT)' -perf '$(PERF)' -tree '$(TREE)'
MODULE := github.com/hyperledger/fabric

ifneq ($(words $(CURDIR)),1)
$(error the path $(CURDIR) has a space in it, which make cannot work with: move the clone)
endif

FABRIC_TOOLS := peer orderer cryptogen configtxgen configtxlator osnadmin discover ledgerutil
# Our own tools: those that build in the tree,
TREE_TOOLS := consortium
# and those that build at the root; those that others add join by ROOT_TOOLS += in scripts/make.
ROOT_TOOLS := $(patsubst cmd/%/main.go,%,$(wildcard cmd/gmtls/main.go cmd/gmkeyd/main.go))
CCAAS_STEPS := detect build release

# The image tags that core.yaml derives from the version must be valid, so the suffix has no plus sign.
VERSION = $(shell $(FORK) version)-gm.$(FORK_VERSION)$(if $(filter off,$(PERF)),-perf-off)
COMMIT = $(shell git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null || echo unknown)
# What an upstream builds: its own binaries, or those of Fabric.
BINARIES = $(or $(patsubst %,./%,$(shell $(FORK) binaries)),$(patsubst %,./cmd/%,$(FABRIC_TOOLS) $(TREE_TOOLS)))
# What goes with nodes is built for upstreams that have nodes.
NO_NODES = $(if $(filter ./cmd/peer,$(BINARIES)),,yes)
# The files of the module in use.
MODULE_FILES := $(if $(wildcard scripts/fork/upstreams/$(UPSTREAM)/go.mod),scripts/fork/upstreams/$(UPSTREAM)/,)
LDFLAGS = -X $(MODULE)/common/metadata.Version=$(VERSION) -X $(MODULE)/common/metadata.CommitSHA=$(COMMIT)
# Where nodes spend CPU time, by which the compiler chooses what it inlines (make profile).
PROFILE = $(if $(filter off,$(PERF)),off,$(CURDIR)/cmd/nodes.pgo)
GO_BUILD = CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'

include $(sort $(wildcard scripts/make/*.mk))

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | sort | awk -F'|' '{printf "%-20s %s\n", $$1, $$2 ($$3 ? "|" $$3 : "")}'

.PHONY: build
build: fork ## build every binary into build/bin, static (PERF=off, UPSTREAM=: another tree, see docs/fork.md)
	@mkdir -p $(BIN)
	cd $(TREE) && $(GO_BUILD) $(if $(NO_NODES),,-pgo='$(PROFILE)') -o $(BIN)/ $(BINARIES)
	$(if $(NO_NODES),,@mkdir -p $(BIN)/ccaas/bin)
	$(if $(NO_NODES),,$(GO_BUILD) -o $(BIN)/ccaas/bin/ $(CCAAS_STEPS:%=./cmd/ccaas/%))
	$(if $(NO_NODES)$(if $(ROOT_TOOLS),,none),,$(GO_BUILD) -o $(BIN)/ $(ROOT_TOOLS:%=./cmd/%))

.PHONY: stock
stock: $(if $(UPSTREAM),fork-tool) ## build unmodified upstream binaries into build/stock, to compare with (UPSTREAM=3.1.1: build/stock-3.1.1)
	@mkdir -p $(STOCK)
	dir=$(if $(UPSTREAM),$$($(FORK) folder),scripts/fork) && cd "$$dir" && CGO_ENABLED=0 go build -trimpath -o $(STOCK)/ $(FABRIC_TOOLS:%=$(MODULE)/cmd/%)

.PHONY: fork
fork: fork-tool ## assemble build/fabric from pinned upstream and ours (PERF=off, UPSTREAM=name|folder|version)
	@$(FORK) assemble

.PHONY: fork-accept
fork-accept: fork-tool ## like fork, and record upstream's present texts in the lock after a review
	@$(FORK) accept

.PHONY: fork-stat
fork-stat: fork-tool ## print the size of the delta
	@$(FORK) stat

.PHONY: fork-drift
fork-drift: fork-tool ## compare what the delta depends on with another upstream (UPSTREAM=folder|version)
	@$(FORK) drift

.PHONY: fork-differences
fork-differences: fork-tool ## write the list of changes to upstream, with reasons, into docs/differences.md
	@$(FORK) differences

.PHONY: fork-tool
fork-tool:
	@cd scripts/fork && go build -o ../../build/tools/fork .

.PHONY: test
test: build network-tools kits ## test the root's own packages, the assembler, and our packages in the assembled tree
	go test $(TEST_FLAGS) ./...
	cd scripts/fork && go test $(TEST_FLAGS) ./...
	$(FORK) test $(TEST_FLAGS)

.PHONY: test-editor
test-editor: fork ## drive gopls in build/fabric: definition, references, a planted error
	@cd scripts/tools/editor && go build -o ../../../build/tools/ tool
	cd scripts/fork && go test -tags editor -run TestEditor $(TEST_FLAGS) .

.PHONY: test-upstream
test-upstream: fork ## run the upstream tests that the delta concerns (PACKAGES='./msp ./bccsp/...' for some); long
	$(FORK) test-upstream $(PACKAGES)

.PHONY: test-upstream-record
test-upstream-record: fork ## run them and write the list of tests that must pass from now on (PACKAGES= for some)
	$(FORK) record-tests $(PACKAGES)

GOLANGCI := $(CURDIR)/build/tools/golangci-lint run -c $(CURDIR)/.golangci.yml

.PHONY: verify
verify: fork lint-tools ## check format, lock, documents, tidiness, checksums, length of files, vet and linters
	@bad=$$(git ls-files -co --exclude-standard '*.go' | xargs ls 2>/dev/null | xargs gofmt -l); \
	if [ -n "$$bad" ]; then echo "not formatted, run gofmt -w on:"; echo "$$bad"; exit 1; fi
	$(FORK) check
	$(FORK) differences check
	go mod verify
	cd scripts/fork && go mod verify
	@cd $(TREE) && go mod tidy -diff || { echo "go.mod is not tidy; run 'make tidy'"; exit 1; }
	cd scripts/fork && go mod tidy -diff
	cd scripts/tools && go mod tidy -diff
	cd scripts/tools/lint && go mod tidy -diff
	cd scripts/tools/editor && go mod tidy -diff
	go test ./docs
	go vet -tags integration ./...
	cd scripts/fork && go vet ./...
	$(FORK) lint go vet
	$(GOLANGCI) ./...
	cd scripts/fork && $(GOLANGCI) ./...
	$(FORK) lint $(GOLANGCI)

.PHONY: tidy
tidy: fork ## bring go.mod and go.sum up to date with the imports of the assembled tree
	cd $(TREE) && go mod tidy
	{ cat $(TREE)/go.mod; $(if $(MODULE_FILES),,echo; sed -n '/^\/\/ Folders that stand/,$$p' go.mod;) } > build/go.mod.new
	mv build/go.mod.new $(MODULE_FILES)go.mod
	cp $(TREE)/go.sum $(MODULE_FILES)go.sum
	$(FORK) assemble

.PHONY: vuln
vuln: fork lint-tools ## look for known vulnerabilities in what is shipped, where the database can be reached
	@$(MAKE) --no-print-directory fork UPSTREAM=$(CA_UPSTREAM)
	@status=0; scan() { scripts/vuln.sh build/tools/govulncheck "$$@" || status=$$?; }; \
	scan $(TREE) $(patsubst %,./cmd/%,$(FABRIC_TOOLS) $(TREE_TOOLS)); \
	scan . $(patsubst %,./cmd/%,$(ROOT_TOOLS)) $(CCAAS_STEPS:%=./cmd/ccaas/%) ./pkg/...; \
	scan build/fabric-$(CA_UPSTREAM) ./cmd/fabric-ca-server ./cmd/fabric-ca-client; \
	exit $$status

.PHONY: lint-tools
lint-tools:
	@cd scripts/tools && go build -o ../../build/tools/ tool
	@cd scripts/tools/lint && go build -o ../../../build/tools/ tool

.PHONY: mirror
mirror: fork lint-tools ## write build/mirror, a module proxy in files from which an air-gapped site builds everything
	@scripts/mirror.sh build/mirror

.PHONY: clean
clean: ## remove everything that was built
	@for network in network docker-network; do \
		if [ -d build/$$network ]; then echo "build/$$network belongs to a network: end it with make $$network-down first" >&2; exit 1; fi; \
	done
	rm -rf build
