# Two commands do all the set-up on a fresh Debian with Python 3.11 and git: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
SEEDS ?= 200
PAGES ?= 100000
SEED ?= 1

.PHONY: demo screenshots test check simulate soak-pages bench lab lock wheel clean
.DEFAULT_GOAL := help

help:
	@echo "make demo              a shift on a simulated PBX, on this terminal and in your browser"
	@echo "make screenshots       the pictures of the README, from the demo"
	@echo "make test              everything: style, types, tests, the real Asterisk"
	@echo "make check             style and types only"
	@echo "make simulate SEEDS=…  the deterministic simulation: a count, or seeds to replay"
	@echo "make soak-pages PAGES=…  pages while the service is killed at random: none is lost"
	@echo "make bench             benchmarks, as a table of ratios"
	@echo "make lock              resolve the dependencies anew"

# uv is not on a fresh Debian: the environment is made with python3, and uv installed into it.
# requirements*.lock hold versions and hashes, and no addresses: pip's own set-up says where packages come from.
$(BIN)/.ready: requirements.lock requirements-dev.lock pyproject.toml
	scripts/environment $(PYTHON)
	@touch $@

demo: $(BIN)/.ready
	$(BIN)/bagvagt demo

screenshots: $(BIN)/.ready
	scripts/system-packages chromium fonts-dejavu-core
	$(BIN)/python scripts/screenshots

test: $(BIN)/.ready
	scripts/test

check: $(BIN)/.ready
	scripts/check

simulate: $(BIN)/.ready
	scripts/simulate "$(SEEDS)"

soak-pages: $(BIN)/.ready
	$(BIN)/python -m tests.soak.soak --pages $(PAGES) --seed $(SEED)

bench: $(BIN)/.ready
	scripts/bench

lab: $(BIN)/.ready
	scripts/lab

lock: $(BIN)/.ready
	scripts/lock

wheel: $(BIN)/.ready
	$(BIN)/uv build --wheel

clean:
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
