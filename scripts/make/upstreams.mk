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

# What test-networks leaves out, since it runs binaries of a separate folder: other upstreams, PERF=off, stock Fabric, images, the CA, the
# command "network" of build/bin. Over SmartBFT also what adds orderers, kills them or renews their certificates as Raft's allow, which test-bft does as SmartBFT's do,
# and what says that the orderers are Raft's.
OTHER_NETWORKS := TestAuthorities|TestBFT.*|TestDocker.*|TestExampleApplication|TestInterruptedAnywhere|TestKeyDaemonImage|TestLoad.*|TestMigration|TestNetworkCommand|TestOsnadminUpdateAndFetch|TestReadme.*|TestStockPeerInDualNetwork|TestUpgrade.*|TestWithoutPerf
RAFT_NETWORKS := $(if $(filter bft,$(CONSENSUS)),|TestCertificateRotation|TestFaults|TestFaultsOfMachines|TestGrow|TestProtocolMigration|TestStockAssessed)

.PHONY: test-networks
test-networks: build network-tools ## our networks over another upstream; takes 20 minutes (UPSTREAM=3.1.1, CONSENSUS=bft: over SmartBFT)
	NETWORK_BIN='$(BIN)' NETWORK_CONSENSUS='$(CONSENSUS)' go test -count=1 -timeout 60m -tags integration -skip '^($(OTHER_NETWORKS)$(RAFT_NETWORKS))$$' $(TEST_FLAGS) ./integration/e2e
