# SPDX-License-Identifier: Apache-2.0
#
# Fuzzing. FUZZTIME is the time for each target; what the fuzzer finds interesting stays in Go's build cache, what fails goes to
# testdata/fuzz of the package and is from then on run by its ordinary tests. Making an interesting input smaller may take a second.

FUZZTIME ?= 30s
# Packages that build at the root, and those that build in the assembled tree only.
FUZZ_PACKAGES := common/crypto/gmtls common/crypto/gmx509 common/crypto/material common/crypto/sm2table common/crypto/sm3 common/crypto/sm4 common/crypto/keyd common/consenter common/mspfolder pkg/gmshim/cid pkg/gmshim/sealed cmd/gmkeyd/internal/device cmd/gmtls/internal/wire cmd/gmtls/internal/capture cmd/gmtls/internal/inspect cmd/gmtls/internal/migrate
FUZZ_TREE_PACKAGES := bccsp/gm common/crypto core/committer/txvalidator/v20 internal/pkg/comm internal/pkg/comm/tlsadmin msp protoutil

# Go runs one fuzz target of one package at a time. Up to Go 1.26 the end of FUZZTIME may come out as a failure without a failing
# input (golang/go#75804); that alone counts as the end.
define RUN_FUZZ
set -e; log=$$(mktemp); trap 'rm -f "$$log"' EXIT; for pkg in $(1); do \
  targets=$$(go test -list '^Fuzz' ./$$pkg | grep '^Fuzz') || { echo "no fuzz target in $$pkg"; exit 1; }; \
  for target in $$targets; do \
    echo "== $$pkg $$target"; \
    go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s ./$$pkg 2>&1 | tee "$$log"; \
    grep -q '^ok' "$$log" || { grep -qx ' *context deadline exceeded' "$$log" && ! grep -qE 'Failing input|panic|fuzzing process' "$$log" && \
      echo "(the end of FUZZTIME, no finding)"; }; \
  done; \
done
endef

.PHONY: fuzz
fuzz: ## run each fuzz target in turn for FUZZTIME (30s)
	@$(call RUN_FUZZ,$(FUZZ_PACKAGES))

.PHONY: fuzz-tree
fuzz-tree: fork ## the same for packages that need the assembled tree
	@cd $(TREE) && { $(call RUN_FUZZ,$(FUZZ_TREE_PACKAGES)); }
