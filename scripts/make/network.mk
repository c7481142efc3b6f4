# SPDX-License-Identifier: Apache-2.0
#
# The network on this machine. Variables, all optional:
#   MODE=tls|dual|gm  CLIENT_MODE=tls|gm  ALGORITHM=gm|ecdsa|mixed  SUITE=ECC_SM4_GCM_SM3|...  HASH=SM3  STRICT=true  MUTUAL_TLS=true
#   GM_PROTOCOL=TLCP|TLS13
#   CONSENSUS=raft|bft (bft with UPSTREAM=3.1.1)
#   KEYS=sdf|pkcs11 (SM2 keys in a simulated device behind gmkeyd)
#   CA=true (an authority for each organisation, everything enrolled)
#   ORDERERS=3  ORGS=2  PEERS=2  BASE_PORT=7050  BATCH_TIMEOUT=500ms  DIR=build/network

DIR ?= build/network
NETWORK := $(BIN)/network -dir '$(DIR)'
NETWORK_FLAGS = $(foreach v,mode=MODE client-mode=CLIENT_MODE algorithm=ALGORITHM suite=SUITE gm-protocol=GM_PROTOCOL hash=HASH strict=STRICT mutual-tls=MUTUAL_TLS keys=KEYS consensus=CONSENSUS \
	orderers=ORDERERS orgs=ORGS peers=PEERS base-port=BASE_PORT batch-timeout=BATCH_TIMEOUT,\
	$(if $($(lastword $(subst =, ,$(v)))),'-$(firstword $(subst =, ,$(v)))=$($(lastword $(subst =, ,$(v))))'))

ifneq ($(filter-out true false,$(CA)),)
$(error CA=$(CA): write true or false)
endif
NETWORK_CA = $(if $(filter true,$(CA)),-ca '$(CURDIR)/build/bin-$(CA_UPSTREAM)')

# A variable on the command line that nothing reads is a misspelt one: MUTUAL_TSL=true would start a network without client certificates.
NETWORK_VARIABLES = MODE CLIENT_MODE ALGORITHM SUITE GM_PROTOCOL HASH STRICT MUTUAL_TLS KEYS CA CONSENSUS ORDERERS ORGS PEERS BASE_PORT BATCH_TIMEOUT DIR BIN PERF UPSTREAM CHECKOUT TEST_FLAGS \
	PACKAGES FORK_VERSION DOCKER_DIR
UNKNOWN_VARIABLES = $(filter-out $(NETWORK_VARIABLES) GO%,$(foreach v,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $v))),$v)))

.PHONY: check-network-variables
check-network-variables:
	@$(if $(UNKNOWN_VARIABLES),echo "make network has no variable $(UNKNOWN_VARIABLES): there are $(NETWORK_VARIABLES)" >&2; exit 1,:)

.PHONY: network
network: check-network-variables build network-tools $(if $(filter true,$(CA)),ca) ## start a network: 3 orderers, 2 organisations with 2 peers each (MODE=, ALGORITHM=, ORGS= ...)
	@$(NETWORK) up -bin '$(BIN)' $(NETWORK_FLAGS) $(NETWORK_CA)

.PHONY: network-status
network-status: network-tools ## nodes, ports, protocol and block heights of the running network
	@$(NETWORK) status

.PHONY: network-down
network-down: network-tools ## stop the network and remove its state
	@$(NETWORK) down

# What a network needs besides Fabric's binaries: the harness and the chaincode.
.PHONY: network-tools
network-tools:
	@mkdir -p $(BIN)
	@CGO_ENABLED=0 go build -trimpath -o $(BIN)/ ./integration/cmd/network ./integration/chaincode/asset

.PHONY: test-network
test-network: build network-tools ## one network end to end in mode gm (part of make test)
	go test -count=1 ./integration/e2e

.PHONY: test-attacks
test-attacks: build network-tools ## what strangers and members do to running nodes, the short form (part of make test)
	go test -count=1 ./integration/attacks

.PHONY: measure-attacks
measure-attacks: build stock network-tools ## what honest clients notice of attacks by strangers, against unmodified Fabric: build/attacks/report.md
	@cp -R build/bin/asset build/bin/ccaas build/stock/
	go test -count=1 -timeout 20m -tags integration -run 'TestBesideStock$$' ./integration/attacks

.PHONY: test-integration
test-integration: build stock network-tools ca kits ## networks over modes, identities and suites, with faults, in Docker; takes minutes
	@cp -R build/bin/asset build/bin/ccaas build/stock/
	$(MAKE) build network-tools PERF=off UPSTREAM=
	$(MAKE) build network-tools UPSTREAM=3.1.1
	@if docker version >/dev/null 2>&1; then scripts/docker-images.sh '$(VERSION)' '$(COMMIT)'; else echo "no Docker engine answers: TestDocker will be skipped"; fi
	@if docker version >/dev/null 2>&1; then scripts/docker-chaincode.sh; fi
	go test -count=1 -timeout 90m -tags integration -skip '^TestFromRelease$$' ./integration/e2e ./integration/attacks ./integration/clients ./integration/chaincode

# The network's folder, build/e2e, is the volume. The emulated processor is slow: the machine's tests have long limits.
.PHONY: test-storage
test-storage: ca ## ledgers on a volume by SM4, in a virtual machine whose kernel has it (Debian; takes minutes)
	$(MAKE) --no-print-directory build network-tools UPSTREAM=3.1.1
	mkdir -p build/sm4-kernel
	go test -c -o build/sm4-kernel/ ./cmd/gmtls/internal/assess
	go test -c -tags integration -o build/sm4-kernel/ ./integration/e2e
	scripts/sm4-kernel.sh build/sm4-kernel/assess.test -test.v -test.run '^TestLedgerOnSM4$$'
	SM4_VOLUME='$(CURDIR)/build/e2e' SM4_KERNEL_MEMORY=10G scripts/sm4-kernel.sh sh -c 'cd integration/e2e && exec ../../build/sm4-kernel/e2e.test -test.v -test.timeout 20m -test.run "^TestAssessedOnSM4$$"'
