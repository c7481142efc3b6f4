# SPDX-License-Identifier: Apache-2.0
#
# Targets whose line ends in a ## comment are listed by 'make help'. Further targets live in scripts/make/*.mk.

SHELL := /bin/sh
.DEFAULT_GOAL := build

FORK_VERSION := 0.1.0
UPSTREAM ?=
TREE := build/fabric
BIN := $(CURDIR)/build/bin
FORK := build/tools/fork -upstream '$(UPSTREAM)'
MODULE := github.com/hyperledger/fabric

FABRIC_TOOLS := peer orderer cryptogen configtxgen configtxlator osnadmin discover ledgerutil

VERSION = $(shell $(FORK) version)-gm.$(FORK_VERSION)
COMMIT = $(shell git describe --always --dirty --abbrev=12 --exclude '*' 2>/dev/null || echo unknown)
LDFLAGS = -X $(MODULE)/common/metadata.Version=$(VERSION) -X $(MODULE)/common/metadata.CommitSHA=$(COMMIT)

include $(sort $(wildcard scripts/make/*.mk))

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | sort | awk -F'|' '{printf "%-16s %s\n", $$1, $$2 ($$3 ? "|" $$3 : "")}'

.PHONY: build
build: fork ## build every binary into build/bin: static, with upstream's version and ours inside
	@mkdir -p $(BIN)
	cd $(TREE) && CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ $(FABRIC_TOOLS:%=./cmd/%)

.PHONY: fork
fork: fork-tool ## assemble build/fabric from pinned upstream and ours (UPSTREAM=folder|version for another)
	@$(FORK) assemble

.PHONY: fork-accept
fork-accept: fork-tool ## like fork, and record upstream's present texts in the lock after a review
	@$(FORK) accept

.PHONY: fork-tool
fork-tool:
	@cd scripts/fork && go build -o ../../build/tools/fork .

.PHONY: clean
clean: ## remove everything that was built
	rm -rf build
