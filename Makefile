# rnnc: `make help` lists what can be asked for. Everything that is made lies in $(BUILD).
#
# CC, CFLAGS, LDFLAGS, PREFIX and DESTDIR mean what they usually do. Two more: WERROR=-Werror, and
# SANITIZE=-fsanitize=..., which is used for compiling and for linking.

BUILD = build
PREFIX = /usr/local
CFLAGS = -O2 -g
LUA = lua5.4
LUA_PACKAGE = lua5.4

VERSION := $(shell sed -n 's/^.define RNNC_VERSION "\(.*\)"/\1/p' runtime/rnnc.h)
SONAME := librnnc.so.$(firstword $(subst ., ,$(VERSION)))

WARNINGS = -Wall -Wextra -Wpedantic -Wconversion -Wshadow $(WERROR)
# NaN and infinities are data here: what takes them away is left out of CFLAGS.
flags = $(patsubst -Ofast,-O3,$(filter-out -ffast-math -ffinite-math-only -funsafe-math-optimizations,$(CFLAGS)))
compile = $(CC) -std=c11 $(WARNINGS) -D_POSIX_C_SOURCE=200809L -Iruntime $(CPPFLAGS) $(flags) \
	$(SANITIZE) -MMD -MP -c -o $@ $<
link = $(CC) $(flags) $(SANITIZE) $(LDFLAGS) -o $@

# All rules are written here: make's own would link commands.c to make the folder commands.
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY: # objects stay
.DEFAULT_GOAL = build

# ---- what there is ----

