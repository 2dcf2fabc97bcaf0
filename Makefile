.PHONY: check fmt real bench

check:  ## everything but the real servers
	uv run ruff format --check
	uv run ruff check
	uv run mypy
	PYTHONPATH=src uv run --isolated --only-group lint lint-imports
	uv run pytest

fmt:  ## format and repair what can be
	uv run ruff format
	uv run ruff check --fix

real:  ## tests against real model servers; installs them first (minutes, 4 GB)
	uv run python tests/real/install.py
	QUARTERDECK_REAL_REQUIRED=1 uv run pytest -n auto --maxprocesses 4 --dist loadgroup --no-loadscope-reorder -m 'not alone' tests/real
	QUARTERDECK_REAL_REQUIRED=1 uv run pytest -n 0 -m alone tests/real

bench:  ## what it costs, beside what it is measured by
	uv run python benchmarks/metrics_page.py
	uv run python benchmarks/nvml.py
	uv run python benchmarks/startup.py
	uv run python benchmarks/fleet.py
