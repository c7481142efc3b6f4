# SPDX-License-Identifier: Apache-2.0

.PHONY: test-consortium
test-consortium: build network-tools ca kits ## run the guide docs/consortium.md as printed, on hosts that are namespaces and, after make docker, in Docker
	go test -count=1 -timeout 60m -tags integration ./integration/consortium

.PHONY: test-helm
test-helm: build ## lint and render the chart, and run its containers in Docker by the manifests (after make docker)
	cd deploy/helm/test && go test -count=1 -timeout 30m ./...
