/* A command of the fixture emitter, one JSON object, to a publication. */
#ifndef FIXTURE_EMIT_H
#define FIXTURE_EMIT_H

/* a JSON string's text, appended to *at */
static bool text_of(wshub_str raw, char **at, wshub_str *out) {
    if (wshub_json_type(raw) != WSHUB_JSON_STRING) return false;
    out->ptr = *at;
    out->len = wshub_json_text(raw, *at, raw.len);
    *at += out->len;
    return true;
}

/* Publishes what a line says. NULL, or what is wrong with it. */
static const char *fixture_emit(wshub_emitter *em, wshub_str line) {
    static const struct {
        const char *to;
        wshub_dest_kind kind;
    } kinds[] = {{"client", WSHUB_DEST_CLIENT},
                 {"user", WSHUB_DEST_USER},
                 {"room", WSHUB_DEST_ROOM},
                 {"all", WSHUB_DEST_ALL}};
    char *buf = (char *)malloc(line.len + 1), *at = buf;
    wshub_str *ids = (wshub_str *)malloc((line.len / 2 + 1) * sizeof *ids), to, item,
              list = wshub_json_get(line, "exclude");
    const char *why = NULL;
    wshub_dest dest = {0};
    wshub_msg msg;
    wshub_iter it = {0, 0};
    wshub_err err;
    size_t i;
    memset(&dest, 0, sizeof dest);
    memset(&msg, 0, sizeof msg);
    if (!buf || !ids) abort();
    if (!wshub_json_check(line, 0) || !text_of(wshub_json_get(line, "to"), &at, &to))
        why = "no JSON object with a `to`";
    for (i = 0; !why && i < 4; i++) {
        if (wshub_str_eq_z(to, kinds[i].to)) dest.kind = kinds[i].kind;
    }
    if (!why && dest.kind == WSHUB_DEST_RESOLVE) why = "`to` is client, user, room or all";
    if (!why && dest.kind != WSHUB_DEST_ALL &&
        !text_of(wshub_json_get(line, "id"), &at, &dest.name))
        why = "no `id`";
    if (!why && !text_of(wshub_json_get(line, "event"), &at, &msg.event)) why = "no `event`";
    if (!why) {
        msg.data = wshub_json_get(line, "data");
        msg.data_is_json = true;
        if (dest.kind == WSHUB_DEST_ROOM && wshub_json_type(list) == WSHUB_JSON_ARRAY) {
            dest.exclude = ids;
            while (wshub_json_each(list, &it, &item)) {
                if (text_of(item, &at, &ids[dest.exclude_count])) dest.exclude_count++;
            }
        }
        err = wshub_emitter_send(em, &dest, &msg);
        if (err) why = wshub_strerror(err);
    }
    free(ids);
    free(buf);
    return why;
}
#endif
