/* wshub_ext_files.h - the files of a folder, served by a hub
 *
 * [x] GET and HEAD; types by ending; `index.html` for a folder, whose path without a slash at its
 *     end is redirected
 * [x] ETag, Last-Modified, If-Match, If-None-Match and their dates; one range, If-Range
 * [x] no way out of the folder: a path is decoded once and then cut, links are not followed unless
 *     so set, and what could mean something else on any system is no name on all of them
 * [x] nothing but regular files, and nothing of them is held: a slow peer costs a descriptor and
 *     192 KiB, or less where http_answers_bytes_max says so
 * [x] a file that changes while it is sent is never glued together: one that grows is cut at the
 *     length that was promised, one that shrinks ends the stream
 * [x] what is text is compressed for clients that take it, if so set (FILE-5)
 * [ ] compressed files beside the plain ones, lists of folders
 * [ ] Windows
 *
 * System   POSIX 2008: openat(), fstat(), pread(). Under plain -std=c99 define _GNU_SOURCE or
 *          _DEFAULT_SOURCE before the first include; for files over 2 GiB on 32-bit systems also
 *          _FILE_OFFSET_BITS=64.
 * Include  behind wshub.h. The code is emitted where WSHUB_IMPLEMENTATION is defined, or
 *          WSHUB_EXT_FILES_IMPLEMENTATION for a file of its own.
 * Threads  Any number of hubs, each on its thread, may serve one wshub_ext_files at a time: nothing
 *          in it changes. Files are read on the hub's thread, 32 KiB at a time; a disk that is slow
 *          holds up the loop.
 *
 *     wshub_ext_files *files;
 *     if (wshub_ext_files_create(&(wshub_ext_files_desc){.folder = "public"}, &files)) return 1;
 *     if (wshub_ext_files_mount(files, hub)) return 1;      http://host/ is public/index.html
 *     ...
 *     wshub_destroy(hub); wshub_ext_files_destroy(files);
 *
 * What is not there is declined, so that whatever else the hub serves is asked: a longer mount
 * comes first, a mount of the same path that was made later, and then on_request, come behind it;
 * at last the hub answers 404. Rules: FILE-1 to FILE-4 of wshub.h. Proved by tests/test_files.c,
 * tests/fuzz/fuzz_files.c. */
#ifndef WSHUB_EXT_FILES_H
#define WSHUB_EXT_FILES_H
#ifndef WSHUB_H
#error "include wshub.h first"
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* A folder that is served. Made by wshub_ext_files_create(), ended by wshub_ext_files_destroy(). */
typedef struct wshub_ext_files wshub_ext_files;

/* What a file with such an ending is. */
typedef struct wshub_ext_files_type {
    const char *ending; /* without a dot, in lower case: "html" */
    const char *type;   /* for Content-Type */
} wshub_ext_files_type;

#define WSHUB_EXT_FILES_DESC_VERSION 2 /* it rises when the struct below changes */
/* How many headers of yours every answer may have. */
#define WSHUB_EXT_FILES_HEADERS_MAX 16

/* What is served, and where. Zero is the default of every field. What it points to is borrowed
 * until wshub_ext_files_destroy(), as it is mostly constant. */
typedef struct wshub_ext_files_desc {
    const char *folder; /* required; opened at once, so that it may be moved later */
    const char *path;   /* "/"; below which path of the hub: begins and ends with `/`, at most
                           WSHUB_NAME_BYTES_MAX bytes */
    const char *index;  /* "index.html"; the name of what stands for a folder; "": nothing does */
    /* Types by ending, types_count of them, which are looked at before the usual ones; what has
     * none is `application/octet-stream`. */
    const wshub_ext_files_type *types;
    size_t types_count;
    /* Further headers of every answer with 200, 206 and 304, such as Cache-Control; headers_count
     * of them, at most WSHUB_EXT_FILES_HEADERS_MAX, as in wshub_reply.headers; none of those that
     * say what is there: ETag, Last-Modified, Accept-Ranges, Content-Range, Content-Type. */
    const wshub_header *headers;
    size_t headers_count;
    bool follow_links; /* symbolic links are followed, wherever they lead; false: they are not
                          there */
    bool dot_files;    /* names that begin with a dot are served; false: only `.well-known` is, and
                       what lies in it (RFC 8615) */
    /* Compresses files of deflate_bytes_min to deflate_bytes_max bytes whose type is text, JSON,
     * JavaScript, XML, SVG or WebAssembly, for requests that take that (wshub_http_coding()). It is
     * done for each answer, and holds up the loop for so long: with zlib some 20 ms for 1 MB.
     * Nothing is kept. The table is copied; its ctx must outlive this. NULL: none is. */
    const wshub_deflate *deflate;
    uint32_t deflate_bytes_min; /* 1024 */
    uint32_t deflate_bytes_max; /* 262144; larger ones are sent plain, piece by piece; at most
                                   16 MiB, and no more than http_answers_bytes_max lets wait */
    wshub_alloc_fn alloc; /* NULL: realloc and free; called by the threads of all hubs that serve
                             it */
    void *alloc_user;     /* the first argument of alloc */
} wshub_ext_files_desc;

