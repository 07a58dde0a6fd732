# make            the examples and the fixture server
# make run        the chat on http://127.0.0.1:8080
# make test       every test; what needs more than a compiler is skipped aloud when it is absent
# make bench      CPU time per delivered and per echoed message
# make bench-peers  the same load on wshub, and on Bun and ws where these are there; a part of make bench
# make bench-hub  what the hub itself costs, without a kernel below
# make bench-cores  a hub a thread over the in-process bus, from one to many
# make counts     instructions of each work of bench-hub against the committed figures; needs valgrind
# make after      whether the largest thing ever seen costs later turns anything (make bench-after is the same); needs valgrind
# make bench-redis  messages per second through Redis, and what each costs; needs redis-server
# make redis-cycles a real Redis is killed, stopped, locked and cut off a thousand times
# make tsan       the tests with threads under ThreadSanitizer
# make oom        every allocation of every transcript fails, also with input in pieces and with completions
# make faults     every send of every transcript goes wrong in every way, its input is cut and ended everywhere; every system call of the sockets fails
# make proxies    the same requests straight to a hub and through nginx and haproxy: what the proxy takes for one is one here
# make coverage   the branches of wshub.h that the tests take: all; needs clang, llvm and node
# make memcheck   the tests under MemorySanitizer and valgrind
# make analyze    clang-tidy with the analyzer, and cppcheck: nothing may be found
# make rooms      whether the rooms of wshub.h call only those above them, and the lower storey names nothing of the upper; needs clang and node
# make mutate     changes an operator or a constant and sees whether the tests notice (MUTANTS, SEED)
# make sim        hubs, broker, emitter and clients in simulated time, by seed, against a model of SPEC.md
# make fuzz       libFuzzer on the targets of tests/fuzz; their corpora are replayed in make test
# make determinism  the same seeds give the same trace under every compiler, level and word size at hand
# make install    DESTDIR and PREFIX are honoured
# make clean
CC      ?= cc
CXX     ?= c++
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
PORT    ?= 8080
VERSION := $(shell sed -n 's/^\#define WSHUB_VERSION "\(.*\)"/\1/p' wshub.h)

