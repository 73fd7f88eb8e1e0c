# Each target is a line that a person could type, with `uv run --locked` for $(RUN).
# uv itself is put into the cache when it is not on PATH (hack/tools/uv).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

UV := hack/tools/uv
RUN := $(UV) run --locked --quiet
CRD := charts/summaryrule-operator/files/crd.yaml
MODEL := summaryrule.api.v1:SummaryRule
REFERENCE := docs/reference/api.md
CHART := charts/summaryrule-operator
DIST := dist
# $(call tool,NAME) is the path of a binary that `make binaries` finds or builds.
tool = $$($(RUN) python -m devstack binaries | awk '$$1 == "$(1)" { print $$2 }')
# The chart of the last release, as helm packaged it: what an upgrade starts from.
RELEASED := hack/released/summaryrule-operator-0.1.0.tgz

.venv:
	@echo "Installing the packages of uv.lock into .venv (about half a minute)" >&2
	@$(UV) sync --locked --quiet

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/' | expand -t 20

.PHONY: demo
demo: | .venv ## Run a backfill from start to end on real components and check every row (less than a minute once binaries are cached)
	@$(RUN) python -m devstack demo

.PHONY: up
up: | .venv ## Start a stack: API server, Kusto endpoint, webhook, worker
	@$(RUN) python -m devstack up

.PHONY: down
down: | .venv ## Stop the stack and remove its files
	@$(RUN) python -m devstack down

# Whatever fails here, the shell that evaluates the output must not keep another cluster.
.PHONY: env
env: ## Print export lines for a shell: kubectl, helm and python of this stack
	@$(RUN) python -m devstack env || \
	    printf '%s\n' "export KUBECONFIG='$(CURDIR)/devstack/no-stack.kubeconfig'" false

.PHONY: status
status: | .venv ## List the processes of the stack: pid, health, address, log
	@$(RUN) python -m devstack status --allow-stopped

.PHONY: binaries
binaries: | .venv ## Find or build etcd, kube-apiserver, kubectl, helm and the chart's checkers (minutes, the first time only)
	@$(RUN) python -m devstack binaries --for-tests

.PHONY: test
test: binaries | .venv ## Run the tests; those marked e2e share one API server and one stack
	@$(MAKE) --no-print-directory -j2 test-e2e test-others

.PHONY: test-e2e
test-e2e: | .venv
	$(RUN) pytest -m "e2e and not proof"

# Beside the ones above, which mostly wait; so only the last line is shown, or all of it on failure.
.PHONY: test-others
test-others: | .venv
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	$(RUN) pytest -m "not e2e and not proof" -n 2 >"$$log" 2>&1 || { cat "$$log"; exit 1; }; \
	tail -n 1 "$$log"

.PHONY: test-conditions
test-conditions: binaries ## Run tests as other machines have it: CONDITIONS='home proxy' TESTS=tests/docs (hack/ci/README.md)
	python3 hack/ci/conditions.py $(CONDITIONS) --tests "$(TESTS)"

.PHONY: lint
lint: check-lock check-crds | .venv ## Check style, types, layers, the lock file and the CRD
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(RUN) lint-imports

.PHONY: check-lock
check-lock: | .venv ## Check that uv.lock is what pyproject.toml asks for
	$(UV) lock --check

.PHONY: crds
crds: | .venv ## Write the chart's CRD and its reference page from the models
	$(RUN) python -m crdgen generate $(MODEL) -o $(CRD) --reference $(REFERENCE)

.PHONY: check-crds
check-crds: | .venv ## Check that both are what the models say, sound, and break nobody on the last release
	$(RUN) python -m crdgen generate $(MODEL) -o $(CRD) --reference $(REFERENCE) --verify
	$(RUN) python -m crdgen check $(CRD)
	$(RUN) python -m crdgen diff --waivers hack/released/waivers.yaml <(tar -xzOf $(RELEASED) summaryrule-operator/files/crd.yaml) $(CRD)

.PHONY: check-real-crds
check-real-crds: | .venv ## Check crdgen on published definitions: make check-real-crds CRDS=FOLDER
	@test -d "$(CRDS)" || { echo "make $@: name a folder of CRDs: make $@ CRDS=FOLDER" >&2; exit 2; }
	$(RUN) python -m tests.crdgen.real $(CRDS)

.PHONY: image-check
image-check: binaries | .venv ## Check the Dockerfile, and what it makes, as far as it goes without an image registry
	$(RUN) --group image hadolint Dockerfile
	$(RUN) --group image pytest tests/image

.PHONY: image-rehearsal
image-rehearsal: ## Build and run the image for real on a base of Debian's packages (root; minutes)
	hack/image/rehearse

