# SPDX-License-Identifier: Apache-2.0
#
# Networks over other upstreams.

# SmartBFT came with Fabric 3.
SMOKE_TESTS := TestSmokeRaft$(if $(filter 3.%,$(UPSTREAM)),|TestSmokeBFT)

.PHONY: smoke
smoke: build network-tools ## the smallest networks, end to end in mode gm (UPSTREAM=3.1.1, 3.1.5: over Raft and over SmartBFT)
	NETWORK_BIN='$(BIN)' go test -count=1 -timeout 10m -tags integration -run '^($(SMOKE_TESTS))$$' ./integration/e2e

.PHONY: test-bft
test-bft: ca ## SmartBFT of 3.1.1 with faulty consenters under load; takes minutes
	$(MAKE) --no-print-directory build network-tools UPSTREAM=3.1.1
	go test -count=1 -timeout 20m -tags integration -run '^TestBFT' ./integration/e2e
