# SPDX-License-Identifier: Apache-2.0
#
# Parts of continuous integration. .ci/run is what runs on each change; docs/development.md says how many minutes each part may take.

# Packages whose state several goroutines share: at the root, and in the assembled tree.
RACE_PACKAGES := ./common/crypto/gmtls/... ./common/crypto/keyd/... ./cmd/gmtls/internal/migrate/...
RACE_TREE_PACKAGES := ./internal/pkg/comm/... ./bccsp/memo ./bccsp/sw
# A test of upstream's that expects the alert of an older crypto/tls, see scripts/fork/upstream-tests/skip.txt.
RACE_SKIP := TestClientConfigDial/client_TLS_/_server_TLS_missing_client_cert
# Upstream's tests of what the delta changes most.
UPSTREAM_CORE := ./msp/... ./bccsp/... ./internal/pkg/comm/...

.PHONY: test-race
test-race: fork ## run the tests of state that goroutines share under the race detector
	go test -race -vet=off $(TEST_FLAGS) $(RACE_PACKAGES)
	cd $(TREE) && GODEBUG=rsa1024min=0 go test -race -vet=off -skip '$(RACE_SKIP)' $(TEST_FLAGS) $(RACE_TREE_PACKAGES)

.PHONY: vet-upstream
vet-upstream: fork ## vet our packages, tests included, over another upstream (UPSTREAM=3.1.1)
	$(FORK) lint go vet

.PHONY: test-upstream-core
test-upstream-core: ## run upstream's tests of msp, bccsp and internal/pkg/comm (UPSTREAM=3.1.1)
	@$(MAKE) --no-print-directory test-upstream PACKAGES='$(UPSTREAM_CORE)'

.PHONY: test-arm64
test-arm64: ## run the tests of algorithms and of TLCP for arm64 by qemu-user, which knows its SM3 and SM4 instructions
	GOARCH=arm64 CGO_ENABLED=0 go test -short -exec qemu-aarch64 ./common/crypto/sm3 ./common/crypto/sm4
	GOARCH=arm64 CGO_ENABLED=0 go test -short -exec qemu-aarch64 -run 'TestHandshake|TestKAT|TestRecord|TestSession' ./common/crypto/gmtls

.PHONY: nightly
nightly: ## everything that takes hours: all of upstream's tests, the matrix of networks, faults, attacks, the release, fuzzing
	$(MAKE) verify
	$(MAKE) vet-upstream UPSTREAM=3.1.1
	$(MAKE) vet-upstream UPSTREAM=ca-1.5.21
	$(MAKE) test
	$(MAKE) test-race
	$(MAKE) test-editor
	$(MAKE) test-upstream
	$(MAKE) test-upstream-core UPSTREAM=3.1.1
	$(MAKE) test-ca test-upstream-ca
	$(MAKE) test-integration
	$(MAKE) test-bft test-storage
	$(MAKE) test-networks UPSTREAM=3.1.1
	$(MAKE) test-networks UPSTREAM=3.1.1 CONSENSUS=bft
	$(MAKE) docker
	$(MAKE) test-consortium test-helm test-chaincode test-release
	$(MAKE) test-arm64
	$(MAKE) release release-run release-check
	$(MAKE) vuln
	$(MAKE) measure-attacks
	$(MAKE) fuzz fuzz-tree FUZZTIME=4m
