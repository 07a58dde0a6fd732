# `make help` lists what can be made. There is no configure step: what a part needs is asked of the compiler, and what is
# missing is skipped aloud. A test is a program of its own, tests/test_NAME.c, found by itself; alone, or a part of it:
#   make build/test_NAME && build/test_NAME [part of the name of a test]
# Steps are short lines, `CC build/test_NAME`; the whole commands with make V=1.
CC      ?= cc
CXX     ?= c++
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
PORT    ?= 8080
VERSION := $(shell sed -n 's/^\#define WSHUB_VERSION "\(.*\)"/\1/p' wshub.h)

WARN     = -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes -Wundef -Wvla -Werror
INCLUDE  = -I. -Ibackends -Itests
HEADERS  = wshub.h $(wildcard backends/*.h tests/*.h tests/shim/sys/*.h tests/bench/*.h)
TESTS    = $(patsubst tests/%.c,%,$(wildcard tests/test_*.c))
FIXTURES = fixture-server fixture-emitter fixture-http fixture-cors
FUZZERS  = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
EXAMPLES = $(patsubst examples/%.c,build/%,$(wildcard examples/*.c))
OPENED   = $(LIBRARY:%=build/open/%.h)
LIBRARY  = $(filter-out wshub_bus_hiredis,$(patsubst %.h,%,wshub.h $(notdir $(wildcard backends/*.h))))
# kqueue is tested over a shim where the system has none of its own
SHIM    := $(if $(filter Linux,$(shell uname)),-Itests/shim)
# $(call asks,program,flags): the flags, if the program compiles with them
asks     = $(shell mkdir -p build; printf '$(1)' | $(CC) -x c - -o build/asked $(2) 2>/dev/null && echo '$(2)')
# $(call say,CC): in front of a command that is shown so; not at all with -s
say      = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@echo '$(1) $@';)
MAIN     = int main(void){return 0;}
ASAN     = -fsanitize=address,undefined -fno-sanitize-recover=undefined
SANITIZE := $(call asks,$(MAIN),$(ASAN))

all: $(EXAMPLES) build/fixture-server ## the examples and the fixture's server

build/%: examples/%.c $(HEADERS)
	@mkdir -p build
	$(call say,CC)$(CC) -std=c99 $(WARN) $(CFLAGS) $(INCLUDE) -o $@ $< -pthread
build/chat_page.h: examples/chat.html
	@mkdir -p build
	@{ echo 'static const char chat_page[] ='; sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $<; echo ';'; } > $@
build/chat: WARN := $(filter-out -Wpedantic,$(WARN))
build/chat: INCLUDE += -Ibuild
build/chat: build/chat_page.h
run: build/chat ## the chat on http://127.0.0.1:8080 (PORT)
	./build/chat $(PORT)

# The implementation and the backends are compiled once and linked to each test; tests/open.awk makes the private functions
# visible. Three times: as it is, and with sanitizers of two kinds; scripts ask for more (FLAVOUR, FLAGS).
vpath %.h . backends
build/open/%.h: %.h tests/open.awk
	@mkdir -p build/open
	@{ printf '#pragma GCC system_header\n#line 1 "$<"\n'; awk -v want=declarations -f tests/open.awk $<; } > $@
build/open/%.c: %.h tests/open.awk
	@mkdir -p build/open
	@{ echo '#line 1 "$<"'; awk -v want=code -f tests/open.awk $<; } > $@
# what stands before a backend's code: the hub's declarations, a poller's after those of the sockets
before = $(if $(filter-out wshub,$(1)),-include build/open/wshub.h) $(if $(filter wshub_io_%,$(filter-out %_fake %_sock,$(1))),-include wshub_io_sock.h)

define flavour # directory, flags
$(1)/lib/%.o: build/open/%.c $(OPENED) Makefile
	@mkdir -p $$(@D)
	$$(call say,CC)$$(CC) -std=c99 $$(WARN) -O1 -g $(2) -D_GNU_SOURCE -DWSHUB_IMPLEMENTATION -DWSHUB_SELF_CHECK -Ibuild/open $$(SHIM) $$(call before,$$*) -c -o $$@ $$<
$(1)/libwshub.a: $(LIBRARY:%=$(1)/lib/%.o)
	@rm -f $$@
	$$(call say,AR)$$(AR) rcs $$@ $$^
$(1)/test_%: tests/test_%.c $(OPENED) $(1)/libwshub.a $(wildcard tests/*.h)
	$$(call say,CC)$$(CC) -std=c99 $$(WARN) -O1 -g $(2) -Ibuild/open $$(INCLUDE) $$(SHIM) -o $$@ $$< $(1)/libwshub.a -pthread $$(MORE)
$(1)/fixture-%: tests/fixture_%.c $(OPENED) $(1)/libwshub.a $(wildcard tests/*.h)
	$$(call say,CC)$$(CC) -std=c99 $$(WARN) -O1 -g $(2) -Ibuild/open $$(INCLUDE) $$(SHIM) -o $$@ $$< $(1)/libwshub.a -pthread
$(1)/fuzz_%: tests/fuzz/fuzz_%.c $(OPENED) $(1)/libwshub.a $(wildcard tests/*.h tests/fuzz/*.h)
	$$(call say,CC)$$(CC) -std=gnu99 -Wall -Wextra -Werror -O1 -g $(2) -Ibuild/open $$(INCLUDE) -o $$@ $$< $(1)/libwshub.a
$(1)/sim: tests/sim.c $(OPENED) $(1)/libwshub.a $(wildcard tests/*.h)
	$$(call say,CC)$$(CC) -std=c99 $$(WARN) -O1 -g $(2) -Ibuild/open $$(INCLUDE) -o $$@ $$< $(1)/libwshub.a
endef
$(eval $(call flavour,build,))
# gcc guesses worse how long texts are where sanitizers stand between
$(eval $(call flavour,build/check,$(SANITIZE) -Wno-format-truncation))
$(eval $(call flavour,build/tsan,-fsanitize=thread))
$(if $(FLAVOUR),$(eval $(call flavour,build/$(FLAVOUR),$(FLAGS))))
# hiredis is taken where it is installed, elsewhere its test says that it is skipped
%/test_hiredis: MORE = $(call asks,\043include <hiredis/async.h>\n$(MAIN),-DWITH_HIREDIS -lhiredis)
# basic blocks are counted where the compiler announces them
build/test_work build/check/test_work: tests/test_work.c $(HEADERS)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=gnu99 -Wall -Wextra -Werror -O1 -g $(INCLUDE) -o $@ $< $(call asks,void __sanitizer_cov_trace_pc(void){}\n$(MAIN),-fsanitize-coverage=trace-pc -DCOUNTS_BLOCKS)

fixtures: $(FIXTURES:%=build/%) ## programs that speak as the reference's do
test: $(TESTS:%=build/%) $(FIXTURES:%=build/%) build/sim ## every rule, transcript and unit once, without sanitizers
	@sh tests/run.sh $(TESTS:%=build/%) build/sim -- tests/readme.sh
check: all $(TESTS:%=build/check/%) $(FIXTURES:%=build/check/%) $(FUZZERS:%=build/check/%) build/check/sim build/sim ## all of it, cut everywhere, under ASan and UBSan; fuzz corpora, compilers, examples, browsers
	@WSHUB_WHOLE=1 sh tests/run.sh $(TESTS:%=build/check/%) $(FUZZERS:%=build/check/%) build/check/sim build/sim -- \
	tests/compile/run.sh tests/readme.sh tests/examples.sh tests/browser.sh tests/cors.sh tests/two_instances.sh
tsan: build/tsan/test_threads build/tsan/test_serve build/tsan/test_io_contract ## the tests with threads under ThreadSanitizer
	@WSHUB_WHOLE=1 sh tests/run.sh $^
oom: build/check/test_golden ## every allocation of every transcript fails, also with input in pieces and with completions
	WSHUB_OOM_ALL=1 ./build/check/test_golden every_allocation
faults: build/check/test_golden build/check/test_faults ## every send goes wrong in every way, input is cut and ended everywhere; every system call fails
	@WSHUB_FAULTS_ALL=1 sh tests/run.sh 'build/check/test_golden every_send' $(patsubst %,'build/check/test_faults on_%',epoll poll kqueue)
redis-cycles: build/check/test_redis ## a real Redis is killed, stopped, locked and cut off a thousand times (CYCLES)
	WSHUB_CYCLES=$${CYCLES:-1000} ./build/check/test_redis fifty
sim: build/sim ## hubs, broker, emitter and clients in simulated time, against a model of SPEC.md (SEEDS, HOURS)
	./build/sim $${SEEDS:-2000} $${HOURS:-1}
determinism: ## the same seeds give the same trace under every compiler, level and word size (SEEDS, HOURS)
	@sh tests/determinism.sh $${SEEDS:-60} $${HOURS:-0.25}
proxies: build/check/fixture-http ## the same requests straight to a hub and through nginx and haproxy (STREAMS, SEED)
	@sh tests/proxies.sh build/check/fixture-http
fuzz: ## libFuzzer on the targets of tests/fuzz (FUZZ_SECONDS, FUZZ_RUNS, JOBS, TARGETS, MERGE=1)
	@sh tests/fuzz/campaign.sh $${FUZZ_SECONDS:-60} $(TARGETS)
fuzz-coverage: ## the branches that the fuzz corpora alone take
	@sh tests/fuzz/coverage.sh
coverage: ## the branches of wshub.h that the tests take: all (LIST=1)
	@sh tests/coverage.sh
mutate: ## changes an operator or a constant and sees whether the tests notice (MUTANTS, SEED)
	@sh tests/mutate.sh $${MUTANTS:-100} $${SEED:-1}
memcheck: ## the tests under MemorySanitizer and valgrind
	@sh tests/memcheck.sh
analyze: ## clang-tidy with the analyzer, and cppcheck: nothing may be found
	@sh tests/analyze.sh
rooms: ## the rooms of wshub.h call only those above them (ROOMS)
	@sh tests/rooms.sh $(ROOMS)
format-check: ## clang-format changes nothing
	@sh tests/format.sh

build/bench: tests/bench/bench.c $(HEADERS)
	@mkdir -p build
	$(call say,CC)$(CC) -std=c99 $(WARN) -O3 -g $(INCLUDE) -o $@ $< -pthread
build/bench_%: tests/bench/bench_%.c $(HEADERS)
	@mkdir -p build
	$(call say,CC)$(CC) -std=c99 $(WARN) -O3 -g $(INCLUDE) -o $@ $< -pthread
bench: build/bench build/bench_peers ## CPU time per message, beside Bun and ws where these are
	./build/bench
	./build/bench_peers
bench-%: build/bench_% ## of bench-hub (no kernel below), bench-cores (a hub a thread), bench-redis, bench-peers, bench-files
	./$<
counts: ## instructions of each work of bench-hub against the committed figures
	@sh tests/bench/counts.sh
after bench-after: ## whether the largest thing ever seen costs later turns anything
	@sh tests/bench/after.sh

install: ## DESTDIR and PREFIX are honoured
	mkdir -p $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	cp wshub.h backends/*.h $(DESTDIR)$(PREFIX)/include/
	printf 'prefix=%s\nincludedir=$${prefix}/include\n\nName: wshub\nDescription: a WebSocket hub in one header\nVersion: %s\nCflags: -I$${includedir}\n' '$(PREFIX)' '$(VERSION)' > $(DESTDIR)$(PREFIX)/lib/pkgconfig/wshub.pc
clean: ## build/ goes
	rm -rf build
help: ## this list
	@sed -n 's/^\([a-z%-][a-z%-]*\).*:.*## /\1\t/p' Makefile | awk -F '\t' '{ printf "make %-14s %s\n", $$1, $$2 }'
.SECONDARY:
.PHONY: all run fixtures test check tsan oom faults redis-cycles sim determinism proxies fuzz fuzz-coverage coverage mutate memcheck analyze rooms format-check bench counts after bench-after install clean help
