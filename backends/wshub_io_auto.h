/* wshub_io_auto.h - sockets over the best poller of this system: epoll, kqueue, else poll (also on
 * Windows)
 *
 * Include after wshub.h; it includes the others, which lie beside it. */
#ifndef WSHUB_IO_AUTO_H
#define WSHUB_IO_AUTO_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#include "wshub_io_sock.h"
#if defined(__linux__)
#include "wshub_io_epoll.h"
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__) || \
    defined(__DragonFly__)
#include "wshub_io_kqueue.h"
#define WSHUB_IO_AUTO_KQUEUE 1
#else
#include "wshub_io_poll.h"
#endif
#ifdef __cplusplus
extern "C" {
#endif
/* Makes an io of sockets as wshub_io_sock_create() does.
 *   desc     borrowed; NULL, or its poller NULL: the best poller there is
 *   out_net  given to you, end it with wshub_io_sock_destroy()
 * Returns and thread as wshub_io_sock_create(). */
WSHUB_INLINE wshub_err wshub_io_auto_create(const wshub_io_sock_desc *desc,
                                            wshub_io_sock **out_net);
/* Says why that has failed, or would: as wshub_io_sock_desc_explain(), with the best poller where
 * desc has none.
 * Returns and thread as that. */
WSHUB_INLINE size_t wshub_io_auto_explain(const wshub_io_sock_desc *desc, wshub_err err, char *buf,
                                          size_t cap);
/* What they call, as wshub_io_sock_create_versioned(), with the same numbers.
 * Return and thread as those. */
WSHUB_API wshub_err wshub_io_auto_create_versioned(const wshub_io_sock_desc *desc,
                                                   size_t desc_bytes, uint32_t version,
                                                   wshub_io_sock **out_net);
WSHUB_API size_t wshub_io_auto_explain_versioned(const wshub_io_sock_desc *desc, size_t desc_bytes,
                                                 uint32_t version, wshub_err err, char *buf,
                                                 size_t cap);
WSHUB_INLINE size_t wshub_io_auto_explain(const wshub_io_sock_desc *desc, wshub_err err, char *buf,
                                          size_t cap) {
    return wshub_io_auto_explain_versioned(desc, sizeof *desc, WSHUB_IO_SOCK_DESC_VERSION, err, buf,
                                           cap);
}
WSHUB_INLINE wshub_err wshub_io_auto_create(const wshub_io_sock_desc *desc,
                                            wshub_io_sock **out_net) {
    return wshub_io_auto_create_versioned(desc, sizeof *desc, WSHUB_IO_SOCK_DESC_VERSION, out_net);
}
#ifdef __cplusplus
}
#endif
#endif /* WSHUB_IO_AUTO_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_IO_AUTO_IMPLEMENTATION)) &&                    \
    !defined(WSHUB__IO_AUTO_DONE)
#define WSHUB__IO_AUTO_DONE
#ifdef __cplusplus
extern "C" {
#endif
/* A description with its poller. */
static wshub_io_sock_desc wshub_io_auto__desc(const wshub_io_sock_desc *desc) {
    wshub_io_sock_desc d;

    memset(&d, 0, sizeof d);
    if (desc) d = *desc;
    if (d.poller) return d;
#if defined(__linux__)
    d.poller = wshub_io_epoll_poller();
#elif defined(WSHUB_IO_AUTO_KQUEUE)
    d.poller = wshub_io_kqueue_poller();
#else
    d.poller = wshub_io_poll_poller();
#endif
    return d;
}

WSHUB_API wshub_err wshub_io_auto_create_versioned(const wshub_io_sock_desc *desc,
                                                   size_t desc_bytes, uint32_t version,
                                                   wshub_io_sock **out_net) {
    wshub_io_sock_desc d;

    if (desc_bytes != sizeof d || version != WSHUB_IO_SOCK_DESC_VERSION) return WSHUB_ERR_PARAM;
    d = wshub_io_auto__desc(desc);
    return wshub_io_sock_create(&d, out_net);
}

WSHUB_API size_t wshub_io_auto_explain_versioned(const wshub_io_sock_desc *desc, size_t desc_bytes,
                                                 uint32_t version, wshub_err err, char *buf,
                                                 size_t cap) {
    wshub_io_sock_desc d;

    if (desc_bytes != sizeof d || version != WSHUB_IO_SOCK_DESC_VERSION)
        return wshub_io_sock_desc_explain_versioned(desc, desc_bytes, version, err, buf, cap);
    d = wshub_io_auto__desc(desc);
    return wshub_io_sock_desc_explain(&d, err, buf, cap);
}
#ifdef __cplusplus
}
#endif
#endif /* implementation */