runtime_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard runtime/*.c))
compiler_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard compiler/host/*.c)) $(BUILD)/embedded.o $(BUILD)/onnx/onnx.pb-c.o $(BUILD)/onnx/graph.pb-c.o
support_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
test_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/test_*.c)) $(support_objects)
fuzzers := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
# The folders are in the list so that a script that is deleted leaves the executable too.
scripts := $(shell find $(wildcard compiler templates tests/bench/peers) -type d -o -name '*.lua' -o -name '*.t') \
	$(shell find $(wildcard tests/bench/peers) -type f) runtime/rnnc.h
c_files := $(shell find $(wildcard compiler runtime tests examples) -name '*.[ch]')

# Fields of a network that a test does not name are 0, which is their default.
$(test_objects): WARNINGS += -Wno-missing-field-initializers

# ---- targets ----

.PHONY: build demo test test-fast test-targets exhaustive bench bench-random compare fuzz mutants lint format coverage sanitize install \
	uninstall setup clean help run-fuzzers run-threads

build: $(BUILD)/rnnc $(BUILD)/librnnc.a $(BUILD)/librnnc.so ## the compiler and the runtime (the default)

demo: $(BUILD)/setup-demo build ## generate, compile and run the network of examples/02-digits
	@$(MAKE) --no-print-directory -C examples/02-digits ROOT=$(CURDIR) BUILD=$(abspath $(BUILD)) CC='$(CC)' run

# Tests run in the root of the tree. RNNC is the compiler that they try. BUILD, CC and SANITIZE are
# for those that compile something; RNNC_TEST_FAST=1 asks the long ones to be short.
run_tests = RNNC=$(BUILD)/rnnc BUILD=$(BUILD) CC='$(CC)' SANITIZE='$(SANITIZE)' \
	$(BUILD)/tests/rnnc-tests --jobs 2

test: $(BUILD)/setup-test build $(BUILD)/tests/rnnc-tests ## the whole suite
	@$(run_tests)

test-fast: $(BUILD)/setup-test build $(BUILD)/tests/rnnc-tests ## the suite with fewer random cases: a minute or less
	@RNNC_TEST_FAST=1 $(run_tests)

SPECS = 24
test-targets: $(BUILD)/setup-test $(BUILD)/setup-targets build $(BUILD)/compare/specs ## code for other processors, in emulators; SPECS (24) random networks each
	@SPECS=$(SPECS) BUILD=$(BUILD) tests/targets/run

exhaustive: $(BUILD)/setup-test build ## fast activations over all floats: their stated bounds, some minutes
	@BUILD=$(BUILD) CC='$(CC)' tests/exhaustive/run

# BENCH: options of rnnc bench other than --csv, such as BENCH='--peers --html=grid.html'.
bench: $(BUILD)/setup-bench build ## the speed of the networks of tests/bench/grid.txt, beside others, and what limits it
	@BUILD=$(BUILD) CC='$(CC)' tests/bench/run --threads=2 --csv=$(BUILD)/bench.csv $(BENCH)
	@$(LUA) tests/bench/bar.lua $(BUILD)/bench.csv
	@for part in activations compiling counts; do \
	    printf '\n%s:\n' $$part; \
	    BUILD=$(BUILD) CC='$(CC)' LUA=$(LUA) tests/bench/run $$part || exit 1; \
	done

SEED = 1
bench-random: $(BUILD)/setup-bench build ## the speed of 40 networks that nobody tuned for, drawn by SEED (1), beside all peers
	@rm -rf $(BUILD)/random && mkdir -p $(BUILD)/random
	@$(LUA) tests/bench/random.lua $(SEED) $(BUILD)/random >$(BUILD)/random/list
	@$(BUILD)/rnnc bench --peers --csv=$(BUILD)/random-$(SEED).csv $(BENCH) $$(cat $(BUILD)/random/list)
	@$(LUA) tests/bench/bar.lua $(BUILD)/random-$(SEED).csv random

compare: $(BUILD)/setup-test build $(BUILD)/compare/specs ## networks of this tree beside those of BASE=COMMIT
	@BUILD=$(BUILD) CC='$(CC)' tests/compare/run $(BASE)

FUZZ_SECONDS = 60
fuzz: $(BUILD)/setup-fuzz ## each fuzzer of tests/fuzz for FUZZ_SECONDS (60)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang \
	    SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' run-fuzzers

run-fuzzers: $(fuzzers)
	@for fuzzer in $^; do \
	    echo "$$fuzzer: $(FUZZ_SECONDS) s" && mkdir -p $$fuzzer.corpus && \
	    $$fuzzer -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=1 \
	        -artifact_prefix=$$fuzzer. $$fuzzer.corpus 2>$$fuzzer.log || \
	        { tail -n 50 $$fuzzer.log; exit 1; }; \
	    grep '^stat::' $$fuzzer.log; \
	done

mutants: $(BUILD)/setup-test ## plants bugs, each of which the suite must catch
	@CC='$(CC)' tests/mutants/run

# libxsmm.c needs the header of a library that nothing here depends on, compare/network.c that of a network.
# Those that include what is generated, or what need not be installed, are left to the compilers.
tidied := $(patsubst %.c,$(BUILD)/lint/tidy/%.ok,$(filter-out examples/% tests/exhaustive/% \
	tests/bench/peers/libxsmm.c tests/compare/network.c tests/calls/every.c tests/padding/calls.c tests/targets/network.c tests/training/%, \
	$(filter %.c,$(c_files))))

lint: $(BUILD)/setup-test $(BUILD)/setup-lint ## warnings of gcc and clang, clang-tidy, shellcheck, luacheck, layout
	@for cc in gcc clang; do \
	    $(MAKE) --no-print-directory -s BUILD=$(BUILD)/lint/$$cc CC=$$cc WERROR=-Werror build \
	        $(BUILD)/lint/$$cc/tests/rnnc-tests || exit 1; \
	done
	@$(MAKE) --no-print-directory -s -j2 -k BUILD=$(BUILD) $(tidied)
	@shellcheck -x $$(grep -rlE '^#!.*sh$$' .ci tests examples)
	@luacheck --quiet --std lua54 $(filter %.lua,$(scripts)) tests
	@luacheck --quiet --std lua54 --read-globals rnn model embedding dense activation define training sgd adam adamw \
	    rmsprop step cosine one_cycle plateau -- examples
	@clang-format --dry-run -Werror $(c_files)

# The analyzer takes seconds for a file, some minutes for all, so what has not changed is not looked at again.
$(BUILD)/lint/tidy/%.ok: %.c .clang-tidy $(filter %.h,$(c_files))
	@echo 'clang-tidy $<'
	@clang-tidy --quiet $< -- -std=c11 -D_POSIX_C_SOURCE=200809L -Iruntime -Itests/support -Icompiler/host \
	    -I$(BUILD)/lint/gcc/onnx -DTEST_DATA=\"tests\" $$(pkg-config --cflags $(LUA_PACKAGE)) 2>/dev/null
	@mkdir -p $(@D)
	@touch $@

format: $(BUILD)/setup-format ## lays out the C files with clang-format
	clang-format -i $(c_files)

coverage: $(BUILD)/setup-coverage ## runs the suite and prints the covered lines of each C file
	@GCOV_ERROR_FILE=$(abspath $(BUILD))/gcov.log \
	    $(MAKE) --no-print-directory BUILD=$(BUILD)/coverage CFLAGS='-O0 -g' SANITIZE=--coverage test
	@gcovr --root . --filter compiler/ --filter runtime/ $(BUILD)/coverage

sanitize: ## the suite under ASan and UBSan, and two threads under TSan
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan SANITIZE=-fsanitize=thread \
	    CPPFLAGS=-Itests/tsan run-threads
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/sanitize \
	    SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' test

# gcc 12's TSan needs a system that does not spread addresses too far: setarch -R, where allowed.
run-threads: $(BUILD)/setup-test build $(BUILD)/tests/threads
	@still=$$(setarch -R true 2>/dev/null && echo setarch -R || true); \
	RNNC=$(BUILD)/rnnc BUILD=$(BUILD) CC='$(CC)' SANITIZE='$(SANITIZE)' $$still $(BUILD)/tests/threads

prefix = $(DESTDIR)$(PREFIX)
# Folder, `rnnc help` page and name of what shells and man read.
pages = share/man/man1:man:rnnc.1 share/bash-completion/completions:bash:rnnc \
	share/zsh/site-functions:zsh:_rnnc share/fish/vendor_completions.d:fish:rnnc.fish
cmake_files = rnnc-config.cmake rnnc.cmake

install: build ## into DESTDIR/PREFIX: rnnc, librnnc, rnnc.h; for pkg-config, CMake, man and shells
	install -d "$(prefix)/bin" "$(prefix)/include" "$(prefix)/lib/pkgconfig" "$(prefix)/lib/cmake/rnnc"
	install $(BUILD)/rnnc "$(prefix)/bin"
	install -m 644 runtime/rnnc.h "$(prefix)/include"
	install -m 644 $(BUILD)/librnnc.a "$(prefix)/lib"
	install $(BUILD)/librnnc.so.$(VERSION) "$(prefix)/lib"
	ln -sf librnnc.so.$(VERSION) "$(prefix)/lib/$(SONAME)"
	ln -sf $(SONAME) "$(prefix)/lib/librnnc.so"
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: rnnc' \
	    'Description: what networks generated by rnnc are loaded, checked and compared with' \
	    'Version: $(VERSION)' 'Cflags: -I"$${prefix}/include"' 'Libs: -L"$${prefix}/lib" -lrnnc' \
	    'Requires.private: jansson' 'Libs.private: -lm -ldl -lpthread' \
	    > "$(prefix)/lib/pkgconfig/rnnc.pc"
	install -m 644 $(cmake_files:%=runtime/cmake/%) "$(prefix)/lib/cmake/rnnc"
	sed 's/@VERSION@/$(VERSION)/' runtime/cmake/rnnc-config-version.cmake.in \
	    > "$(prefix)/lib/cmake/rnnc/rnnc-config-version.cmake"
	for page in $(pages); do \
	    folder=$${page%%:*} name=$${page##*:} topic=$${page#*:}; \
	    install -d "$(prefix)/$$folder" && \
	    $(BUILD)/rnnc help "$${topic%:*}" > "$(prefix)/$$folder/$$name" || exit 1; \
	done
# The loader finds a new library by its cache, which is root's; with DESTDIR it is not in its place yet.
	@if [ -z "$(DESTDIR)" ]; then \
	    PATH=$$PATH:/usr/sbin:/sbin; \
	    if [ "$$(id -u)" = 0 ]; then ldconfig; \
	    else echo 'programs find librnnc.so after root has run ldconfig, or with LD_LIBRARY_PATH=$(PREFIX)/lib'; fi; \
	fi

uninstall: ## removes from DESTDIR/PREFIX what install has put there
	rm -f "$(prefix)/bin/rnnc" "$(prefix)/include/rnnc.h" "$(prefix)/lib/pkgconfig/rnnc.pc" "$(prefix)"/lib/librnnc.*
	for page in $(pages); do rm -f "$(prefix)/$${page%%:*}/$${page##*:}"; done
	rm -rf "$(prefix)/lib/cmake/rnnc"

setup: ## installs the packages that build, demo and test need, if they are missing
	flock tests/packages tests/setup build demo test

clean: ## removes everything that was made
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 12

# ---- packages: tests/packages says which, and what for ----

# A target names its packages first, so that all are asked for at once. The lock is for make -j.

$(BUILD)/setup-%: tests/setup tests/packages
	@flock tests/packages tests/setup $(sort build $*)
	@mkdir -p $(@D) && touch $@

# ---- runtime: builds without the rest ----

$(BUILD)/runtime/%.o: runtime/%.c | $(BUILD)/setup-build
	@mkdir -p $(@D)
	$(compile) -fPIC $$(pkg-config --cflags jansson)

$(BUILD)/librnnc.a: $(runtime_objects) runtime
	@rm -f $@
	$(AR) rcs $@ $(filter %.o,$^)

$(BUILD)/librnnc.so: $(runtime_objects) runtime
	$(link).$(VERSION) -shared -Wl,-soname,$(SONAME) $(filter %.o,$^) $(runtime_libraries)
	ln -sf librnnc.so.$(VERSION) $(BUILD)/$(SONAME)
	ln -sf $(SONAME) $@

runtime_libraries = $$(pkg-config --libs jansson) -lm -ldl -lpthread

# ---- compiler: a C host with the scripts and templates inside ----

# libhdf5 is optional: without it `rnnc import` says of Keras' files what to install. It is loaded where it is
# needed. Looked for when it is asked for: setup may install it.
hdf5 = $(shell pkg-config --exists hdf5-serial && \
	readelf -d $$(pkg-config --libs-only-L hdf5-serial | sed 's/ *-L//;s/ .*//')/libhdf5.so | \
	sed -n 's/.*soname: \[\(.*\)\]/\1/p')
