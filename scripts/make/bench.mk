# SPDX-License-Identifier: Apache-2.0
#
# Benchmarks, see docs/performance.md. BENCH_FLAGS goes to the program as it is: build/bin/bench run -h lists the flags.

BENCH := build/bin/bench

.PHONY: bench
bench: bench-tool ## measure algorithms, TLCP, gRPC and networks against unmodified Fabric, report in build/bench (BENCH_FLAGS=)
	@$(BENCH) run $(BENCH_FLAGS)

.PHONY: bench-short
bench-short: bench-tool ## the same once and in small, to see that it works
	@$(BENCH) run -short -dir build/bench-short $(BENCH_FLAGS)

.PHONY: bench-scale
bench-scale: bench-tool ## how numbers grow with clients, channels, organisations and sizes, report in build/bench (BENCH_FLAGS=)
	@$(BENCH) scale $(BENCH_FLAGS)

.PHONY: bench-tool
bench-tool: build network-tools stock
	@cp -R build/bin/asset build/bin/ccaas build/stock/
	@CGO_ENABLED=0 go build -trimpath -o build/bin/ ./integration/bench
