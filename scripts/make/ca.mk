# SPDX-License-Identifier: Apache-2.0

CA_UPSTREAM := ca-1.5.21

.PHONY: ca
ca: ## build fabric-ca-server and fabric-ca-client into build/bin-ca-1.5.21
	@$(MAKE) --no-print-directory build UPSTREAM=$(CA_UPSTREAM)

.PHONY: test-ca
test-ca: ca ## enrol, renew and revoke at running CAs, beside stock's client and server
	go test -count=1 -timeout 20m -tags integration ./integration/ca
