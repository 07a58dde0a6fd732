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
HEADERS  = wshub.h $(wildcard backends/*.h tests/*.h tests/shim/sys/*.h tests/bench/*.h examples/*.h)
TESTS    = $(filter-out test_winsock,$(patsubst tests/%.c,%,$(wildcard tests/test_*.c))) # that one is run by platforms
FIXTURES = fixture-server fixture-emitter fixture-http fixture-cors fixture-behind fixture-cron fixture-client
FUZZERS  = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
EXAMPLES = $(patsubst examples/%.c,build/%,$(wildcard examples/*.c)) $(patsubst examples/%.cpp,build/%,$(wildcard examples/*.cpp))
OPENED   = $(LIBRARY:%=build/open/%.h)
LIBRARY  = $(filter-out wshub_bus_hiredis wshub_deflate_zlib,$(patsubst %.h,%,wshub.h $(notdir $(wildcard backends/*.h))))
# kqueue is tested over a shim where the system has none of its own
SHIM    := $(if $(filter Linux,$(shell uname)),-Itests/shim)
# $(call asks,program,flags): the flags, if the program compiles with them
asks     = $(shell mkdir -p build; printf '$(1)' | $(CC) -x c - -o build/asked $(2) 2>/dev/null && echo '$(2)')
# $(call once,NAME,value): what NAME is from now on, so that the compiler is asked only once, and only where it matters
once     = $(eval $(1) := $(2))$($(1))
# $(call say,CC): in front of a command that is shown so; not at all with -s
say      = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@echo '$(1) $@';)
MAIN     = int main(void){return 0;}
ASAN     = -fsanitize=address,undefined -fno-sanitize-recover=undefined
SANITIZE := $(call asks,$(MAIN),$(ASAN))
# encryption from end to end is compiled where mbedTLS is installed, elsewhere its test says that it is skipped
MBEDCRYPTO := $(call asks,\043include <mbedtls/gcm.h>\n$(MAIN),-lmbedcrypto)
LIBRARY  := $(filter-out wshub_ext_e2e_mbedtls,$(LIBRARY))
EXAMPLES := $(filter-out $(if $(MBEDCRYPTO),,build/encrypted_chat),$(EXAMPLES))
%/test_e2e: MORE = $(if $(MBEDCRYPTO),-DWITH_MBEDTLS $(MBEDCRYPTO))

all: $(EXAMPLES) build/fixture-server ## the examples and the fixture's server

build/%: examples/%.c $(HEADERS)
	@mkdir -p build
	$(call say,CC)$(CC) -std=c99 $(WARN) $(CFLAGS) $(INCLUDE) -o $@ $< -pthread
build/%: examples/%.cpp $(HEADERS)
	@mkdir -p build
	@command -v $(firstword $(CXX)) >/dev/null || echo '  skipped $*: $(CXX) is not installed'
	$(call say,CXX)! command -v $(firstword $(CXX)) >/dev/null || $(CXX) -std=c++11 -Wall -Wextra -Wpedantic -Wundef -Werror $(CFLAGS) $(INCLUDE) -o $@ $< -pthread
run: build/chat$(if $(TLS),_tls build/tls/cert.pem) ## the chat on http://127.0.0.1:8080 (PORT); TLS=1: on https, with a certificate for this once
	$(if $(TLS),@[ ! -x build/chat_tls ] || ./build/chat_tls --cert build/tls/cert.pem --key build/tls/key.pem $(PORT),./build/chat $(PORT))
# TLS needs a library, and the program openssl for the certificate
build/chat_tls: examples/chat.c $(HEADERS) | build/tls/cert.pem
	@rm -f $@; if [ -z '$(OPENSSL)$(MBEDTLS)' ]; then echo '  skipped: neither OpenSSL nor mbedTLS is installed (libssl-dev, libmbedtls-dev)'; \
	elif [ ! -s build/tls/cert.pem ]; then echo '  skipped: the program openssl, which would make a certificate, is not installed'; \
	else echo 'CC $@'; $(CC) -std=c99 $(WARN) $(CFLAGS) $(INCLUDE) -o $@ $< -pthread $(or $(OPENSSL),$(MBEDTLS)); fi
build/tls/cert.pem: over # made anew when it is, or a day before
	@mkdir -p build/tls; command -v openssl >/dev/null || exit 0; openssl x509 -checkend 86400 -noout -in $@ >/dev/null 2>&1 && exit 0; \
	umask 077; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
	-days 30 -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout build/tls/key.pem -out $@ 2>/dev/null
run-socketio: build/socketio_chat ## a chat for Socket.IO's own client on http://127.0.0.1:8080 (PORT, CLIENT=its script)
	./build/socketio_chat $(if $(CLIENT),--client $(CLIENT)) $(PORT)
run-auction: build/auction ## an auction of five minutes on http://127.0.0.1:8080 (PORT, REDIS=redis://HOST)
	./build/auction --seconds 300 $(if $(REDIS),--redis $(REDIS)) $(PORT)

# what needs a library of TLS is compiled with those tests that ask for it
LIBRARY := $(filter-out wshub_io_openssl wshub_io_mbedtls,$(LIBRARY))
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
before = $(if $(filter-out wshub,$(1)),-include build/open/wshub.h) $(if $(filter wshub_io_%,$(filter-out %_fake %_sock %_tls,$(1))),-include wshub_io_sock.h)

# where each variable is at each instruction costs the compiler of the library a sixth of its time; debuggers do without
LESS    := $(call asks,$(MAIN),-Werror -fno-var-tracking)
define flavour # directory, flags
$(1)/lib/%.o: build/open/%.c $(OPENED) Makefile
	@mkdir -p $$(@D)
	$$(call say,CC)$$(CC) -std=c99 $$(WARN) -O1 -g $(LESS) $(2) -D_GNU_SOURCE -DWSHUB_IMPLEMENTATION -DWSHUB_SELF_CHECK -Ibuild/open $$(SHIM) $$(call before,$$*) -c -o $$@ $$<
$(1)/libwshub.a: $(LIBRARY:%=$(1)/lib/%.o)
	@rm -f $$@
	$$(call say,AR)$$(AR) rcs $$@ $$^
$(1)/test_%: tests/test_%.c $(OPENED) $(1)/libwshub.a $(wildcard tests/*.h) # not optimized: that takes half the time, and the work is the library's
	$$(call say,CC)$$(CC) -std=c99 $$(WARN) -O0 -g $(2) -Ibuild/open $$(INCLUDE) $$(SHIM) -o $$@ $$< $(1)/libwshub.a -pthread $$(MORE)
$(1)/test_sio_sessions: tests/fixture_sio.c # which it plays in memory
$(1)/test_fixture_cron: tests/fixture_cron.c # the same
$(1)/fuzz_tls $(1)/test_tls $(1)/test_tls_contract $(1)/test_tls_server $(1)/test_tls_redis $(1)/test_golden_coded $(1)/fixture-server $(1)/fixture-sio: backends/wshub_io_tls.h backends/wshub_io_openssl.h backends/wshub_io_mbedtls.h
$(1)/fixture-%: tests/fixture_%.c $(OPENED) $(1)/libwshub.a $(wildcard tests/*.h)
	$$(call say,CC)$$(CC) -std=c99 $$(WARN) -O1 -g $(2) -Ibuild/open $$(INCLUDE) $$(SHIM) -o $$@ $$< $(1)/libwshub.a -pthread $$(MORE)
$(1)/fixture-sio-emitter: tests/fixture_sio_emitter.c $(OPENED) $(1)/libwshub.a
	$$(call say,CC)$$(CC) -std=c99 $$(WARN) -O1 -g $(2) -Ibuild/open $$(INCLUDE) $$(SHIM) -o $$@ $$< $(1)/libwshub.a -pthread
$(1)/fixture-sio-client: tests/fixture_sio_client.c $(OPENED) $(1)/libwshub.a
	$$(call say,CC)$$(CC) -std=c99 $$(WARN) -O1 -g $(2) -Ibuild/open $$(INCLUDE) $$(SHIM) -o $$@ $$< $(1)/libwshub.a -pthread
$(1)/fuzz_%: tests/fuzz/fuzz_%.c $(OPENED) $(1)/libwshub.a $(wildcard tests/*.h tests/fuzz/*.h)
	$$(call say,CC)$$(CC) -std=gnu99 -Wall -Wextra -Werror -O1 -g $(2) -Ibuild/open $$(INCLUDE) -o $$@ $$< $(1)/libwshub.a $$(MORE)
$(1)/sim: tests/sim.c $(OPENED) $(1)/libwshub.a $(wildcard tests/*.h)
	$$(call say,CC)$$(CC) -std=c99 $$(WARN) -O1 -g $(2) -Ibuild/open $$(INCLUDE) -o $$@ $$< $(1)/libwshub.a
endef
$(eval $(call flavour,build,))
# gcc guesses worse how long texts are where sanitizers stand between
$(eval $(call flavour,build/check,$(SANITIZE) -Wno-format-truncation))
$(eval $(call flavour,build/tsan,-fsanitize=thread))
$(if $(FLAVOUR),$(eval $(call flavour,build/$(FLAVOUR),$(FLAGS))))
ZLIB     = $(call once,ZLIB,$(call asks,\043include <zlib.h>\n$(MAIN),-DWITH_ZLIB -lz))
# hiredis and zlib are taken where they are installed, elsewhere their tests say that they are skipped
build/bench_deflate: MORE = $(call asks,\043include <zlib.h>\n$(MAIN),-lz)
%/test_deflate_zlib %/test_client_deflate: MORE = $(ZLIB)
%/test_golden_coded: MORE = $(ZLIB) $(OPENSSL) $(MBEDTLS)
DEFLATE  = $(ZLIB:-DWITH_ZLIB=-DFIXTURE_DEFLATE)
HIREDIS  = $(call once,HIREDIS,$(call asks,\043include <hiredis/async.h>\n$(MAIN),-DWITH_HIREDIS -lhiredis))
%/fixture-sio: MORE = $(patsubst -DWITH_%,-DFIXTURE_%,$(or $(OPENSSL),$(MBEDTLS))) $(DEFLATE) $(HIREDIS:-DWITH_HIREDIS=-DFIXTURE_HIREDIS)
%/test_hiredis: MORE = $(HIREDIS)
# and so are the libraries of TLS; peers of the tests are OpenSSL's
OPENSSL  = $(call once,OPENSSL,$(call asks,\043include <openssl/ssl.h>\n$(MAIN),-DWITH_OPENSSL -lssl -lcrypto))
MBEDTLS  = $(call once,MBEDTLS,$(call asks,\043include <mbedtls/ssl.h>\n$(MAIN),-DWITH_MBEDTLS -lmbedtls -lmbedx509 -lmbedcrypto))
%/fuzz_tls %/test_tls %/test_tls_contract %/test_tls_server %/test_tls_redis %/test_tls_client: MORE = $(OPENSSL) $(MBEDTLS)
%/fixture-server: MORE = $(patsubst -DWITH_%,-DFIXTURE_%,$(or $(OPENSSL),$(MBEDTLS))) $(DEFLATE) $(if $(MBEDCRYPTO),-DFIXTURE_E2E $(MBEDCRYPTO))
%/fixture-client: MORE = $(patsubst -DWITH_%,-DFIXTURE_%,$(or $(OPENSSL),$(MBEDTLS))) $(DEFLATE)
# basic blocks are counted where the compiler announces them
build/test_work build/check/test_work: tests/test_work.c $(HEADERS)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=gnu99 -Wall -Wextra -Werror -O0 $(INCLUDE) -o $@ $< $(call asks,void __sanitizer_cov_trace_pc(void){}\n$(MAIN),-fsanitize-coverage=trace-pc -DCOUNTS_BLOCKS)

fixtures: $(FIXTURES:%=build/%) ## programs that speak as those of the reference, Ignis, do
test: ## every rule, transcript and unit once, without sanitizers
	@$(MAKE) --no-print-directory $(if $(findstring j,$(filter-out --%,$(MAKEFLAGS))),,-j$$(nproc 2>/dev/null || echo 2)) tested
tested: $(TESTS:%=build/%) $(FIXTURES:%=build/%) build/sim # by all cores: most of the time is the compiler's
	@sh tests/run.sh tests/readme.sh $(TESTS:%=build/%) 'build/sim 20'
check: all $(TESTS:%=build/check/%) $(FIXTURES:%=build/check/%) build/check/fixture-sio build/check/fixture-sio-emitter build/check/fixture-sio-client $(FUZZERS:%=build/check/%) build/check/sim build/sim ## all of it, cut everywhere, under ASan and UBSan; fuzz corpora, compilers, examples, browsers
	@WSHUB_WHOLE=1 sh tests/run.sh $(TESTS:%=build/check/%) $(FUZZERS:%=build/check/%) build/check/sim build/sim -- \
	tests/compile/run.sh tests/readme.sh tests/examples.sh tests/browser.sh tests/cors.sh tests/deflate.sh tests/two_instances.sh tests/auction.sh tests/socketio_chat.sh tests/socketio_manual.sh tests/socketio_flow.sh tests/socketio_both.sh tests/client.sh tests/client_examples.sh tests/socketio_client.sh tests/socketio_tools.sh tests/socketio_tls.sh
tsan: build/tsan/test_threads build/tsan/test_serve build/tsan/test_io_contract build/tsan/test_loops ## the tests with threads under ThreadSanitizer
	@WSHUB_WHOLE=1 sh tests/run.sh $^
# programs beside each other play all of the transcripts
SHARES   = 0/4 1/4 2/4 3/4
oom: build/check/test_golden build/check/test_sio_faults ## every allocation of every transcript fails, also with input in pieces and with completions
	@WSHUB_OOM_ALL=1 sh tests/run.sh 'build/check/test_sio_faults every_allocation' \
	$(foreach w,1 2 3 0,$(foreach s,$(SHARES),'WSHUB_OOM_WAY=$w WSHUB_SHARE=$s ./build/check/test_golden every_allocation'))
faults: build/check/test_golden build/check/test_faults build/check/test_sio_faults ## every send goes wrong in every way, input is cut and ended everywhere; every system call fails
	@WSHUB_FAULTS_ALL=1 sh tests/run.sh $(foreach s,$(SHARES),'WSHUB_SHARE=$s ./build/check/test_golden every_send') \
	build/check/test_sio_faults $(patsubst %,'build/check/test_faults on_%',epoll poll kqueue)
redis-cycles: build/check/test_redis ## a real Redis is killed, stopped, locked and cut off a thousand times (CYCLES)
	WSHUB_CYCLES=$${CYCLES:-1000} ./build/check/test_redis fifty
sim: build/sim ## hubs, broker, emitter and clients in simulated time, against a model of the rules of wshub.h (SEEDS, HOURS)
	./build/sim $${SEEDS:-2000} $${HOURS:-1}
determinism: ## the same seeds give the same trace under every compiler, level and word size (SEEDS, HOURS)
	@sh tests/determinism.sh $${SEEDS:-60} $${HOURS:-0.25}
proxies: build/check/fixture-http build/check/fixture-behind ## the same requests straight to a hub and through nginx and haproxy (STREAMS, SEED)
	@sh tests/proxies.sh build/check
socketio-wire: build/check/test_sio_published ## the text on the wire of Socket.IO's adapters, against Node's packages
	@sh tests/socketio_wire.sh
socketio-cluster: build/check/fixture-sio build/check/fixture-sio-emitter ## our servers of Socket.IO and Node's in one cluster over a Redis that is killed
	@sh tests/socketio_cluster.sh
socketio-cycles: build/fixture-sio build/fixture-sio-emitter ## the same, a thousand times (CYCLES), without sanitizers
	@CYCLES=$${CYCLES:-1000} LIMIT=$${LIMIT:-3600} sh tests/socketio_cluster.sh
socketio-versions: build/check/fixture-sio build/check/fixture-sio-client ## both with each version of npm's server and client of Socket.IO, and under Bun
	@sh tests/socketio_versions.sh build/check
sticky: build/check/fixture-sio build/check/fixture-sio-client ## two servers of Socket.IO behind nginx and haproxy, with the client from npm and ours
	@sh tests/sticky.sh build/check
fuzz: ## libFuzzer on the targets of tests/fuzz (FUZZ_SECONDS, FUZZ_RUNS, JOBS, TARGETS, MERGE=1)
	@sh tests/fuzz/campaign.sh $${FUZZ_SECONDS:-60} $(TARGETS)
fuzz-coverage: ## the branches that the fuzz corpora alone take
	@sh tests/fuzz/coverage.sh
coverage: ## the branches of wshub.h that the tests take: all (LIST=1)
	@sh tests/coverage.sh
mutate: ## changes an operator or a constant and sees whether the tests notice (MUTANTS, SEED)
	@sh tests/mutate.sh $${MUTANTS:-100} $${SEED:-1}
memcheck: ## the tests and fuzz corpora under clang's MemorySanitizer and UBSan, and valgrind
	@sh tests/memcheck.sh
analyze: ## clang-tidy with the analyzer, and cppcheck: nothing may be found
	@sh tests/analyze.sh
rooms: ## the rooms of wshub.h call only those above them (ROOMS)
	@sh tests/rooms.sh $(ROOMS)
format-check: ## clang-format changes nothing
	@sh tests/format.sh

build/encrypted_chat: examples/encrypted_chat.c $(HEADERS)
	@mkdir -p build
	$(call say,CC)$(CC) -std=c99 $(WARN) $(CFLAGS) $(INCLUDE) -o $@ $< -pthread $(MBEDCRYPTO)
# wss:// and --deflate of the client tools are what is installed
build/wshub-cat build/wshub-bench: build/wshub-%: examples/wshub-%.c $(HEADERS)
	@mkdir -p build
	$(call say,CC)$(CC) -std=c99 $(WARN) $(CFLAGS) $(INCLUDE) -o $@ $< -pthread $(or $(OPENSSL),$(MBEDTLS)) $(call asks,\043include <zlib.h>\n$(MAIN),-DWITH_ZLIB -lz)
e2e: $(if $(MBEDCRYPTO),build/encrypted_chat) ## encryption from end to end with the WebCrypto of Node and of a browser
	@sh tests/e2e.sh
platforms: ## the tests in memory on other machines: big-endian, ARM, musl, Windows under Wine (PLATFORM)
	@sh tests/platforms.sh $(PLATFORM)
many: build/wshub-bench build/fixture-sio ## thousands of clients in one process, over real sockets (CLIENTS)
	@sh tests/many.sh $(CLIENTS)
.PHONY: e2e platforms many bench-client

build/bench: tests/bench/bench.c $(HEADERS)
	@mkdir -p build
	$(call say,CC)$(CC) -std=c99 $(WARN) -O3 -g $(INCLUDE) -o $@ $< -pthread
build/bench_%: tests/bench/bench_%.c $(HEADERS)
	@mkdir -p build
	$(call say,CC)$(CC) -std=c99 $(WARN) -O3 -g $(INCLUDE) -o $@ $< -pthread $(MORE)
build/bench_tls build/bench_tls_peers: build/bench_%: tests/bench/bench_%.c $(HEADERS)
	@mkdir -p build
	$(call say,CC)$(CC) -std=c99 $(WARN) -O3 -g $(INCLUDE) -o $@ $< -pthread $(OPENSSL) $(MBEDTLS)
bench-client: build/bench_client ## round trips of our WebSocket client beside Boost.Beast and libwebsockets, where these are installed
	@$(CC) -std=c99 -D_GNU_SOURCE -O3 -o build/bench_client_lws tests/bench/client_lws.c -lwebsockets 2>/dev/null || rm -f build/bench_client_lws
	@$(CXX) -std=c++17 -O3 -DNDEBUG -o build/bench_client_beast tests/bench/client_beast.cpp -pthread 2>/dev/null || rm -f build/bench_client_beast
	./build/bench_client
bench: build/bench build/bench_peers build/bench_sio_peers ## CPU time per message, beside Bun, ws and socket.io where these are
	./build/bench
	./build/bench_peers
	./build/bench_sio_peers
bench-%: build/bench_% ## of bench-hub (no kernel below), bench-sio (the same of Socket.IO), bench-cores (a hub a thread), bench-redis, bench-rooms (100,000 subscriptions), bench-peers, bench-sio_peers, bench-files, bench-deflate, bench-cron, bench-tls, bench-pollers (poll beside epoll), bench-tls_peers (wss, beside Bun, openssl s_server and nginx)
	./$<
bench-sio_bus: ## two servers of Socket.IO on one Redis beside two of Node's, and what Redis can do
	@mkdir -p build
	$(call say,CC)$(CC) -std=c99 -O2 -DNDEBUG $(INCLUDE) $(SHIM) -o build/bench_fixture_sio tests/fixture_sio.c -pthread
	$(call say,CC)$(CC) -std=c99 $(WARN) -O2 -o build/bus_load tests/bench/bus_load.c
	node tests/bench/bench_sio_bus.mjs build/bench_fixture_sio build/bus_load
counts: ## instructions of each work of bench-hub against the committed figures
	@sh tests/bench/counts.sh
after bench-after: ## whether the largest thing ever seen costs later turns anything
	@sh tests/bench/after.sh

install: build/wshub-cat build/wshub-bench ## DESTDIR and PREFIX are honoured
	mkdir -p $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	cp $^ $(DESTDIR)$(PREFIX)/bin/
	cp examples/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	for name in wshub-cat wshub-bench; do cp examples/man/wshub-cat.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$name; done
	mkdir -p $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	cp wshub.h backends/*.h $(DESTDIR)$(PREFIX)/include/
	printf 'prefix=%s\nincludedir=$${prefix}/include\n\nName: wshub\nDescription: a WebSocket hub in one header\nVersion: %s\nCflags: -I$${includedir}\n' '$(PREFIX)' '$(VERSION)' > $(DESTDIR)$(PREFIX)/lib/pkgconfig/wshub.pc
clean: ## build/ goes
	rm -rf build
help: ## this list
	@sed -n 's/^\([a-z][a-z0-9%-]*\).*:.*## /\1\t/p' Makefile | awk -F '\t' '{ printf "make %-14s %s\n", $$1, $$2 }'
.SECONDARY:
over:
.PHONY: over all run run-socketio run-auction fixtures test tested check tsan oom faults redis-cycles socketio-wire socketio-cluster socketio-cycles socketio-versions sim determinism proxies sticky fuzz fuzz-coverage coverage mutate memcheck analyze rooms format-check bench counts after bench-after install clean help
