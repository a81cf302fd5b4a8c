# Everything there is to do with the relay. `make` alone lists it.

FUNCTIONS     := receive fanout deliver sweep admin
GOLANGCI_LINT := v2.6.2
# Without the state of the checkout, so that a function that has not changed is not deployed again.
GOFLAGS_SMALL  = -trimpath -buildvcs=false -tags $(or $(TAGS_$(fn)),$(TAGS)) -ldflags="-s -w"
# Without HTTP/2 a function is 0.3 MB smaller. The services of AWS do not speak it, but endpoints do.
TAGS          := lambda.norpc,nethttpomithttp2
TAGS_deliver  := lambda.norpc
# Without inlining admin is 8 % smaller, and starts and answers as quickly. Not so the standard library: without its
# inlining a start takes a fifth longer.
GOFLAGS_admin := -gcflags=all=-l -gcflags=std=
BIN           := bin
# How many packages are tested at once: many tests wait, for emulators and for time to pass.
TOGETHER      := $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
CDK           := infra/node_modules/.bin/cdk
# A module of its own, so that the product does not depend on vendors' packages.
INTEROP       := shared/lab/interop

# The CDK prints a banner on Node 20, which is past its end of life and works.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION ?= 20

.DEFAULT_GOAL := help
.PHONY: help run send test test-aws test-interop test-midnight test-long test-race e2e soak cost docs bench bench-diff fuzz lint fmt build-lambda build-local synth deploy node browser clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The compiler collects less garbage than it would, which is a fifth of its work, for 0.1 GB.
lint build-lambda build-local synth: export GOGC := 400

# The tag leaves out the AWS SDK, which only --stack needs, and half of the time to build.
run: ## run the relay on 127.0.0.1:8080 with a demonstration: one signed webhook, one failure, one delivery
	@GOGC=400 go build -buildvcs=false -tags local -o bin/relay-local ./functions/relay
	@exec bin/relay-local local --demo --data .relay/demo $(ARGS)

send: ## send a signed sample to a running relay: make send PROVIDER=stripe
	@go run ./functions/relay send $(or $(PROVIDER),github) $(ARGS)

test: node browser test-interop ## run the tests (3 minutes on 2 cores); installs what it needs
	go test -p $(TOGETHER) -timeout 15m ./...

# What the product's signatures are held against is no dependency of the product.
test-interop:
	cd $(INTEROP) && go test ./...

SCRIPTS := TestRandomScripts|TestLostMessages|TestFaultAtEveryCall

test-long: node test-race ## what make test leaves out: ten times as many random scripts and faults, and the race detector
	RELAY_TEST_LONG=1 go test -timeout 30m -run '$(SCRIPTS)' ./shared/relay/...
	RELAY_TEST_LONG=1 go test -timeout 30m ./shared/lab/invoke

# The race detector makes a test up to ten times as slow. It watches the packages in which goroutines of the product
# meet, but for tests that do one thing many times in a row. Of package verify these are SHARED: what its verifiers and
# fetchers share. Packages deployed and invoke are raced nowhere: they run functions that are built as for Lambda. jsii,
# which CDK in Go rests on, has data races of its own.
RACED  := ./functions/... ./shared/admin/... ./shared/aws/... ./shared/egress/... ./shared/lambda/... ./shared/local/... ./shared/relay/... ./shared/telemetry/...
SERIAL := TestASlowEndpointDelays|TestPlacesThatWereKept|TestWhatComesAllAtOnce|TestARateIsUsedAndKept|TestAThousandQuiet
SERIAL := $(SERIAL)|TestSend(As|Takes|Prints)|OfTenThousand|ToTenThousand|OfThousands|CutShort|TestOldGenerations
SERIAL := $(SERIAL)|TestNoCredentialIsPassedOn|TestListingsOfRandom|TestAttacks|AnyCallMayFail|TestLinksResolve
SERIAL := $(SERIAL)|TestNightsAndWeekends|TestEveryCharacter|PagesReadABounded|TestScripts|TestTheWalk|TestExamples|InABrowser|InAFrame
SHARED := Cached|Fetch|Concurren|Vectors|Handshake

test-race: node ## the race detector on the packages in which goroutines meet
	GOGC=400 go build -race $(RACED)
	go test -p $(TOGETHER) -timeout 30m -race -skip '$(SERIAL)' $(RACED)
	go test -timeout 30m -race -run '$(SHARED)' ./shared/verify

test-aws: node ## fail each kind of AWS call in every way; make test does a quarter of it
	RELAY_TEST_LONG=1 go test -timeout 30m ./shared/lab/onaws

test-midnight: node browser ## the tests on a clock that reaches midnight LEFT (10) seconds after those of a package begin
	.ci/midnight $(or $(LEFT),10) $(or $(PACKAGES),./...)