.PHONY: sbom
sbom: | .venv ## Write dist/sbom.cdx.json: what is in the image, from the lock, as CycloneDX
	mkdir -p $(DIST)
	$(UV) export --quiet --locked --no-dev --format cyclonedx1.5 | $(RUN) python hack/image/sbom.py > $(DIST)/sbom.cdx.json

.PHONY: chart-readme
chart-readme: | .venv ## Write the chart's README and the comments of its values from its schema (a test compares them)
	values=$$(mktemp); $(RUN) python -m tests.chart.reference values > $$values && cat $$values > $(CHART)/values.yaml; rm -f $$values
	$(RUN) python -m tests.chart.reference readme > $(CHART)/README.md

.PHONY: test-alerts
test-alerts: | .venv ## Test the alerts with promtool (the first time it is built: two minutes)
	$(RUN) pytest -m proof tests/chart/test_alerts.py

.PHONY: prove-rbac
prove-rbac: binaries | .venv ## Take each verb from the chart's roles and print which check fails then (minutes)
	$(RUN) pytest -m proof tests/chart/rbac

.PHONY: docs
docs: | .venv ## Build the documentation into site/, strictly
	NO_MKDOCS_2_WARNING=1 $(RUN) --group docs mkdocs build --strict
	@echo "The site is in $(CURDIR)/site: open index.html there, or run make docs-serve (search needs a server)"

DOCS_ADDRESS := 127.0.0.1:8000
.PHONY: docs-serve
docs-serve: | .venv ## Serve the documentation on loopback, rebuilt on changes: make docs-serve DOCS_ADDRESS=…
	NO_MKDOCS_2_WARNING=1 $(RUN) --group docs mkdocs serve --dev-addr $(DOCS_ADDRESS)

.PHONY: structure
structure: binaries | .venv ## Measure the code: files and lines per package, files on the path of a window and of a review
	@$(RUN) python -m hack.structure

.PHONY: bench
bench: | .venv ## Measure crdgen against controller-gen, on this machine, interleaved
	$(RUN) python -m bench.crdgen

.PHONY: bench-webhook
bench-webhook: | .venv ## Measure the webhook against Go, Kopf and FastAPI on one core, interleaved (needs Go; minutes)
	$(RUN) --group bench python -m bench.webhook
	$(RUN) --group bench python -m bench.webhook --path /mutate

.PHONY: bench-status-page
bench-status-page: | .venv ## Measure the status page: ten thousand rules, ten viewers, the first paint (two minutes)
	$(RUN) python -m bench.status_page

.PHONY: bench-worker
bench-worker: binaries | .venv ## Measure the worker on a stack of its own: pace, writes, ten thousand rules (a quarter of an hour)
	$(RUN) python -m bench.worker

.PHONY: pictures
pictures: binaries | .venv ## Draw the pictures of the documentation from a stack of its own (a minute; needs Chromium and tmux)
	$(RUN) python -m tests.pictures

.PHONY: simulate
simulate: | .venv ## Run the worker through ten thousand random schedules in virtual time
	$(RUN) python -m tests.worker.simulation --schedules 10000

# A proof runs for minutes on a stack of its own and prints its figures (docs/reliability.md).
PROOF = $(RUN) pytest -q -s -m proof