/* Opens a folder to serve it.
 *   desc       borrowed; see there
 *   out_files  given to you, end it with wshub_ext_files_destroy()
 * Returns  OK; PARAM: wshub_ext_files_desc_problem() says which field; NOMEM; IO: the folder cannot
 *          be opened, and errno says why.
 * Thread   any. */
WSHUB_INLINE wshub_err wshub_ext_files_create(const wshub_ext_files_desc *desc,
                                              wshub_ext_files **out_files);
/* Says in one line what wshub_ext_files_create() would refuse in a description, beginning with the
 * field's name, and what it should be. NULL: nothing. desc: borrowed. Pure: any thread. */
WSHUB_INLINE const char *wshub_ext_files_desc_problem(const wshub_ext_files_desc *desc);
/* Says why wshub_ext_files_create() has failed, or would, with what is there instead, as
 * wshub_desc_explain() of wshub.h.
 *   err  what that returned; OK: it was not called yet
 * Returns  as that. Pure: any thread. */
WSHUB_INLINE size_t wshub_ext_files_desc_explain(const wshub_ext_files_desc *desc, wshub_err err,
                                                 char *buf, size_t cap);
/* What the three above call, as wshub_create_versioned() of wshub.h.
 *   desc_bytes  sizeof(wshub_ext_files_desc)
 *   version     WSHUB_EXT_FILES_DESC_VERSION
 * Return   as those. */
WSHUB_API wshub_err wshub_ext_files_create_versioned(const wshub_ext_files_desc *desc,
                                                     size_t desc_bytes, uint32_t version,
                                                     wshub_ext_files **out_files);
WSHUB_API const char *wshub_ext_files_desc_problem_versioned(const wshub_ext_files_desc *desc,
                                                             size_t desc_bytes, uint32_t version);
WSHUB_API size_t wshub_ext_files_desc_explain_versioned(const wshub_ext_files_desc *desc,
                                                        size_t desc_bytes, uint32_t version,
                                                        wshub_err err, char *buf, size_t cap);
WSHUB_INLINE wshub_err wshub_ext_files_create(const wshub_ext_files_desc *desc,
                                              wshub_ext_files **out_files) {
    return wshub_ext_files_create_versioned(desc, sizeof *desc, WSHUB_EXT_FILES_DESC_VERSION,
                                            out_files);
}
WSHUB_INLINE const char *wshub_ext_files_desc_problem(const wshub_ext_files_desc *desc) {
    return wshub_ext_files_desc_problem_versioned(desc, sizeof *desc, WSHUB_EXT_FILES_DESC_VERSION);
}
WSHUB_INLINE size_t wshub_ext_files_desc_explain(const wshub_ext_files_desc *desc, wshub_err err,
                                                 char *buf, size_t cap) {
    return wshub_ext_files_desc_explain_versioned(desc, sizeof *desc, WSHUB_EXT_FILES_DESC_VERSION,
                                                  err, buf, cap);
}

/* Serves it below its path, as long as the hub is there.
 *   hub  ended before the files
 * Returns  OK; NOMEM; LIMIT: WSHUB_MOUNTS_MAX.
 * Thread   the hub's. */
WSHUB_API wshub_err wshub_ext_files_mount(wshub_ext_files *files, wshub *hub);

/* Ends it, after the hubs that serve it. NULL: nothing. Thread: any. */
WSHUB_API void wshub_ext_files_destroy(wshub_ext_files *files);

#ifdef __cplusplus
}
#endif
#endif /* WSHUB_EXT_FILES_H */

#if (defined(WSHUB_IMPLEMENTATION) || defined(WSHUB_EXT_FILES_IMPLEMENTATION)) &&                  \
    !defined(WSHUB__EXT_FILES_DONE)