e2e: node ## run the synthesised stack on emulated AWS, with its permissions checked; a part of make test
	go test -count=1 -v -run TestDeployed ./shared/lab/deployed

soak: ## kill a local relay under load for FOR (1m) and check that nothing is lost
	go test -count=1 -v -timeout 0 -run '^TestSoak$$' ./shared/lab/soak -for $(or $(FOR),1m) $(ARGS)

# One package after the other: two tests may write the same page.
docs: ## write the generated pages and tables of the documentation anew
	go test -count=1 -run TestProvidersPage ./shared/verify -update
	go test -count=1 -p 1 -run TestPage ./functions/relay ./shared/lab/cost ./shared/relay ./shared/retry -update-docs

cost: node ## measure what webhooks use of AWS (some 10 minutes), and write docs/cost.md
	go test -count=1 -timeout 40m -run '^$$' -bench '^BenchmarkUsage$$' -benchtime 1x ./shared/lab/deployed -usage $(CURDIR)/shared/lab/cost/testdata/usage.json
	go test -count=1 -timeout 10m -run '^$$' -bench '^BenchmarkAPIUsage$$' -benchtime 1x ./shared/lab/deployed -api-usage $(CURDIR)/shared/lab/cost/testdata/api.json
	go test -count=1 -run TestPage ./shared/lab/cost -update-docs

bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./shared/... ./functions/...

# Both in turn, because the speed of a machine changes within minutes. What is in the working tree is measured, committed or not.
bench-diff: ## compare the key benchmarks with those of BASE (main): each ROUNDS (6) times, in turn, by benchstat
	.ci/bench-diff $(or $(BASE),main) $(or $(ROUNDS),6)

fuzz: ## fuzz each parser of foreign bytes for FUZZTIME (10s, or 5000x: so many inputs)
	@for target in $$(grep -rlE '^func Fuzz' --include='*_test.go' shared | xargs -n1 dirname | sort -u); do \
		for name in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$target/*_test.go | cut -c6-); do \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(or $(FUZZTIME),10s) -fuzzminimizetime 10x ./$$target || exit 1; \
		done; \
	done

lint: bin/golangci-lint ## gofmt, go vet and golangci-lint; of the module for interoperability go vet alone
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	bin/golangci-lint run
	cd $(INTEROP) && go vet ./...

bin/golangci-lint: Makefile
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	@touch $@

fmt: ## format the code
	gofmt -w $$(git ls-files '*.go')

build-lambda: ## build the functions for Lambda (arm64) into bin/lambda
	@$(foreach fn,$(FUNCTIONS),GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build $(GOFLAGS_SMALL) $(GOFLAGS_$(fn)) \
		-o $(BIN)/lambda/$(fn)/bootstrap ./functions/$(fn) &&) true
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build $(GOFLAGS_SMALL) -o $(BIN)/lambda/deliver/jq ./functions/jq
	mkdir -p $(BIN)/lambda/admin && cp $(BIN)/lambda/deliver/jq $(BIN)/lambda/admin/jq

build-local: ## build the functions for this machine into bin/local
	@$(foreach fn,$(FUNCTIONS),CGO_ENABLED=0 go build $(GOFLAGS_SMALL) $(GOFLAGS_$(fn)) \
		-o $(BIN)/local/$(fn)/bootstrap ./functions/$(fn) &&) true
	CGO_ENABLED=0 go build $(GOFLAGS_SMALL) -o $(BIN)/local/deliver/jq ./functions/jq
	mkdir -p $(BIN)/local/admin && cp $(BIN)/local/deliver/jq $(BIN)/local/admin/jq

synth: build-lambda ## synthesise the CloudFormation template into cdk.out; needs no AWS account and no network
	CDK_OUTDIR=cdk.out go run ./infra

deploy: node ## deploy to the AWS account that your credentials name; ARGS for the CDK CLI
	$(CDK) deploy $(ARGS)

# The CDK CLI and the emulators of AWS services, as pinned in infra/package-lock.json.
node: infra/node_modules/.package-lock.json

infra/node_modules/.package-lock.json: infra/package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { \
		echo "Node.js 22 or newer with npm is needed (the tests' AWS emulators and the CDK CLI run on it): https://nodejs.org"; exit 1; }
	npm ci --prefix infra --no-audit --no-fund
	@touch $@

# An installed one is used. The tests that need one are skipped if there is none.
browser: node ## fetch a Chromium for the tests of the pages, if no browser is installed
	@shared/lab/browser/fetch

clean: ## remove what was built; .relay, which holds data, stays
	rm -rf bin cdk.out infra/node_modules shared/lab/browser/node_modules
