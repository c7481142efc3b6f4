# SPDX-License-Identifier: Apache-2.0

.PHONY: release
release: fork ## write build/release: archives for linux/amd64 and arm64, with bills of materials and checksums
	@scripts/release.sh '$(VERSION)' '$(LDFLAGS)' '$(FABRIC_TOOLS:%=./cmd/%)' '$(ROOT_TOOLS:%=./cmd/%)'

.PHONY: release-check
release-check: ## build the release of this commit again elsewhere, and compare with build/release (SUMS=published SHA256SUMS)
	@scripts/reproduce.sh $(SUMS)