#define WSHUB__EXT_FILES_DONE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifndef WSHUB_ASSERT
#include <assert.h>
#define WSHUB_ASSERT(x) assert(x)
#endif
#ifdef __cplusplus
extern "C" {
#endif

enum {
    WSHUB_EXT_FILES__PIECE = 32768,     /* what is read at a time */
    WSHUB_EXT_FILES__TURN = 131072,     /* and sent before others have their turn */
    WSHUB_EXT_FILES__PATH_MAX = 4096,   /* of a path, decoded; what is longer names nothing */
    WSHUB_EXT_FILES__SEGMENT_MAX = 255, /* of a name in it */
    WSHUB_EXT_FILES__HEADERS = 6,       /* that an answer has beside yours, at most */
    WSHUB_EXT_FILES__CODING = 16,       /* room in a tag for the name of how it is compressed */
    WSHUB_EXT_FILES__YOUNG_S = 2        /* changed so lately: may change again, unseen */
};

struct wshub_ext_files {
    wshub_ext_files_desc desc; /* with all defaults */
    wshub_deflate deflate;     /* if desc.deflate */
    int folder;                /* its descriptor */
};

/* A file that is being sent. */
typedef struct wshub_ext_files__file {
    const wshub_ext_files *files;
    int fd;
    uint64_t at, left;
} wshub_ext_files__file;

/* ---- names ----
 * A path is decoded once, then cut at each slash (FILE-1). What a segment of it may not be is the
 * same on all systems, so that a program which is safe on one is safe on another. */

/* Is it a name that Windows gives to a device, whatever stands behind its first dot? */
static bool wshub_ext_files__is_device(const char *name, size_t len) {
    static const char *const devices[] = {"con", "prn", "aux", "nul", "conin$", "conout$"};
    const char *dot = (const char *)memchr(name, '.', len);
    char stem[8];
    size_t i;

    if (dot) len = (size_t)(dot - name);
    while (len > 0 && name[len - 1] == ' ') len--;
    if (len < 3 || len >= sizeof stem) return false;
    for (i = 0; i < len; i++)
        stem[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 'a' - 'A' : name[i]);
    stem[len] = 0;

    for (i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        if (strcmp(stem, devices[i]) == 0) return true;
    }
    return len == 4 && (memcmp(stem, "com", 3) == 0 || memcmp(stem, "lpt", 3) == 0) &&
           stem[3] >= '0' && stem[3] <= '9';
}

/* May a segment of a path be the name of a file or folder? It holds no slash and no NUL. */
static bool wshub_ext_files__segment_ok(const wshub_ext_files *files, const char *name,
                                        size_t len) {
    size_t i;

    if (len == 0 || len > WSHUB_EXT_FILES__SEGMENT_MAX) return false;
    if (name[len - 1] == '.' || name[len - 1] == ' ') return false; /* `.` and `..` too */
    if (name[0] == '.' && !files->desc.dot_files &&
        !(len == 11 && memcmp(name, ".well-known", 11) == 0))
        return false;
    for (i = 0; i < len; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == '\\' || name[i] == ':') return false;
    }
    return !wshub_ext_files__is_device(name, len);
}

/* ---- opening ---- */

/* Opens one segment. Returns its descriptor; -1: errno says why. What is no folder is opened so
 * that a pipe nobody writes to holds up nothing. */
