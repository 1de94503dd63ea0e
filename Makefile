# Two commands matter: `make demo` shows the program at work, `make test` runs every test. Both fetch what they need.
.PHONY: demo build static engine test test-rust test-browser torture proof check bench bench-proxy bench-beacon bench-drain bench-agents chromium fuzz

# The system's packages need root; where make is not run by root, sudo is asked.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
APT := DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0

# What the gateway does under load is known to the compiler by a profile (profile/record makes it); an older compiler than the
# profile's could not read it and does without. Functions that have changed since, or that two parts of the program have in two
# forms, are compiled without it; that they are is not said of each.
PROFILE := $(CURDIR)/profile/release.profdata
PROFILE_LLVM := 22
RUSTC_LLVM = $(shell rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
OPTIMISED = $(if $(shell test "$(RUSTC_LLVM)" -ge $(PROFILE_LLVM) && echo 1),RUSTFLAGS="$$RUSTFLAGS -Cprofile-use=$(PROFILE) -Cllvm-args=-no-pgo-warn-mismatch")

demo: build
	@./target/release/consentry demo

build:
	$(OPTIMISED) cargo build --release --locked

test: test-rust test-browser

test-rust: engine
	cargo test --locked

# The long form of tests/torture: 500 rounds of kill -9, longer outages, more of each fault; takes long, prints its figures.
torture: engine
	TORTURE=long cargo test --locked --test promises torture:: -- --nocapture --test-threads=1

# What tools of others and heavy traffic say of the proxy; tests/proof/run lists the proofs, `make proof PROOFS="httpwg soak"` runs
# some, PROOF=long is the long form (10 GB, a soak of 30 minutes). Installs Debian's packages and Node where they are missing.
PROOFS ?=
PROOF_PACKAGES := nginx apache2-bin haproxy varnish slowhttptest openssl python3 python3-venv
proof: engine
	@PATH="$$PATH:/usr/sbin"; missing= ; for program in nginx apache2 haproxy varnishtest slowhttptest openssl; do \
		command -v $$program >/dev/null || missing=1; done; \
	if [ "$$missing" ]; then $(SUDO) apt-get -q update && \
		$(SUDO) env RUNLEVEL=1 $(APT) install --no-install-recommends $(PROOF_PACKAGES); fi
	@command -v node >/dev/null || $(SUDO) env $(APT) install --no-install-recommends nodejs
	tests/proof/run $(PROOFS)

# The real binary, the real engine and a real browser.
test-browser: engine chromium tests/browser/node_modules/.installed
	cd tests/browser && node --test --test-concurrency=1 --test-reporter=spec *.test.mjs

# Collector and banner as visitors get them, out of their readable sources; committed, so that `build` needs no Node.
static: tests/browser/node_modules/.installed
	cd tests/browser && npm run --silent build

# Formatting, lints as errors, types of the browser code, and that what is built of it is what was committed.
check: tests/browser/node_modules/.installed
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cd tests/browser && npm run --silent types && npm run --silent build -- --check

# Micro-benchmarks (criterion); medians are printed, nothing is kept outside target/.
bench:
	$(OPTIMISED) cargo bench --locked

# CPU per request beside nginx and HAProxy, in turns in one run; installs nginx, HAProxy and wrk from Debian.
bench-proxy: build
	benches/proxy/run

# CPU of an accepted beacon beside nginx answering 204 with a log line, in turns; installs nginx and wrk from Debian.
bench-beacon: build
	benches/beacon/run

# A backlog of EVENTS through the gateway beside the engine's own rate, in turns; 5 GB of disk meanwhile, some ten minutes.
EVENTS ?= 5000000
bench-drain: build engine
	$(OPTIMISED) cargo build --release --locked --example drain_parts
	EVENTS=$(EVENTS) benches/drain/run

# What would be stored of the agents in device-detector's fixtures, scored; needs pip and PyYAML, fetches the fixtures.
bench-agents:
	benches/agents/score

# Each target for FUZZ_SECONDS, without a sanitizer: nothing they call has unsafe code. What is found stays in fuzz/artifacts.
FUZZ_SECONDS ?= 30
fuzz:
	@command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	cd fuzz && for target in scrub_text scrub_url beacon visit_cookie calls mail_token choice import segment record gate; do \
		mkdir -p corpus/$$target && \
		cargo +nightly fuzz run --sanitizer none $$target corpus/$$target seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=2048 -timeout=5 -dict=$$(test -f $$target.dict && echo $$target || echo personal).dict -print_final_stats=1 || exit 1; \
	done

# The library of the embedded ClickHouse, once for this machine; tests that need it say nothing while they wait.
engine:
	cargo build --locked
	./target/debug/consentry engine --fetch

chromium:
	@command -v chromium >/dev/null || { $(SUDO) apt-get -q update && $(SUDO) env $(APT) install --no-install-recommends chromium fonts-liberation; }

tests/browser/node_modules/.installed: tests/browser/package.json tests/browser/package-lock.json
	cd tests/browser && npm ci --no-audit --no-fund --loglevel=error
	@touch $@