WARN     = -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes -Wundef -Wvla -Werror
SANITIZE := $(shell printf 'int main(void){return 0;}' > .probe.c; $(CC) -fsanitize=address,undefined .probe.c -o .probe.out 2>/dev/null && echo -fsanitize=address,undefined -fno-sanitize-recover=undefined; rm -f .probe.c .probe.out)
HEADERS  = wshub.h $(wildcard backends/*.h) $(wildcard tests/*.h tests/shim/sys/*.h tests/bench/*.h)
INCLUDE  = -I. -Ibackends -Itests
TESTS    = $(patsubst tests/test_%.c,build/test_%,$(wildcard tests/test_*.c))
EXAMPLES = $(patsubst examples/%.c,build/%,$(wildcard examples/*.c))
THREADS  = -pthread
# kqueue is tested over a shim where the system has none of its own
SHIM     := $(if $(filter Linux,$(shell uname)),-Itests/shim)

all: $(EXAMPLES) build/fixture-server

build:
	@mkdir -p build

build/%: examples/%.c $(HEADERS) | build
	$(CC) -std=c99 $(WARN) $(CFLAGS) $(INCLUDE) -o $@ $< $(THREADS)

build/chat_page.h: examples/chat.html | build
	@{ echo 'static const char chat_page[] ='; sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $<; echo ';'; } > $@

build/chat: examples/chat.c build/chat_page.h $(HEADERS) | build
	$(CC) -std=c99 $(filter-out -Wpedantic,$(WARN)) $(CFLAGS) $(INCLUDE) -Ibuild -o $@ $< $(THREADS)

build/test_%: tests/test_%.c $(HEADERS) | build
	$(CC) -std=c99 $(WARN) -O1 -g $(SANITIZE) $(INCLUDE) $(SHIM) -o $@ $< $(THREADS)

# hiredis is taken where it is installed, elsewhere its test says that it is skipped
HIREDIS := $(shell printf '\043include <hiredis/async.h>\nint main(void){return 0;}' > .probe.c; $(CC) .probe.c -o .probe.out -lhiredis 2>/dev/null && echo -DWITH_HIREDIS -lhiredis; rm -f .probe.c .probe.out)
build/test_hiredis: tests/test_hiredis.c $(HEADERS) | build
	$(CC) -std=c99 $(WARN) -O1 -g $(SANITIZE) $(INCLUDE) -o $@ $< $(THREADS) $(HIREDIS)

# basic blocks are counted where the compiler announces them
BLOCKS := $(shell printf 'void __sanitizer_cov_trace_pc(void){}\nint main(void){return 0;}' > .probe.c; $(CC) -fsanitize-coverage=trace-pc .probe.c -o .probe.out 2>/dev/null && echo -fsanitize-coverage=trace-pc -DCOUNTS_BLOCKS; rm -f .probe.c .probe.out)
build/test_work: tests/test_work.c $(HEADERS) | build
	$(CC) -std=gnu99 -Wall -Wextra -Werror -O1 -g $(BLOCKS) $(INCLUDE) -o $@ $<

build/fixture-server: tests/fixture_server.c $(HEADERS) | build
	$(CC) -std=c99 $(WARN) -O1 -g $(SANITIZE) $(INCLUDE) $(SHIM) -o $@ $<

build/fixture-emitter: tests/fixture_emitter.c $(HEADERS) | build
	$(CC) -std=c99 $(WARN) -O1 -g $(SANITIZE) $(INCLUDE) -o $@ $<

build/fixture-http: tests/fixture_http.c $(HEADERS) | build
	$(CC) -std=c99 $(WARN) -O1 -g $(SANITIZE) $(INCLUDE) -o $@ $<

# the same bytes straight to a hub, and through nginx and haproxy (STREAMS, SEED)
proxies: build/fixture-http
	@sh tests/proxies.sh

fixtures: build/fixture-server build/fixture-emitter

run: build/chat
	./build/chat $(PORT)

build/sim: tests/sim.c $(HEADERS) | build
	$(CC) -std=c99 $(WARN) -O2 -g $(INCLUDE) -o $@ $<
build/sim_asan: tests/sim.c $(HEADERS) | build
	$(CC) -std=c99 $(WARN) -O1 -g $(SANITIZE) $(INCLUDE) -o $@ $<

# SEEDS=50000 HOURS=1 make sim: a campaign; its last line goes into tests/LEDGER.md
sim: build/sim
	./build/sim $${SEEDS:-2000} $${HOURS:-1}

FUZZERS = $(patsubst tests/fuzz/fuzz_%.c,build/fuzz_%,$(wildcard tests/fuzz/fuzz_*.c))
build/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/fuzz.h tests/test_random.c $(HEADERS) | build
	$(CC) -std=gnu99 -Wall -Wextra -Werror -O1 -g $(SANITIZE) $(INCLUDE) -o $@ $<
# FUZZ_SECONDS=3600 make fuzz: a campaign of libFuzzer on each target (MERGE=1: what it finds goes into the corpus;
# FUZZ_RUNS=20000000 JOBS=2 TARGETS=conn make fuzz: so many runs of a fast build before it)
fuzz:
	sh tests/fuzz/campaign.sh $${FUZZ_SECONDS:-60} $(TARGETS)
fuzz-coverage:
	sh tests/fuzz/coverage.sh

determinism:
	sh tests/determinism.sh $${SEEDS:-60} $${HOURS:-0.25}

test: all fixtures $(TESTS) $(FUZZERS) build/sim build/sim_asan
	@sh tests/run.sh $(TESTS) $(FUZZERS) build/sim_asan build/sim -- tests/compile/run.sh tests/readme.sh tests/examples.sh tests/browser.sh tests/two_instances.sh

tsan: build/tsan_threads build/tsan_io_contract
	./build/tsan_threads
	./build/tsan_io_contract
build/tsan_%: tests/test_%.c $(HEADERS) | build
	$(CC) -std=c99 $(WARN) -O1 -g -fsanitize=thread $(INCLUDE) $(SHIM) -o $@ $< $(THREADS)

oom: build/test_golden
	WSHUB_OOM_ALL=1 ./build/test_golden every_allocation

faults: build/test_golden build/test_faults
	WSHUB_FAULTS_ALL=1 ./build/test_golden every_send
	@for on in on_epoll on_poll on_kqueue; do WSHUB_FAULTS_ALL=1 ./build/test_faults $$on >build/faults_$$on.log 2>&1 & done; wait
	@cat build/faults_on_*.log | grep -v skipped; ok=$$(grep -c ' 0 failed' build/faults_on_*.log | grep -c ':1'); echo "faults: $$((1 + ok)) passed, $$((3 - ok)) failed, 0 skipped"; [ $$ok = 3 ]

coverage:
	@sh tests/coverage.sh
memcheck:
	@sh tests/memcheck.sh
analyze:
	@sh tests/analyze.sh
rooms:
	@sh tests/rooms.sh $(ROOMS)
mutate:
	@sh tests/mutate.sh $${MUTANTS:-100} $${SEED:-1}

build/bench: tests/bench/bench.c $(HEADERS) | build
	$(CC) -std=c99 $(WARN) -O3 -g $(INCLUDE) -o $@ $< $(THREADS)
build/bench_%: tests/bench/bench_%.c $(HEADERS) | build
	$(CC) -std=c99 $(WARN) -O3 -g $(INCLUDE) -o $@ $< $(THREADS)
bench: build/bench build/bench_peers
	./build/bench
	./build/bench_peers
bench-%: build/bench_%
	./$<

# a thousand losses of a real Redis instead of the fifty of make test (some 20 minutes)
redis-cycles: build/test_redis
	WSHUB_CYCLES=$${CYCLES:-1000} ./build/test_redis fifty

install:
	mkdir -p $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	cp wshub.h backends/*.h $(DESTDIR)$(PREFIX)/include/
	printf 'prefix=%s\nincludedir=$${prefix}/include\n\nName: wshub\nDescription: a WebSocket hub in one header\nVersion: %s\nCflags: -I$${includedir}\n' '$(PREFIX)' '$(VERSION)' > $(DESTDIR)$(PREFIX)/lib/pkgconfig/wshub.pc

clean:
	rm -rf build

counts:
	@sh tests/bench/counts.sh
after bench-after:
	@sh tests/bench/after.sh
.PHONY: counts after bench-after all fixtures proxies run test tsan oom faults coverage memcheck analyze rooms mutate bench redis-cycles sim fuzz fuzz-coverage determinism install clean
