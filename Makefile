# make test   every check, as CI runs them      make demo   train on the bundled reviews and predict
# make bench  the benchmarks under bench/       make clean  remove caches, builds and the demo's run
# make dist   builds wheel and sdist into dist/, looks into them, installs the wheel elsewhere and uses it
# make docs   builds the site in build/site (make test runs its examples); docs-examples writes what they print anew
# make explain-docs  the tables of docs/EXPLAIN.md, measured anew; fusion-docs, plan-docs: those of docs/FUSION.md, SCALE.md

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# Two test workers share two cores. Numba keeps four threads so that a test can ask for 1, 2 or 4 of them;
# passive waiting keeps the idle ones from taking a core.
TEST_ENV := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=4

# Two fifths of the packages' source, which hardly anything imports.
UNREAD := site-packages/(.*/tests?|pip|plotly/(graph_objs|validators)|pygments/lexers|selenium/webdriver/common/devtools|sympy/physics|torch/testing/_internal|transformers/models)/

.PHONY: test types tests demo bench dist docs docs-examples explain-docs fusion-docs plan-docs clean

test: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(MAKE) --jobs 2 types tests

# Beside the tests, which now and then wait for something.
types: $(INSTALLED)
	$(BIN)/lint-imports
	$(BIN)/mypy

tests: $(INSTALLED)
	$(TEST_ENV) $(BIN)/pytest -n 2

demo: $(INSTALLED)
	rm -rf runs/demo
	$(BIN)/lossworks fit src/lossworks/data/reviews.csv --out runs/demo
	$(BIN)/lossworks predict runs/demo \
		"I am not satisfied with this product." "I love this product!" \
		"这个产品让我很失望。" "我非常喜欢这个产品！"
	@echo "The report is at runs/demo/report.html"

docs: $(INSTALLED)
	rm -rf build/site
	$(TEST_ENV) $(BIN)/sphinx-build -E -W --keep-going -q docs build/site
	@echo "The site is at build/site/index.html"

docs-examples: $(INSTALLED)
	$(TEST_ENV) $(BIN)/python -W ignore docs/_ext/examples.py docs/start/*.md docs/guides/*.md docs/tutorial/*.md docs/notebooks/*.ipynb

dist: $(INSTALLED)
	$(BIN)/python .ci/dist.py

bench: $(INSTALLED)
	@set -e; for script in bench/[a-z]*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

explain-docs: $(INSTALLED)
	@set -e; for script in explain explain_verdict label_errors slices; do \
		LOSSWORKS_PAGE=docs/EXPLAIN.md $(BIN)/python bench/$$script.py; done

fusion-docs: $(INSTALLED)
	LOSSWORKS_PAGE=docs/FUSION.md $(BIN)/python bench/fuse.py
	LOSSWORKS_PAGE=docs/FUSION.md $(BIN)/python bench/teach.py

plan-docs: $(INSTALLED)
	$(TEST_ENV) LOSSWORKS_PAGE=docs/SCALE.md $(BIN)/python bench/plan.py

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --no-compile -c constraints.txt torch
	$(BIN)/pip install --no-compile -c constraints.txt -e ".[dev,sklearn]"
	@# bytecode, on all cores where pip makes it on one, and of src too: tests start many processes, some machines keep none
	$(BIN)/python -m compileall -qq -j 0 -x '$(UNREAD)' .venv/lib src || true  # some packages hold templates that are no Python
	touch $@

clean:
	rm -rf runs/demo build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
