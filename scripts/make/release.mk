# SPDX-License-Identifier: Apache-2.0

RELEASE := build/release
RELEASE_ARCHITECTURES := amd64 arm64

.PHONY: release
release: fork ## write build/release: archives for linux/amd64 and arm64, with bills of materials and checksums
	@$(MAKE) --no-print-directory fork UPSTREAM=$(CA_UPSTREAM)
	@scripts/release.sh '$(RELEASE)' '$(RELEASE_ARCHITECTURES)' '$(VERSION)' '$(LDFLAGS)' '$(patsubst %,./cmd/%,$(FABRIC_TOOLS) $(TREE_TOOLS))' '$(ROOT_TOOLS:%=./cmd/%)' \
		$(CA_UPSTREAM) './cmd/fabric-ca-server ./cmd/fabric-ca-client'

.PHONY: release-check
release-check: ## build the release of this commit again elsewhere, and compare with build/release (SUMS=published SHA256SUMS)
	@scripts/reproduce.sh $(SUMS)

.PHONY: release-run
release-run: ## run each program of build/release once, those for arm64 by qemu-user where it is installed
	@scripts/release-run.sh build/release

.PHONY: release-sign
release-sign: ## sign build/release/SHA256SUMS with an OpenSSH key (KEY=file)
	@scripts/sign.sh '$(KEY)'

.PHONY: release-verify
release-verify: ## verify the signature and the files of build/release (SIGNERS=allowed signers)
	@scripts/verify-release.sh '$(SIGNERS)' build/release

.PHONY: test-release
test-release: network-tools ## write an archive for this machine, make applications in Go, Java and Node of it alone, and run them on a network of it
	@$(MAKE) --no-print-directory release RELEASE=build/release-test RELEASE_ARCHITECTURES=$$(go env GOARCH)
	go test -count=1 -timeout 20m -tags integration -run '^TestFromRelease$$' -v ./integration/clients