host_packages = $(LUA_PACKAGE) libzip libprotobuf-c

$(BUILD)/compiler/%.o: compiler/%.c | $(BUILD)/setup-build
	@mkdir -p $(@D)
	$(compile) -I$(BUILD)/onnx $$(pkg-config --cflags $(host_packages) $(if $(hdf5),hdf5-serial)) $(if $(hdf5),-DRNNC_HDF5='"$(hdf5)"')

# Compiled again when the library comes or goes.
$(BUILD)/compiler/host/host_hdf5.o: $(BUILD)/with-$(or $(hdf5),no-hdf5)
$(BUILD)/with-%:
	@mkdir -p $(@D)
	@rm -f $(BUILD)/with-*
	@touch $@

# The schema stands where the C compiler finds the headers that it comes with.
$(BUILD)/onnx/onnx.pb-c.c: | $(BUILD)/setup-build
	@mkdir -p $(@D)
	@proto=$$(echo '#include <onnx/onnx.proto>' | $(CC) -E -M - | grep -o '[^ ]*/onnx/onnx\.proto') && \
	    protoc-c --proto_path="$${proto%/*}" --c_out=$(@D) onnx.proto

# What is read of TensorFlow's graphs.
$(BUILD)/onnx/graph.pb-c.c: compiler/host/graph.proto | $(BUILD)/setup-build
	@mkdir -p $(@D)
	@protoc-c --proto_path=compiler/host --c_out=$(@D) graph.proto

