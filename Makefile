# The project's few commands. `make` alone lists them.

PREFIX ?= /usr/local
CARGO  ?= cargo
TOOLS  := $(notdir $(wildcard tools/pso-*))
# Where cargo puts what it builds; the tests and the demo look for the tools beside their own binaries.
TARGET := $(or $(CARGO_TARGET_DIR),target)
# What fuzzing builds, the inputs that it has found to reach more code, and those that break a promise. No sanitizer: the
# code has nothing unsafe, and so the stable toolchain will do.
FUZZ    := $(abspath $(TARGET))/fuzz
SECONDS ?= 600

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: build
build: ## Build the tools, optimised, into target/release
	$(CARGO) build --release --locked
	$(CARGO) build --release --locked -p pso-rehearse

.PHONY: demo
demo: ## Start a deployment, maintain it, break it, restore it, rehearse its backup, and show all of that
	@tests/prepare.sh demo
	$(CARGO) build --locked --workspace --bins
	@$(TARGET)/debug/pso-demo

.PHONY: playground
playground: ## Start the demo's deployment and keep it up until Ctrl-C, to try the tools on
	@tests/prepare.sh demo
	$(CARGO) build --locked --workspace --bins
	@$(TARGET)/debug/pso-demo --hold

.PHONY: test
test: lint ## All checks: format, lints, docs, scripts, unit and end-to-end tests
	$(CARGO) build --locked --workspace --bins
	$(CARGO) test --locked --workspace

.PHONY: test-pg-matrix
test-pg-matrix: ## Test pso-pgstats against the PostgreSQL versions of tests/pg-versions.txt, and the installed one
	@tests/prepare.sh test-pg-matrix
	$(CARGO) build --locked -p pso-pgstats
	@failed=; for version in $$(sed -n 's/^\([0-9]*\)\.[^ ]* [^ ]*$$/\1/p' tests/pg-versions.txt); do \
		echo "PostgreSQL $$version"; \
		PSO_TEST_PG_VERSION=$$version $(CARGO) test --locked -p pso-tests --test e2e -- pgstats --skip pgstats::versions \
			|| failed="$$failed $$version"; \
	done; \
	echo 'PostgreSQL as installed, and what holds for all versions'; \
	PSO_TEST_PG_VERSIONS=all $(CARGO) test --locked -p pso-tests --test e2e -- pgstats || failed="$$failed installed"; \
	[ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

.PHONY: lint
lint: ## Formatting, clippy, rustdoc and shellcheck, all with warnings denied
	@tests/prepare.sh test
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --workspace --no-deps --document-private-items
	shellcheck -x scripts/*.sh tests/*.sh .ci/run .package/*.sh
	@! $(CARGO) tree --locked --edges normal,build $(addprefix -p ,$(filter-out pso-rehearse,$(TOOLS))) | grep qdrant-edge \
		|| { echo 'only pso-rehearse may depend on qdrant-edge, which takes minutes to build' >&2; exit 1; }

.PHONY: torture
torture: ## Kill backup, restore and alert at random moments, over and over; PSO_TORTURE_SEED and PSO_TORTURE_ROUNDS
	@tests/prepare.sh test
	$(CARGO) build --locked -p pso-backup -p pso-restore -p pso-alert -p qdrant-standin
	@set -e; seed=$${PSO_TORTURE_SEED:-$$(date +%s)}; echo "PSO_TORTURE_SEED=$$seed"; \
	PSO_TORTURE_SEED=$$seed PSO_TORTURE_ROUNDS=$${PSO_TORTURE_ROUNDS:-200} \
		$(CARGO) test --locked -p pso-tests --test e2e -- --include-ignored backup_restore::torture; \
	PSO_CHAOS_SEED=$$seed PSO_CHAOS_INCIDENTS=9000 $(CARGO) test --locked -p pso-tests --test e2e -- alert::chaos; \
	PSO_ALERT_SIMULATIONS=400 $(CARGO) test --locked -p pso-alert --lib -- simulation

.PHONY: fuzz
fuzz: ## Feed pso-logscan's readers bytes that nobody wrote, all or PART=stamps, SECONDS=600 each; needs cargo-fuzz
	@command -v cargo-fuzz >/dev/null || { echo 'cargo-fuzz is missing; run:  cargo install --locked cargo-fuzz' >&2; exit 3; }
	@cp Cargo.lock tests/fuzz/Cargo.lock
	@set -e; for part in $(or $(PART),$(notdir $(wildcard tests/fuzz/seeds/*))); do \
		mkdir -p "$(FUZZ)/corpus/$$part" "$(FUZZ)/findings/$$part"; \
		$(CARGO) fuzz run --fuzz-dir tests/fuzz --target-dir '$(FUZZ)' --sanitizer none $$part \
			"$(FUZZ)/corpus/$$part" tests/fuzz/seeds/$$part -- -dict=tests/fuzz/dictionary -max_len=4096 \
			-artifact_prefix="$(FUZZ)/findings/$$part/" -timeout=10 -max_total_time=$(SECONDS) -print_final_stats=1; \
	done

.PHONY: bench
bench: build ## Measure against what people use today, all or PART=backup; prints ratios, asserts nothing
	@tests/prepare.sh bench
	$(CARGO) build --release --locked -p qdrant-standin
	PSO_TEST_STANDIN='$(abspath $(TARGET)/release/qdrant-standin)' \
		$(CARGO) run --locked --quiet -p pso-tests --bin pso-bench -- $(PART)

.PHONY: install
install: build licences ## Install the tools, manual pages, completions and scripts below PREFIX (/usr/local); DESTDIR is honoured
	@.package/stage.sh '$(abspath $(TARGET))/release' '$(DESTDIR)' '$(PREFIX)' '$(abspath $(TARGET))/dist/LICENSES.txt'

.PHONY: uninstall
uninstall: ## Take away what `make install` has put below PREFIX
	@.package/unstage.sh '$(DESTDIR)' '$(PREFIX)'

# What packages are built for; static where this machine can do that.
DIST_TARGET = $(shell .package/target.sh)

.PHONY: licences
licences:
	@mkdir -p '$(TARGET)/dist'
	@$(CARGO) run --locked --quiet -p pso-licences -- $(DIST_TARGET) >'$(TARGET)/dist/LICENSES.txt'

.PHONY: dist-build
dist-build: licences
	CARGO='$(CARGO)' .package/build.sh $(DIST_TARGET) $(filter-out pso-rehearse,$(TOOLS))
	CARGO='$(CARGO)' .package/build.sh $(DIST_TARGET) pso-rehearse

.PHONY: dist
dist: dist-build ## Make a tar.gz of all that: static with musl where it is there, the same bytes from the same sources
	@.package/dist.sh $(DIST_TARGET) '$(abspath $(TARGET))'

.PHONY: test-package
test-package: dist deb ## Install both packages in a fresh Debian, try them, remove them; needs root and debootstrap
	@.package/try.sh '$(abspath $(TARGET))'

.PHONY: deb
deb: dist-build ## Make a Debian package of all that; needs cargo-deb
	@.package/deb.sh $(DIST_TARGET) '$(abspath $(TARGET))'