static int wshub_ext_files__open_segment(const wshub_ext_files *files, int folder, const char *name,
                                         bool last) {
    int flags = O_RDONLY | O_CLOEXEC | (last ? O_NONBLOCK | O_NOCTTY : O_DIRECTORY);
    int fd;

    if (!files->desc.follow_links) flags |= O_NOFOLLOW;
    do {
        fd = openat(folder, name, flags);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* Opens what a decoded path names, segment by segment from the folder on. path: terminated, its
 * slashes are overwritten. Returns as above; ENOENT also for what is no name. */
static int wshub_ext_files__open(const wshub_ext_files *files, char *path) {
    int at = files->folder;

    WSHUB_ASSERT(at >= 0);
    for (;;) {
        char *slash = strchr(path, '/');
        size_t len = slash ? (size_t)(slash - path) : strlen(path);
        int fd = -1, error = ENOENT;

        path[len] = 0;
        if (wshub_ext_files__segment_ok(files, path, len)) {
            fd = wshub_ext_files__open_segment(files, at, path, !slash);
            error = errno;
        }
        if (at != files->folder) (void)close(at);
        if (fd < 0) errno = error;
        if (fd < 0 || !slash) return fd;
        at = fd;
        path += len + 1;
    }
}

/* ---- types ---- */

static const wshub_ext_files_type wshub_ext_files__types[] = {
    {"html", "text/html; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"webmanifest", "application/manifest+json"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"ico", "image/vnd.microsoft.icon"},
    {"woff2", "font/woff2"},
    {"woff", "font/woff"},
    {"ttf", "font/ttf"},
    {"wasm", "application/wasm"},
    {"txt", "text/plain; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"xml", "application/xml"},
    {"pdf", "application/pdf"},
    {"zip", "application/zip"},
    {"gz", "application/gzip"},
    {"mp3", "audio/mpeg"},
    {"ogg", "audio/ogg"},
    {"wav", "audio/wav"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
};

/* Is this the ending, in whatever case? */
static bool wshub_ext_files__ends(const char *name, const char *ending) {
    for (; *name && *ending; name++, ending++) {
        char c = (char)(*name >= 'A' && *name <= 'Z' ? *name + 'a' - 'A' : *name);
        if (c != *ending) return false;
    }
    return *name == *ending;
}

/* The type of a name by its ending, yours before the usual ones. */
static const char *wshub_ext_files__type(const wshub_ext_files *files, const char *name) {
    const char *dot = strrchr(name, '.');
    size_t i;

    if (!dot) return "application/octet-stream";
    for (i = 0; i < files->desc.types_count; i++) {
        if (wshub_ext_files__ends(dot + 1, files->desc.types[i].ending))
            return files->desc.types[i].type;
    }
    for (i = 0; i < sizeof wshub_ext_files__types / sizeof wshub_ext_files__types[0]; i++) {
        if (wshub_ext_files__ends(dot + 1, wshub_ext_files__types[i].ending))
            return wshub_ext_files__types[i].type;
    }
    return "application/octet-stream";
}

/* ---- what is said of a file ---- */

/* The state of a file that an answer speaks of, and the texts for it. */
typedef struct wshub_ext_files__state {
    uint64_t length;
    int64_t modified_s; /* WSHUB_NO_DATE: in the future, so that nobody relies on it */
    const char *type;
    char etag[80], modified[30], range[72];
    bool varies;               /* with Accept-Encoding */
    wshub_deflate_form coding; /* 0: plain */
} wshub_ext_files__state;

#if defined(__APPLE__)
#define WSHUB_EXT_FILES__NANOSECONDS(st) ((st).st_mtimespec.tv_nsec)
#else
#define WSHUB_EXT_FILES__NANOSECONDS(st) ((st).st_mtim.tv_nsec)
#endif

/* A tag is made of all that changes with a file: which one it is, its length, and its time to the
 * nanosecond. Clocks of file systems are coarser, so that the tag of a file which was changed just
 * now is weak: it may change again and look the same (FILE-4). */
static void wshub_ext_files__describe(const struct stat *st, int64_t now_s,
                                      wshub_ext_files__state *out) {
    bool young = st->st_mtime > now_s - WSHUB_EXT_FILES__YOUNG_S;
    int n;

    out->varies = false;
    out->coding = (wshub_deflate_form)0;
    out->length = (uint64_t)st->st_size;
    out->modified_s = st->st_mtime > now_s ? WSHUB_NO_DATE : (int64_t)st->st_mtime;
    out->modified[0] = 0;
    if (out->modified_s != WSHUB_NO_DATE)
        (void)wshub_http_date_write(out->modified_s, out->modified);
    n = snprintf(out->etag, sizeof out->etag, "%s\"%llx-%llx.%lx-%llx\"", young ? "W/" : "",
                 (unsigned long long)st->st_ino, (unsigned long long)st->st_mtime,
                 (unsigned long)WSHUB_EXT_FILES__NANOSECONDS(*st), (unsigned long long)st->st_size);
    WSHUB_ASSERT(n > 0 && n < (int)(sizeof out->etag - WSHUB_EXT_FILES__CODING));
    (void)n;
}

static void wshub_ext_files__add(wshub_header *headers, size_t *count, const char *name,
                                 const char *value) {
    if (!value[0]) return;
    headers[*count].name = wshub_str_z(name);
    headers[*count].value = wshub_str_z(value);
    ++*count;
}

/* The headers of an answer: those that say what is there, then yours. */
static size_t wshub_ext_files__headers(const wshub_ext_files *files,
                                       const wshub_ext_files__state *state, int status,
                                       wshub_header *headers) {
    size_t count = 0, i;

    wshub_ext_files__add(headers, &count, "Content-Range", state->range);
    if (status == 416) return count;
    wshub_ext_files__add(headers, &count, "ETag", state->etag);
    wshub_ext_files__add(headers, &count, "Last-Modified", state->modified);
    if (status != 304 && !state->coding)
        wshub_ext_files__add(headers, &count, "Accept-Ranges", "bytes");
    if (state->varies) wshub_ext_files__add(headers, &count, "Vary", "Accept-Encoding");
    if (state->coding && status == 200)
        wshub_ext_files__add(headers, &count, "Content-Encoding",
                             wshub_deflate_name(state->coding));
    WSHUB_ASSERT(count <= WSHUB_EXT_FILES__HEADERS);
    WSHUB_ASSERT(files->desc.headers_count <= WSHUB_EXT_FILES_HEADERS_MAX);
    for (i = 0; i < files->desc.headers_count; i++) headers[count++] = files->desc.headers[i];
    return count;
}

/* ---- sending ---- */

static void wshub_ext_files__close(wshub_ext_files__file *file) {
    WSHUB_ASSERT(file->fd >= 0);
    (void)close(file->fd);
    file->fd = -1;
}

/* Reads into `bytes`. Returns how much; 0: the file has ended before its time, or cannot be
 * read. */
static size_t wshub_ext_files__read(const wshub_ext_files__file *file, uint8_t *bytes, size_t cap) {
    ssize_t n;

    WSHUB_ASSERT(file->fd >= 0 && cap && cap <= file->left);
    do {
        n = pread(file->fd, bytes, cap, (off_t)file->at);
    } while (n < 0 && errno == EINTR);
    return n > 0 ? (size_t)n : 0;
}

/* Sends the next piece. Returns OK; LIMIT: when there is room; others: never. */
static wshub_err wshub_ext_files__piece(wshub *hub, wshub_exchange exchange,
                                        wshub_ext_files__file *file) {
    size_t n = WSHUB_EXT_FILES__PIECE;
    uint8_t *bytes = NULL;
    wshub_err err;

    if (file->left < n) n = (size_t)file->left;
    err = wshub_http_room(hub, exchange, n, &bytes);
    if (err) return err;
    n = wshub_ext_files__read(file, bytes, n);
    if (!n) return WSHUB_ERR_IO;
    err = wshub_http_write(hub, exchange, bytes, n);
    if (err) return err;
    WSHUB_ASSERT(n <= file->left);
    file->at += n;
    file->left -= n;
    return WSHUB_OK;
}

/* Sends what may be sent in one turn. Returns false: there is more, when that has left; true: all
 * is said, or the stream is dropped, since what is short of its promise is nobody's file
 * (FILE-3). */
static bool wshub_ext_files__send(wshub *hub, wshub_exchange exchange,
                                  wshub_ext_files__file *file) {
    uint64_t until = file->at + WSHUB_EXT_FILES__TURN;
    wshub_err err = WSHUB_OK;

    while (file->left && !err) {
        if (file->at >= until && wshub_http_wait(hub, exchange) == WSHUB_OK) return false;
        err = wshub_ext_files__piece(hub, exchange, file);
    }
    if (err == WSHUB_ERR_LIMIT) return false;
    if (!err) err = wshub_http_end(hub, exchange);
    if (err) (void)wshub_http_drop(hub, exchange);
    return true;
}

static void *wshub_ext_files__realloc(void *user, void *ptr, size_t old_bytes, size_t new_bytes) {
    (void)user;
    (void)old_bytes;
    if (new_bytes) return realloc(ptr, new_bytes);
    free(ptr);
    return NULL;
}

static void wshub_ext_files__file_free(wshub_ext_files__file *file) {
    const wshub_ext_files_desc *desc = &file->files->desc;
    wshub_ext_files__close(file);
    (void)desc->alloc(desc->alloc_user, file, sizeof *file, 0);
}

/* Begins to send. What does not fit into the stream's queue at once is kept with the exchange. The
 * descriptor is the file's from here on. */
static void wshub_ext_files__begin(wshub *hub, wshub_exchange exchange,
                                   wshub_ext_files__file *file) {
    const wshub_ext_files_desc *desc = &file->files->desc;
    wshub_ext_files__file *kept;
    wshub_err err;

    if (wshub_ext_files__send(hub, exchange, file)) {
        wshub_ext_files__close(file);
        return;
    }
    kept = (wshub_ext_files__file *)desc->alloc(desc->alloc_user, NULL, 0, sizeof *kept);
    if (!kept) {
        wshub_ext_files__close(file);
        (void)wshub_http_drop(hub, exchange);
        return;
    }
    *kept = *file;
    err = wshub_exchange_set_owner(hub, exchange, kept);
    WSHUB_ASSERT(!err); /* its answer has begun, and the stream was not dropped */
    (void)err;
}

/* on_exchange_drained: there is room again. */
static void wshub_ext_files__go_on(wshub *hub, wshub_exchange exchange, void *owner) {
    wshub_ext_files__file *file = (wshub_ext_files__file *)owner;
    if (wshub_ext_files__send(hub, exchange, file)) wshub_ext_files__file_free(file);
}

/* on_exchange_gone: the peer has left in the middle. */
static void wshub_ext_files__gone(wshub *hub, wshub_exchange exchange, wshub_cause cause,
                                  void *owner) {
    (void)hub;
    (void)exchange;
    (void)cause;
    wshub_ext_files__file_free((wshub_ext_files__file *)owner);
}

/* ---- compressed ---- */

/* Do files of this type get shorter? */
static bool wshub_ext_files__shrinks(const char *type) {
    static const char *const parts[] = {"text/", "json", "javascript", "xml", "wasm"};
    size_t i;

    for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strstr(type, parts[i])) return true;
    }
    return false;
}

/* Says of a file whether it is to be compressed for this request. It has a tag of its own then
 * (FILE-5); a part of it is asked for of the plain one. */
static void wshub_ext_files__code(const wshub_ext_files *files, const wshub_http *http,
                                  wshub_ext_files__state *state) {
    const wshub_ext_files_desc *desc = &files->desc;
    size_t n = strlen(state->etag);

    state->varies = desc->deflate && state->length >= desc->deflate_bytes_min &&
                    state->length <= desc->deflate_bytes_max &&
                    wshub_ext_files__shrinks(state->type);
    if (!state->varies || wshub_http_header(http, "Range").ptr) return;
    state->coding = wshub_http_coding(http);
    if (!state->coding) return;
    WSHUB_ASSERT(n > 0 && state->etag[n - 1] == '"');
    WSHUB_ASSERT(strlen(wshub_deflate_name(state->coding)) < WSHUB_EXT_FILES__CODING);
    (void)snprintf(state->etag + n - 1, sizeof state->etag - n + 1, "-%s\"",
                   wshub_deflate_name(state->coding));
}

/* The whole of a file. NULL: it cannot be read, or there is no memory. */
static uint8_t *wshub_ext_files__whole(const wshub_ext_files__file *from) {
    const wshub_ext_files_desc *desc = &from->files->desc;
    wshub_ext_files__file file = *from;
    size_t length = (size_t)file.left, n = 1;
    uint8_t *bytes = (uint8_t *)desc->alloc(desc->alloc_user, NULL, 0, length);

    WSHUB_ASSERT(!file.at && length);
    while (bytes && file.left && n) {
        n = wshub_ext_files__read(&file, bytes + file.at, (size_t)file.left);
        file.at += n;
        file.left -= n;
    }
    if (!bytes || !file.left) return bytes;
    (void)desc->alloc(desc->alloc_user, bytes, length, 0);
    return NULL;
}

/* Answers with a file that is compressed here and now. False: it cannot be, and nothing was
 * said. */
static bool wshub_ext_files__answer_coded(wshub *hub, wshub_exchange exchange, wshub_reply *reply,
                                          const wshub_ext_files__file *file,
                                          wshub_deflate_form form) {
    const wshub_ext_files *files = file->files;
    const wshub_ext_files_desc *desc = &files->desc;
    size_t length = (size_t)file->left, cap = 0, count = 0;
    uint8_t *bytes = wshub_ext_files__whole(file), *coded = NULL;
    wshub_err err;

    if (!bytes) return false;
    err = wshub_deflate_whole(hub, &files->deflate, form, bytes, length, &coded, &cap, &count);
    (void)desc->alloc(desc->alloc_user, bytes, length, 0);
    if (err) return false;
    reply->body.ptr = (const char *)coded;
    reply->body.len = count;
    err = wshub_http_reply(hub, exchange, reply);
    (void)wshub_alloc(hub, coded, cap, 0);
    return !err;
}

/* ---- answering ---- */

/* Answers with what a request wants of an open file, which is given. */
static void wshub_ext_files__answer(const wshub_ext_files *files, wshub *hub,
                                    wshub_exchange exchange, const wshub_http *http, int fd,
                                    wshub_ext_files__state *state) {
    wshub_header headers[(int)WSHUB_EXT_FILES__HEADERS + (int)WSHUB_EXT_FILES_HEADERS_MAX];
    wshub_str etag = wshub_str_z(state->etag);
    wshub_range range = wshub_http_range(http, state->length, etag, state->modified_s);
    int condition = wshub_http_condition(http, etag, state->modified_s);
    wshub_ext_files__file file;
    wshub_reply reply;

    state->range[0] = 0;
    if (!condition) (void)wshub_http_range_write(&range, state->range);
    memset(&reply, 0, sizeof reply);
    reply.status = condition ? condition : range.status;
    reply.headers = headers;
    reply.headers_count = wshub_ext_files__headers(files, state, reply.status, headers);
    if (reply.status == 304 || reply.status == 412 || reply.status == 416) {
        (void)close(fd);
        (void)wshub_http_reply(hub, exchange, &reply);
        return;
    }

    reply.content_type = state->type;
    file.files = files;
    file.fd = fd;
    file.at = range.first;
    file.left = range.count;
    if (state->coding) {
        if (!wshub_ext_files__answer_coded(hub, exchange, &reply, &file, state->coding))
            (void)wshub_http_reply_text(hub, exchange, 503, wshub_str_z("no memory now\n"));
        wshub_ext_files__close(&file);
        return;
    }
    if (wshub_str_eq_z(http->method, "HEAD")) file.left = 0;
    if (wshub_http_begin(hub, exchange, &reply, range.count)) {
        wshub_ext_files__close(&file); /* not answered: the hub does, with 500 */
        return;
    }
    wshub_ext_files__begin(hub, exchange, &file);
}

/* A folder is called by a path that ends with a slash, or what its page refers to would be looked
 * for beside it. */
static wshub_take wshub_ext_files__to_folder(wshub *hub, wshub_exchange exchange,
                                             const wshub_http *http) {
    char to[2 * WSHUB_EXT_FILES__PATH_MAX];
    size_t n = http->path.len;
    wshub_str location;

    if (n + http->query.len + 2 > sizeof to) return WSHUB_TAKE_DECLINED;
    memcpy(to, http->path.ptr, n);
    to[n++] = '/';
    if (http->query.ptr) {
        to[n++] = '?';
        memcpy(to + n, http->query.ptr, http->query.len);
        n += http->query.len;
    }
    location.ptr = to;
    location.len = n;
    return wshub_http_redirect(hub, exchange, 301, location) ? WSHUB_TAKE_DECLINED
                                                             : WSHUB_TAKE_DONE;
}

/* Nothing could be opened. What is not there may be another's; that there is no descriptor or no
 * memory left is ours. */
static wshub_take wshub_ext_files__absent(wshub *hub, wshub_exchange exchange, int error) {
    if (error != EMFILE && error != ENFILE && error != ENOMEM) return WSHUB_TAKE_DECLINED;
    (void)wshub_http_reply_text(hub, exchange, 503, wshub_str_z("no file can be opened now\n"));
    return WSHUB_TAKE_DONE;
}

/* Opens what a request names and answers with it. path: decoded, terminated, not empty. */
static wshub_take wshub_ext_files__serve(const wshub_ext_files *files, wshub *hub,
                                         wshub_exchange exchange, const wshub_http *http,
                                         char *path) {
    const char *type = wshub_ext_files__type(files, path);
    wshub_ext_files__state state;
    struct stat st;
    int fd = wshub_ext_files__open(files, path);

    if (fd < 0) return wshub_ext_files__absent(hub, exchange, errno);
    memset(&st, 0, sizeof st);
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        bool folder = S_ISDIR(st.st_mode);
        (void)close(fd);
        return folder ? wshub_ext_files__to_folder(hub, exchange, http) : WSHUB_TAKE_DECLINED;
    }

    state.type = type;
    wshub_ext_files__describe(&st, (int64_t)time(NULL), &state);
    wshub_ext_files__code(files, http, &state);
    wshub_ext_files__answer(files, hub, exchange, http, fd, &state);
    return WSHUB_TAKE_DONE;
}

/* on_head. */
static wshub_take wshub_ext_files__head(wshub *hub, wshub_exchange exchange, const wshub_http *http,
                                        void *user) {
    const wshub_ext_files *files = (const wshub_ext_files *)user;
    char path[WSHUB_EXT_FILES__PATH_MAX + WSHUB_EXT_FILES__SEGMENT_MAX + 1];
    size_t prefix = strlen(files->desc.path), n;
    wshub_str rest;

    if (!wshub_str_eq_z(http->method, "GET") && !wshub_str_eq_z(http->method, "HEAD"))
        return WSHUB_TAKE_DECLINED;
    WSHUB_ASSERT(http->path.len >= prefix); /* of a mount that has a prefix */
    rest.ptr = http->path.ptr + prefix;
    rest.len = http->path.len - prefix;
    n = wshub_percent_decode(rest, false, path, WSHUB_EXT_FILES__PATH_MAX);
    if (n > WSHUB_EXT_FILES__PATH_MAX) return WSHUB_TAKE_DECLINED;
    if (memchr(path, 0, n)) { /* FILE-1 */
        (void)wshub_http_reply_text(hub, exchange, 400, wshub_str_z("a NUL in a path\n"));
        return WSHUB_TAKE_DONE;
    }

    path[n] = 0;
    if (n == 0 || path[n - 1] == '/') {
        if (!files->desc.index[0]) return WSHUB_TAKE_DECLINED;
        memcpy(path + n, files->desc.index, strlen(files->desc.index) + 1);
    }
    return wshub_ext_files__serve(files, hub, exchange, http, path);
}

/* ---- making one ---- */

/* Is it a header that an answer about a file has anyhow? */
static bool wshub_ext_files__is_own_header(wshub_str name) {
    static const char *const own[] = {"etag", "last-modified", "accept-ranges", "content-range",
                                      "content-type"};
    size_t i;

    for (i = 0; i < sizeof own / sizeof own[0]; i++) {
        char text[16];
        if (name.len != strlen(own[i])) continue;
        memcpy(text, name.ptr, name.len);
        text[name.len] = 0;
        if (wshub_ext_files__ends(text, own[i])) return true;
    }
    return false;
}

static const char *wshub_ext_files__lists_problem(const wshub_ext_files_desc *desc) {
    size_t i;

    if (!desc->types != !desc->types_count)
        return "types: a list needs its types_count, and the other way round";
    for (i = 0; i < desc->types_count; i++) {
        if (!desc->types[i].ending || !desc->types[i].type)
            return "types: must have an ending and a type each";
    }
    if (desc->headers_count > WSHUB_EXT_FILES_HEADERS_MAX)
        return "headers_count: must be at most WSHUB_EXT_FILES_HEADERS_MAX (16)";
    if (!desc->headers != !desc->headers_count)
        return "headers: a list needs its headers_count, and the other way round";
    for (i = 0; i < desc->headers_count; i++) {
        if (wshub_ext_files__is_own_header(desc->headers[i].name))
            return "headers: must be without ETag, Last-Modified, Accept-Ranges, Content-Range and "
                   "Content-Type, which are written here";
    }
    return NULL;
}

WSHUB_API const char *wshub_ext_files_desc_problem_versioned(const wshub_ext_files_desc *desc,
                                                             size_t desc_bytes, uint32_t version) {
    size_t path;

    if (desc_bytes != sizeof *desc || version != WSHUB_EXT_FILES_DESC_VERSION)
        return "wshub_ext_files_desc: of another wshub_ext_files.h than the code";
    if (!desc) return "wshub_ext_files_desc: required";
    if (!desc->folder || !desc->folder[0]) return "folder: required, as in \"public\"";
    path = desc->path ? strlen(desc->path) : 1;
    if (desc->path && (desc->path[0] != '/' || desc->path[path - 1] != '/'))
        return "path: must begin and end with `/`, as in \"/files/\"";
    if (path > WSHUB_NAME_BYTES_MAX)
        return "path: must have at most WSHUB_NAME_BYTES_MAX (4096) bytes";
    if (desc->path && strcspn(desc->path, "?# \t\r\n") != path)
        return "path: must be without query, fragment and white space; no request has such a one";
    if (desc->index &&
        (strchr(desc->index, '/') || strlen(desc->index) > WSHUB_EXT_FILES__SEGMENT_MAX))
        return "index: must be the name of a file, of at most 255 bytes, without `/`";
    if (desc->deflate_bytes_max > 16u << 20)
        return "deflate_bytes_max: must be at most 16777216 (16 MiB)";
    if (desc->deflate && wshub_deflate_problem(desc->deflate))
        return wshub_deflate_problem(desc->deflate);
    return wshub_ext_files__lists_problem(desc);
}

WSHUB_API size_t wshub_ext_files_desc_explain_versioned(const wshub_ext_files_desc *desc,
                                                        size_t desc_bytes, uint32_t version,
                                                        wshub_err err, char *buf, size_t cap) {
    static const wshub_field fields[] = {
        WSHUB_FIELD(wshub_ext_files_desc, folder, TEXT, NULL),
        WSHUB_FIELD(wshub_ext_files_desc, path, TEXT, NULL),
        WSHUB_FIELD(wshub_ext_files_desc, index, TEXT, NULL),
        WSHUB_FIELD(wshub_ext_files_desc, types, POINTER, "types_count"),
        WSHUB_FIELD(wshub_ext_files_desc, types_count, UINT, NULL),
        WSHUB_FIELD(wshub_ext_files_desc, headers, POINTER, "headers_count"),
        WSHUB_FIELD(wshub_ext_files_desc, headers_count, UINT, NULL),
        WSHUB_FIELD(wshub_ext_files_desc, deflate_bytes_max, UINT, NULL),
    };
    const char *problem = wshub_ext_files_desc_problem_versioned(desc, desc_bytes, version);

    if (!desc || desc_bytes != sizeof *desc || version != WSHUB_EXT_FILES_DESC_VERSION)
        return wshub_explain(problem, NULL, NULL, 0, buf, cap);
    if (!problem && err == WSHUB_ERR_PARAM) problem = "out_files: required, and NULL";
    if (!problem && err == WSHUB_ERR_IO)
        problem = "folder: must be a folder that is there and may be read by this program, which "
                  "looks for it from where it was started; errno said what is in the way";
    if (!problem && err) problem = wshub_strerror(err);
    return wshub_explain(problem, desc, fields, sizeof fields / sizeof fields[0], buf, cap);
}

WSHUB_API wshub_err wshub_ext_files_create_versioned(const wshub_ext_files_desc *desc,
                                                     size_t desc_bytes, uint32_t version,
                                                     wshub_ext_files **out_files) {
    wshub_alloc_fn alloc;
    wshub_ext_files *files;
    int folder;

    if (!out_files || wshub_ext_files_desc_problem_versioned(desc, desc_bytes, version))
        return WSHUB_ERR_PARAM;
    *out_files = NULL;
    folder = open(desc->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return WSHUB_ERR_IO;
    alloc = desc->alloc ? desc->alloc : wshub_ext_files__realloc;
    files = (wshub_ext_files *)alloc(desc->alloc_user, NULL, 0, sizeof *files);
    if (!files) {
        (void)close(folder);
        return WSHUB_ERR_NOMEM;
    }

    files->desc = *desc;
    files->desc.alloc = alloc;
    if (!desc->path) files->desc.path = "/";
    if (!desc->index) files->desc.index = "index.html";
    if (!desc->deflate_bytes_min) files->desc.deflate_bytes_min = 1024;
    if (!desc->deflate_bytes_max) files->desc.deflate_bytes_max = 262144;
    if (desc->deflate) files->deflate = *desc->deflate;
    files->folder = folder;
    *out_files = files;
    return WSHUB_OK;
}

WSHUB_API wshub_err wshub_ext_files_mount(wshub_ext_files *files, wshub *hub) {
    wshub_mount_desc mount;

    memset(&mount, 0, sizeof mount);
    mount.version = WSHUB_MOUNT_VERSION;
    mount.path = files->desc.path;
    mount.prefix = true;
    mount.allow = "GET, HEAD, OPTIONS";
    mount.user = files;
    mount.on_head = wshub_ext_files__head;
    mount.on_exchange_drained = wshub_ext_files__go_on;
    mount.on_exchange_gone = wshub_ext_files__gone;
    return wshub_mount(hub, &mount);
}

WSHUB_API void wshub_ext_files_destroy(wshub_ext_files *files) {
    if (!files) return;
    (void)close(files->folder);
    (void)files->desc.alloc(files->desc.alloc_user, files, sizeof *files, 0);
}

#ifdef __cplusplus
}
#endif
#endif