$(BUILD)/onnx/%.pb-c.o: $(BUILD)/onnx/%.pb-c.c
	$(compile) $$(pkg-config --cflags libprotobuf-c)

$(patsubst %.c,$(BUILD)/%.o,$(wildcard compiler/host/host_onnx*.c)): | $(BUILD)/onnx/onnx.pb-c.c
$(BUILD)/compiler/host/host_graph.o: | $(BUILD)/onnx/graph.pb-c.c

$(BUILD)/embedded.c: $(scripts) | $(BUILD)/setup-build
	@mkdir -p $(@D)
	$(LUA) compiler/host/embed.lua $@

$(BUILD)/embedded.o: $(BUILD)/embedded.c
	$(compile) -Icompiler/host

$(BUILD)/rnnc: $(compiler_objects) $(BUILD)/librnnc.a
	$(link) $^ $$(pkg-config --libs $(host_packages)) $(runtime_libraries)

# ---- tests ----

$(BUILD)/tests/%.o: tests/%.c | $(BUILD)/setup-test
	@mkdir -p $(@D)
	$(compile) -Itests/support -DTEST_DATA='"tests"' $$(pkg-config --cflags criterion)

$(BUILD)/tests/rnnc-tests: $(test_objects) $(BUILD)/librnnc.a
	$(link) $^ $$(pkg-config --libs criterion) $(runtime_libraries)

$(BUILD)/compare/specs: $(BUILD)/tests/compare/specs.o $(support_objects) $(BUILD)/librnnc.a
	@mkdir -p $(@D)
	$(link) $^ $$(pkg-config --libs criterion) $(runtime_libraries)

$(BUILD)/tests/threads: $(BUILD)/tests/test_threads.o $(support_objects) $(BUILD)/librnnc.a
	$(link) $^ $(runtime_libraries)

$(BUILD)/tests/fuzz/%.o: tests/fuzz/%.c | $(BUILD)/setup-fuzz
	@mkdir -p $(@D)
	$(compile) -Icompiler/host $$(pkg-config --cflags $(LUA_PACKAGE))

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(filter-out %/main.o,$(compiler_objects)) $(BUILD)/librnnc.a
	$(link) -fsanitize=fuzzer $^ $$(pkg-config --libs $(host_packages)) $(runtime_libraries)

-include $(runtime_objects:.o=.d) $(compiler_objects:.o=.d) $(test_objects:.o=.d)
