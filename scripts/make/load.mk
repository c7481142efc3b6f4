# SPDX-License-Identifier: Apache-2.0
#
# The load generator. LOAD_FLAGS goes to it as it is: build/bin/load run -h lists the flags.

A ?= mode=tls,algorithm=ecdsa
B ?= mode=gm,algorithm=gm
ROUNDS ?= 3
ORDERED = consensus=$(or $(CONSENSUS),raft)

.PHONY: load
load: load-tool ## measure the running network: throughput, latency, errors, CPU and memory (LOAD_FLAGS=)
	@build/bin/load run -network '$(DIR)' $(LOAD_FLAGS)

.PHONY: load-compare
load-compare: build network-tools load-tool ## measure two topologies in turn and print ratios (A=, B=, ROUNDS=, LOAD_FLAGS=)
	@build/bin/load alternate -a '$(A)' -b '$(B)' -rounds $(ROUNDS) $(LOAD_FLAGS)

.PHONY: load-stock
load-stock: build network-tools load-tool stock ## measure unmodified Fabric against this fork in mode gm (B=, ROUNDS=, LOAD_FLAGS=; UPSTREAM=, CONSENSUS=)
	@cp -R $(BIN)/asset $(BIN)/ccaas $(STOCK)/
	@build/bin/load alternate -a 'mode=tls,algorithm=ecdsa,bin=$(STOCK:$(CURDIR)/%=%),$(ORDERED)' -b 'bin=$(BIN:$(CURDIR)/%=%),$(ORDERED),$(B)' -rounds $(ROUNDS) $(LOAD_FLAGS)

.PHONY: profile
profile: build network-tools load-tool ## measure where nodes spend CPU time under load, and write it into cmd/nodes.pgo, which builds use
	@scripts/profile.sh cmd/nodes.pgo

.PHONY: load-tool
load-tool:
	@mkdir -p build/bin
	@CGO_ENABLED=0 go build -trimpath -o build/bin/ ./integration/cmd/load