.PHONY: prove
prove: ## Run every proof in turn: all targets that begin with prove-
	@failed=; for proof in $$(grep -hoE '^prove-[a-z-]+' $(MAKEFILE_LIST) | sort -u); do \
	    $(MAKE) $$proof || failed="$$failed $$proof"; \
	done; [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

.PHONY: prove-crashes
prove-crashes: binaries | .venv ## Kill -9 the worker after each side effect of a backfill, in turn
	$(PROOF) tests/e2e/proofs/test_crashes.py

.PHONY: prove-recompute
prove-recompute: binaries | .venv ## Recompute 720 windows in mode Replace with 20 kills and a reader that polls
	$(PROOF) tests/e2e/proofs/test_recompute.py

.PHONY: prove-two-workers
prove-two-workers: binaries | .venv ## Stop the leader past its Lease and wake it, at several moments
	$(PROOF) tests/e2e/proofs/test_two_workers.py

.PHONY: prove-failures
prove-failures: binaries | .venv ## Show the rows of the failure table that take minutes
	$(PROOF) tests/e2e/proofs/test_slow_failures.py tests/e2e/proofs/test_outage.py tests/e2e/proofs/test_silent_endpoints.py

.PHONY: prove-drill
prove-drill: binaries | .venv ## Cause each failure that an operator can meet, carry out what is printed, and show the table
	$(PROOF) tests/e2e/proofs/drill

.PHONY: prove-reapply
prove-reapply: binaries | .venv ## Apply a running backfill's manifest 200 times at random moments
	$(PROOF) tests/e2e/proofs/test_reapplies.py

.PHONY: prove-kills
prove-kills: binaries | .venv ## Kill -9 the worker twenty times at random moments, 1 and 8 in flight
	$(PROOF) tests/e2e/proofs/test_kills.py

.PHONY: prove-query-checks
prove-query-checks: binaries | .venv ## Apply 1,000 rules at once and show that no window waits for the checks of their queries
	$(PROOF) tests/e2e/proofs/test_many_checks.py

.PHONY: fuzz
fuzz: | .venv ## Throw a million generated reviews at the webhook's application
	$(RUN) python -m tests.webhook.fuzz --count 1000000

.PHONY: prove-agreement
prove-agreement: binaries | .venv ## Judge 30,000 generated specs on a real API server and in Python
	$(PROOF) tests/e2e/test_agreement.py

.PHONY: prove-models
prove-models: binaries | .venv ## Hold 20,000 random Pydantic models to a real API server (ten minutes)
	$(PROOF) tests/crdgen/differential/test_random_models.py

.PHONY: prove-helm
prove-helm: binaries | .venv ## Upgrade releases by helm 3 and 4 while their backfills run
	$(PROOF) tests/e2e/test_admission_reapply.py

.PHONY: e2e-rotation
e2e-rotation: binaries | .venv ## Restart replicas, rotate leaves and the CA under load: no request fails
	$(PROOF) tests/e2e/rotation

.PHONY: prove-rotation
prove-rotation: e2e-rotation

.PHONY: release
release: dist-chart dist-python sbom ## Write dist/: the chart, its CRD, manifests for kustomize, wheels, bill of materials, checksums
	cd $(DIST) && find . -type f ! -name SHA256SUMS -printf '%P\n' | LC_ALL=C sort | xargs sha256sum > SHA256SUMS
	@cd $(DIST) && sha256sum --quiet --check SHA256SUMS && wc -l SHA256SUMS

# Each part of a release has a target of its own, dist-…, that `release` depends on.
.PHONY: dist-chart
dist-chart: | .venv
	rm -rf $(DIST)/*.tgz $(DIST)/crd.yaml $(DIST)/kustomize
	mkdir -p $(DIST)/kustomize
	cp $(CRD) $(DIST)/crd.yaml
	cp $(CRD) hack/release/namespace.yaml hack/release/kustomization.yaml $(DIST)/kustomize/
	helm=$(call tool,helm); $$helm package $(CHART) --destination $(DIST); \
	$$helm template summaryrule-operator $(CHART) --namespace summaryrule-system \
	    --no-hooks --set crds.enabled=false > $(DIST)/kustomize/operator.yaml

.PHONY: dist-python
dist-python: ## Build four wheels into dist/: of the operator, the plugin alone, crdgen and the local endpoint
	rm -f $(DIST)/*.whl
	$(UV) build --quiet --all-packages --wheel --no-create-gitignore --out-dir $(DIST)
	$(UV) build --quiet --wheel --no-create-gitignore --out-dir $(DIST) hack/release/plugin

# The archive has a launcher, the wheel, and the locked versions of what it needs, with hashes.
.PHONY: krew
krew: | .venv ## Write the plugin's krew archive and manifest: make krew DOWNLOADS=https://…
	@test -n "$(DOWNLOADS)" || { echo "make $@: name the URL under which dist/ is published: make $@ DOWNLOADS=https://…" >&2; exit 2; }
	@$(MAKE) --no-print-directory dist-python
	rm -rf $(DIST)/krew && mkdir -p $(DIST)/krew
	cp hack/release/plugin/kubectl-summaryrule LICENSE $(DIST)/kubectl_summaryrule-*.whl $(DIST)/krew/
	$(UV) export --quiet --locked --no-dev --no-emit-project --no-hashes | $(UV) pip compile --quiet --universal \
	    --python-version 3.11 --generate-hashes --no-header --no-annotate --constraint - \
	    hack/release/plugin/pyproject.toml --output-file $(DIST)/krew/requirements.txt
	tar --create --gzip --sort=name --owner=0 --group=0 --numeric-owner --mtime=2020-02-02 \
	    --directory $(DIST)/krew --file $(DIST)/kubectl-summaryrule.tar.gz .
	version=$$($(UV) version --short); $(RUN) python hack/release/plugin/krew.py $$version \
	    $(DIST)/kubectl-summaryrule.tar.gz "$(DOWNLOADS)" > $(DIST)/krew.yaml
	rm -rf $(DIST)/krew
