# SPDX-License-Identifier: Apache-2.0

CA_UPSTREAM := ca-1.5.21

.PHONY: ca
ca: ## build fabric-ca-server and fabric-ca-client into build/bin-ca-1.5.21
	@$(MAKE) --no-print-directory build UPSTREAM=$(CA_UPSTREAM)

.PHONY: test-ca
test-ca: ca ## enrol, renew and revoke at running CAs, also with stock's client and server
	go test -count=1 -timeout 20m -tags integration ./integration/ca
	cd build/fabric-$(CA_UPSTREAM) && go test -count=1 -timeout 5m -run 'TestNamesAreNoPatterns|TestTimesOfRevocations|TestConnectionsOfFailedStarts' ./lib

.PHONY: measure-ca
measure-ca: ca ## enrolments per second, SM2 against ECDSA and an unmodified server, in turns
	CA_MEASURE=1 go test -count=1 -timeout 20m -tags integration -run TestMeasureEnrolments -v ./integration/ca

.PHONY: test-upstream-ca
test-upstream-ca: ## run Fabric CA's own tests of the packages that the delta changes, in a network namespace and one package after the other, as their ports are fixed; no 'make fork' meanwhile
	@$(MAKE) --no-print-directory fork UPSTREAM=$(CA_UPSTREAM)
	cd build/fabric-$(CA_UPSTREAM) && go list -deps -test ./... > /dev/null
	unshare --map-root-user --net sh -c 'ip link set lo up && GOFLAGS="$$GOFLAGS -p=1" exec $(MAKE) --no-print-directory test-upstream UPSTREAM=$(CA_UPSTREAM)'
