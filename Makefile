# One line each; `make help` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
BENCH  := benchmarks/.venv
TALK   := benchmarks/.recognise-venv
ROOMS  ?=
SPEECH ?=
DEMO   := sample_audio/two_speakers

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format race bench bench-long recognise soak reference picture samples dist clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.installed ## make the environment and install the project with its development tools

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "This needs Python 3.10 or later with venv (Debian: apt-get install python3-venv); PYTHON=... names another."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: install ## separate a sample recording into out/ and say how much was gained
	$(BIN)/auxiva separate $(DEMO)_mix.wav -o out/ --force
	$(BIN)/auxiva evaluate --reference $(DEMO)_ref1.flac --reference $(DEMO)_ref2.flac \
	  --mixture $(DEMO)_mix.wav out/two_speakers_mix_src1.wav out/two_speakers_mix_src2.wav
	@echo "The two speakers are in out/two_speakers_mix_src1.wav and out/two_speakers_mix_src2.wav."

test: install ## run the whole test suite
	$(BIN)/python -m pytest -q -n auto --dist loadfile

lint: install ## check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: install ## put the code into the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

race: install ## race the algorithms over simulated rooms into benchmarks/RACE.md; SPEECH=folder of speech
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[plot]'
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.race $(SPEECH)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.gradient $(SPEECH)

bench: $(BENCH)/.installed ## compare the speed with the peers (ROOMS=DIR: on recordings of one's own)
	$(BENCH)/bin/python -m benchmarks.speed $(if $(ROOMS),--rooms '$(ROOMS)')

bench-long: $(BENCH)/.installed ## separate 5 s to 10 h of sound: time and memory
	$(BENCH)/bin/python -m benchmarks.long $(if $(ROOMS),--rooms '$(ROOMS)')

recognise: $(TALK)/.installed ## how well mixtures are recognised (takes flite and festival; SPEECH=folder with texts)
	OPENBLAS_NUM_THREADS=1 $(TALK)/bin/python -m benchmarks.recognise $(if $(SPEECH),--speech '$(SPEECH)')

$(TALK)/.installed: pyproject.toml benchmarks/recognise-requirements.txt
	$(PYTHON) -m venv $(TALK)
	$(TALK)/bin/python -m pip install --quiet --disable-pip-version-check --editable . \
	  --requirement benchmarks/recognise-requirements.txt
	@touch $@

soak: install ## hours of hard use: kills, failing calls, thousands of recordings, dying workers, gigabytes, a day
	cc -shared -fPIC -o $(VENV)/failing_calls.so tests/audio/failing_calls.c -ldl
	at=$$(mktemp -d) && LD_PRELOAD=$(CURDIR)/$(VENV)/failing_calls.so OPENBLAS_NUM_THREADS=1 \
	  $(BIN)/python tests/audio/failing_run.py "$$at" 0 && rm -r "$$at"
	$(BIN)/python -m benchmarks.soak

# A peer that does not install is left out of the tables, with the reason.
$(BENCH)/.installed: pyproject.toml benchmarks/requirements.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@grep -v '^#' benchmarks/requirements.txt | while read -r peer; do \
	  $(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check "$$peer" || \
	    echo "$$peer does not install"; \
	done
	@touch $@

reference: install ## renew the command reference and the man page from the help of the commands
	$(BIN)/python docs/make_reference.py
	$(BIN)/python docs/make_man_page.py

picture: install ## draw the picture of the README anew
	$(BIN)/python docs/make_picture.py

dist: install ## build the wheel and the source distribution into dist/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check build
	$(BIN)/python -m build --outdir dist

samples: install ## make the sample recordings anew (takes flite, apt-get install flite)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[samples]'
	$(BIN)/python sample_audio/make_samples.py

clean: ## remove what the other targets made
	rm -rf $(VENV) $(BENCH) $(TALK) benchmarks/.recognition benchmarks/.quality benchmarks/.learning build dist out *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
