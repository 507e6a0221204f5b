# Run `make` for the list of targets.
.DEFAULT_GOAL := help

GO     ?= go
GOTEST ?= $(GO) test
TAGS   := synctests

# What `make flake` repeats: packages as a whole, and the scenarios whose names match, but for one that plays ten minutes.
FLAKE_PKGS  ?= ./internal/engine/... ./internal/kafka/...
FLAKE_RUN   ?= (?i)rebalance|revoke|kill|freez|stop|shutdown|member
FLAKE_SKIP  ?= ^TestScenario001
FLAKE_COUNT ?= 200

# How long `make fuzz` takes, for each entry.
FUZZ_TIME ?= 10m

# What `make sim` plays.
SEEDS ?= 1-50

# Tools are built once per version of tools/go.sum and of Go.
TOOLS := $(CURDIR)/.bin/$(shell $(GO) env GOVERSION)-$(shell cat tools/go.mod tools/go.sum | cksum | cut -d' ' -f1)
golangci-lint := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
govulncheck   := golang.org/x/vuln/cmd/govulncheck

$(TOOLS)/%:
	$(GO) build -C tools -trimpath -o $@ $($*)

# Gremlins is a module of its own, so that neither its dependencies nor the linter's move the other's.
GREMLINS := $(CURDIR)/.bin/gremlins-$(shell cat tools/gremlins/go.mod tools/gremlins/go.sum | cksum | cut -d' ' -f1)

$(GREMLINS):
	$(GO) build -C tools/gremlins -trimpath -o $@ github.com/go-gremlins/gremlins/cmd/gremlins

# Buf too.
BUF := $(CURDIR)/.bin/buf-$(shell cat tools/buf/go.mod tools/buf/go.sum | cksum | cut -d' ' -f1)

$(BUF):
	$(GO) build -C tools/buf -trimpath -o $@ github.com/bufbuild/buf/cmd/buf

.PHONY: help
help: ## print this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: tools
tools: $(TOOLS)/golangci-lint $(BUF) ## build the linters into .bin, which takes four minutes once

.PHONY: fmt
fmt: $(TOOLS)/golangci-lint $(BUF) ## format the code
	$< fmt ./...
	cd bench && $< fmt -c ../.golangci.yaml ./...
	$(BUF) format -w

.PHONY: generate
generate: $(BUF) ## make the Go code of the protobuf schemas
	$< generate

# bench is a module of its own; it prints, and polls with franz-go itself.
.PHONY: lint
lint: $(TOOLS)/golangci-lint $(BUF) ## lint code and protobuf schemas, and check that every rule bites
	$< run ./...
	cd bench && $< run -c ../.golangci.yaml --disable depguard,forbidigo ./...
	scripts/proto/check.sh $(BUF)
	GOLANGCI_LINT=$< BUF=$(BUF) $(GO) test -tags lint -count=1 -run '^TestPlanted' ./internal/tidy/

.PHONY: test
test: ## unit tests, properties, the runtime on the in-memory cluster
	$(GOTEST) -tags $(TAGS) ./...
	$(GOTEST) -tags '$(TAGS) failpoints' ./internal/sim/...

.PHONY: race
race: ## the same with the race detector
	$(GOTEST) -race -tags $(TAGS) ./...
	$(GOTEST) -race -tags '$(TAGS) failpoints' ./internal/sim/...

.PHONY: kafka
kafka: ## start Apache Kafka on loopback
	@scripts/kafka/broker.sh start

.PHONY: kafka-stop
kafka-stop: ## stop it and remove its data
	@scripts/kafka/broker.sh stop

.PHONY: test-kafka
test-kafka: ## the conformance suite against Apache Kafka
	scripts/kafka/broker.sh with $(GOTEST) -tags '$(TAGS) kafka' -count=1 ./internal/conformance/...

.PHONY: bench
bench: ## throughput and lateness against a bare poll loop, on Apache Kafka
	bench/run.sh

.PHONY: mutants
mutants: ## break the core in known ways; the named tests must notice
	$(GO) run ./internal/core/mutants

.PHONY: wrong
wrong: ## play runtimes that decide one thing wrongly; the named checks must object
	$(GO) run ./internal/wrong

.PHONY: mutation
mutation: $(GREMLINS) ## change core and supervision in every small way; the tests must notice
	$(GO) run ./internal/mutation -gremlins $<

.PHONY: fuzz
fuzz: ## fuzz the conversations of the core's model, and what commits carry
	$(GOTEST) -timeout=0 -run '^$$' -fuzz '^FuzzModel$$' -fuzztime $(FUZZ_TIME) -fuzzminimizetime 1x ./internal/core
	$(GOTEST) -timeout=0 -run '^$$' -fuzz '^FuzzModelDrain$$' -fuzztime $(FUZZ_TIME) -fuzzminimizetime 1x ./internal/core
	$(GOTEST) -timeout=0 -run '^$$' -fuzz '^FuzzDecode$$' -fuzztime $(FUZZ_TIME) ./internal/metadata

.PHONY: bug
bug: ## take the fix of a bug out again; its test must notice: make bug N=3, or all without N
	$(GO) run ./internal/bugs -n $(or $(N),0)

.PHONY: scenarios
scenarios: ## run the fault scenarios that are in memory, and write their table
	$(GOTEST) -tags '$(TAGS) failpoints' -count=1 -json -run '^TestScenario' ./internal/scenarios/ | $(GO) run ./internal/scenarios/table

.PHONY: scenarios-kafka
scenarios-kafka: ## the same for those on Apache Kafka
	scripts/kafka/broker.sh with $(GOTEST) -tags '$(TAGS) kafka' -count=1 -json ./internal/conformance/... | $(GO) run ./internal/scenarios/table

# What takes longer than CI may.
.PHONY: deep
deep: wrong mutation fuzz ## the checks on the checks, and long runs

.PHONY: sim
sim: ## play seeds in the simulator: make sim SEEDS=1-200
	$(GO) run ./internal/sim/campaign -seeds $(SEEDS)

.PHONY: sim-race
sim-race: ## the same with the race detector
	$(GO) run ./internal/sim/campaign -race -seeds $(SEEDS)

.PHONY: sim-ci
sim-ci: ## 1,000 seeds, and 150 with the race detector, half of them from the commit
	$(GO) run ./internal/sim/campaign -ci

.PHONY: sweep
sweep: ## break every failpoint once, in three ways; the scenarios that need one
	$(GOTEST) -tags '$(TAGS) failpoints' -count=1 ./internal/failpoint/ ./internal/wallclock/
	$(GOTEST) -tags '$(TAGS) failpoints' -count=1 -run '^Test(AJumpOfTheWallClock|ARetryIsNotHidden)' ./internal/engine/
	$(GOTEST) -tags '$(TAGS) failpoints' -count=1 -run '^(TestCrashSweep|TestScenario(047|070|073|086|092).*)$$' ./internal/scenarios/

.PHONY: flake
flake: ## rebalance, shutdown and engine tests again and again, with the race detector
	$(GOTEST) -race -tags $(TAGS) -count=$(FLAKE_COUNT) -timeout=0 $(FLAKE_PKGS)
	$(GOTEST) -race -tags $(TAGS) -count=$(FLAKE_COUNT) -timeout=0 -run '$(FLAKE_RUN)' -skip '$(FLAKE_SKIP)' ./internal/scenarios/

.PHONY: licenses
licenses: ## write THIRD_PARTY.md
	$(GO) run ./internal/tidy/licenses

.PHONY: vuln
vuln: $(TOOLS)/govulncheck ## look for known vulnerabilities that the code reaches
	$< ./...
