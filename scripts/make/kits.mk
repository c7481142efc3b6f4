# SPDX-License-Identifier: Apache-2.0

# The version under which the kits and the other parts are required.
KITS_VERSION ?= v$(FORK_VERSION)

.PHONY: kits
kits: fork-tool ## write build/kits: the Go kits as modules, a module proxy in files, templates, clients for Java and Node
	@scripts/kits.sh '$(KITS_VERSION)' build/kits

.PHONY: test-kits
test-kits: build network-tools ca kits ## build the templates from build/kits alone, without network, run them on a network
	go test -count=1 -timeout 10m -tags integration -run TestKits -v ./integration/clients

.PHONY: test-chaincode
test-chaincode: build network-tools kits ## where a Docker engine answers: chaincode that a peer builds and launches
	@scripts/docker-chaincode.sh
	go test -count=1 -timeout 20m -tags integration -v ./integration/chaincode
