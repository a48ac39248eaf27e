# Two commands matter: `make run` and `make test`. `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
MESSAGES ?= 1000

.PHONY: help run demo test lint types check verify expected chaos campaign mutants bench stop clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/installed .env ## Set up, load 1,000 messages, process them, say what to type next
	@$(BIN)/python manage.py devdb start
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py load_samples --count $(MESSAGES)
	@$(BIN)/python manage.py run_inbox_worker --drain
	@printf '\nWhat to type next:\n'
	@$(BIN)/python manage.py make_dev_login

test: .venv/installed-dev ## Run all tests (on DATABASE_URL if it is set, else on the embedded PostgreSQL)
	@$(BIN)/python -m pytest $(ARGS)

lint: .venv/installed-dev ## Check style, layers and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy .

check: .venv/installed-dev ## Check settings and migrations
	@DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py check
	@DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run

demo: .venv/installed .env ## Run everything with simulated neighbours for SECONDS=60, to watch in the admin
	@$(BIN)/python manage.py devdb start
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py demo $(if $(SECONDS),--seconds $(SECONDS)) $(if $(PORT),--port $(PORT))

# Never on another database: this migrates it first.
verify: export DATABASE_URL :=
verify: export DATABASE_DIRECT_URL :=
verify: .venv/installed .env ## Prove every lock on a scratch database; ARGS="--quick", ARGS="--html report.html"
	@$(BIN)/python manage.py devdb start
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py verify_locks $(ARGS)

expected: .venv/installed-dev .env ## Write down what the migrations make, which verify_locks compares with
	@$(BIN)/python manage.py devdb start
	@$(BIN)/python -m tools.expected_set_up

chaos: .venv/installed-dev ## Break everything for SECONDS=300 and check that nothing is lost; POOLER=1: behind PgBouncer
	@$(BIN)/python -m tests.chaos --seconds $(or $(SECONDS),300) $(if $(SEED),--seed $(SEED)) $(if $(POOLER),--pooler)

campaign: .venv/installed-dev ## Break everything in SLICES=1 of SECONDS=300, with all kinds of faults, and keep the results
	@$(BIN)/python -m tests.chaos.campaign $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SLICES),--slices $(SLICES)) $(if $(SEED),--seed $(SEED))

mutants: .venv/installed-dev ## Check that the chaos test fails without each protection
	@$(BIN)/python -m tests.chaos.all_mutants

bench: .venv/installed-dev ## Measure a drain, next to raw SQL and one message at a time
	@$(BIN)/python -m benchmarks.drain

stop: .venv/installed ## Stop the embedded PostgreSQL
	@$(BIN)/python manage.py devdb stop

clean: ## Stop the embedded PostgreSQL and remove it with all its data, .venv and caches
	@test ! -x $(BIN)/python || $(BIN)/python manage.py devdb stop
	rm -rf .postgres .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; make PYTHON=python3.11 names another.") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python requirements.txt
	@echo "Installing requirements into .venv …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	@echo "Installing test requirements into .venv …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.env:
	@umask 077; $(PYTHON) -c 'import secrets as s; print(f"DEBUG=on\nSECRET_KEY={s.token_urlsafe(50)}\nDEV_ADMIN_PASSWORD={s.token_urlsafe(9)}")' > $@
	@echo "Wrote .env: DEBUG, a random SECRET_KEY and a password for the admin."
