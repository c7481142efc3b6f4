# SPDX-License-Identifier: Apache-2.0
#
# Images, and the network in containers. The variables of network.mk apply.

DOCKER_DIR ?= build/docker-network

.PHONY: docker
docker: build network-tools ca ## build the images fabric-gm-peer, -orderer, -tools, -asset, -keyd and -ca; nothing is pulled
	@scripts/docker-images.sh '$(VERSION)' '$(COMMIT)' build/bin-$(CA_UPSTREAM)

.PHONY: docker-network
docker-network: docker ## like network, in containers
	@build/bin/network -dir '$(DOCKER_DIR)' up -docker $(NETWORK_FLAGS) $(NETWORK_CA)

.PHONY: docker-network-down
docker-network-down: network-tools ## remove the containers, volumes and state of docker-network
	@build/bin/network -dir '$(DOCKER_DIR)' down

.PHONY: docker-smoke
docker-smoke: ## where an engine answers: build the images, run the smallest network in them once
	@if docker version >/dev/null 2>&1; then \
		$(MAKE) docker && build/bin/network -dir build/docker-smoke up -docker -orderers 1 -orgs 1 -peers 1 -base-port 27850; \
		result=$$?; build/bin/network -dir build/docker-smoke down && exit $$result; \
	else echo "docker-smoke: no Docker engine answers here, nothing was run"; fi
