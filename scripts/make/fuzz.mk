# SPDX-License-Identifier: Apache-2.0
#
# Fuzzing. FUZZTIME is the time for each target; what the fuzzer finds interesting stays in Go's build cache, what fails goes to
# testdata/fuzz of the package and is from then on run by its ordinary tests. Making an interesting input smaller may take a second.

FUZZTIME ?= 30s
# Packages that build at the root, and those that build in the assembled tree only.
FUZZ_PACKAGES := common/crypto/gmtls common/crypto/gmx509 common/crypto/material common/crypto/sm2table common/crypto/sm3 common/crypto/sm4 common/crypto/keyd common/consenter common/mspfolder pkg/gmshim/cid pkg/gmshim/sealed cmd/gmkeyd/internal/device cmd/gmtls/internal/wire cmd/gmtls/internal/capture cmd/gmtls/internal/inspect cmd/gmtls/internal/migrate
FUZZ_TREE_PACKAGES := bccsp/gm common/crypto core/committer/txvalidator/v20 internal/pkg/comm internal/pkg/comm/tlsadmin msp protoutil

.PHONY: fuzz
fuzz: ## run each fuzz target in turn for FUZZTIME (30s)
	@scripts/fuzz.sh $(FUZZTIME) $(FUZZ_PACKAGES)

.PHONY: fuzz-tree
fuzz-tree: fork ## the same for packages that need the assembled tree
	@cd $(TREE) && $(CURDIR)/scripts/fuzz.sh $(FUZZTIME) $(FUZZ_TREE_PACKAGES)
