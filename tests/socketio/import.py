#!/usr/bin/env python3
"""Writes what the tests of Socket.IO replay: decode.txt, encode.txt, payload.txt, http.txt and
session.txt.

    python3 tests/socketio/import.py RECORDINGS.jsonl

RECORDINGS.jsonl was recorded from Node's server; the tree does not need it once the texts are
written. Where this hub differs on purpose, the table of that kind below says why and what is
right here; the texts are never edited by hand.

A case begins with `# name`. Each of its lines has a mark in front:

    ~ why what is expected is not what was recorded
    @ how things stand before: `join /admin`, `option attachments_max 20`
    > a message from the client, text      + the same, bytes in hexadecimal
    < a message to the client, text        - the same, bytes
    = what the application is told, or does

and where requests are played (http.txt):

    @ before the request: `open` a session; `continues` with that of the case before; `with` an
      option of the server
    ! while it is waited for
    > a line of the head of a request      . its body
    < a line of the head of the answer     : its body, or what a WebSocket brings
    = how sessions have ended by then

and where whole sessions are played (session.txt), with > + < - as above:

    w a WebSocket is opened beside      x the server closes the latest one, with that code
    P a post, and p its answer          G a poll, and g its answer, which may have been held
    ! what else happens: `lost`, `close 1000`, something that the server does
    = what the application writes into its log, in the end

In a text `%0A` is a byte, `%25` a per cent sign and `%(x*900)` nine hundred times `x`.
"""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def escaped(text):
    """A text in one line: bytes that are no letters by their numbers, long runs counted."""
    out = re.sub(r"[\x00-\x1f%\x7f]", lambda m: "%%%02X" % ord(m.group()), text)
    return re.sub(r"([^%])\1{39,}", lambda m: "%%(%s*%d)" % (m.group(1), len(m.group())), out)


def plain(value):
    """JSON as Node writes it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return re.sub("[\ud800-\udfff]", lambda m: "\\u%04x" % ord(m.group()), text)


def frame_line(frame, marks):
    if "text" in frame:
        return marks[0] + " " + escaped(frame["text"])
    return (marks[1] + " " + escaped(frame["bin"])).rstrip()


def write(name, cases):
    path = os.path.join(HERE, name)
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        out.write("\n".join("\n".join(["# " + case] + lines) + "\n" for case, lines in cases))
    print("%s: %d" % (name, len(cases)))


# ---- packets as they are read ----

RAW = "arguments are handed over as they came, JSON that nobody has rewritten"
DIGITS = "types, counts of attachments and ids are decimal digits (3.1)"
DECODE_DIFFERENT = {
    "event-id-big": (RAW + "; an id is kept as text of at most 16 digits (3.1)",
                     ['= event / 9007199254740993 ["a"]']),
    "event-id-huge": ("an id has at most 16 digits (3.1)",
                      ["= error / invalid payload", "= disconnect / forced close"]),
    "event-leading-space": (DIGITS, ["= error / invalid payload", "= disconnect / forced close"]),
    "event-id-space": (DIGITS, ["= error / invalid payload", "= disconnect / forced close"]),
    "event-dup-keys": (RAW, ['= event / - ["a",{"x":1,"x":2}]']),
    "event-float": (RAW, ['= event / - ["a",1e400,-0,1.5]']),
    "event-escape": (RAW, ['= event / - ["a\\u0000\\n\\"b"]']),
    "empty": ("Node's reader takes it for CONNECT, and what reads messages refuses it (3.1)",
              ["= error / unknown packet type", "= disconnect / forced close"]),
    "space": (DIGITS, ["= error / unknown packet type", "= disconnect / forced close"]),
    "bin-space": (DIGITS, ["= error / Illegal attachments", "= disconnect / forced close"]),
    "bin-plus": (DIGITS, ["= error / Illegal attachments", "= disconnect / forced close"]),
    "bin-exp": (DIGITS, ["= error / Illegal attachments", "= disconnect / forced close"]),
    "bin-hex": (DIGITS, ["= error / Illegal attachments", "= disconnect / forced close"]),
    "bin-num-float": ("a number of an attachment is one of 0 to n-1 (3.1)",
                      ["= error / illegal attachments", "= disconnect / forced close"]),
}


def told(packet):
    """What the application is told of a packet that has been read."""
    space, kind = packet["nsp"], packet["type"]
    if kind == 0:
        return ["= connect %s %s" % (space, plain(packet.get("data", {})))]
    if kind == 1:
        return ["= disconnect %s client namespace disconnect" % space]
    if kind == 2:  # without arguments it is dropped, as Node's server does behind its reader
        data = packet.get("data")
        return data and ["= event %s %s %s" % (space, packet.get("id", "-"), plain(data))] or []
    if kind == 3:  # without an id it answers nothing
        return "id" in packet and ["= ack %s %d %s" % (space, packet["id"],
                                                       plain(packet.get("data", [])))] or []
    spaces = ["/"] if space == "/" else ["/", space]  # CONNECT_ERROR is the server's to say
    return ["= disconnect %s forced close" % name for name in spaces]


def decode(vectors):
    for v in vectors:
        name, lines = v["name"], []
        spaces = [p["nsp"] for p in v["packets"]]
        connects = bool(v["packets"]) and v["packets"][0]["type"] == 0 and \
            name not in DECODE_DIFFERENT
        for option, value in v.get("opts", {}).items():
            assert option == "maxAttachments"
            lines.append("@ option attachments_max %d" % value)
        if not connects:
            lines += ["@ join " + s for s in ["/"] + [s for s in spaces[:1] if s != "/"]]
        lines += [frame_line(f, ">+") for f in v["frames"]]
        right = [line for p in v["packets"] for line in told(p)]
        if "error" in v:  # the type is not repeated in the text
            text = re.sub(" (NaN|[0-9])$", "", v["error"])
            right += ["= error / " + text, "= disconnect / forced close"]
        if name in DECODE_DIFFERENT:
            why, right = DECODE_DIFFERENT[name]
            lines.insert(0, "~ " + why)
        yield name, lines + [escaped(line) for line in right]


# ---- packets as they are written ----

ENCODE_DIFFERENT = {
    "connect": ("a server answers with the id of the socket, always", ['< 0{"sid":"{sid}"}']),
}


def encode(vectors):
    does = {0: "connect", 1: "disconnect", 2: "event", 3: "ack", 4: "refuse"}
    for v in vectors:
        name, packet, lines = v["name"], v["packet"], []
        said = plain(packet["data"]) if packet["type"] > 1 else ""
        lines.append(escaped("= %s %s %s %s" % (does[packet["type"]], packet["nsp"],
                                                packet.get("id", "-"), said)).rstrip())
        right = [frame_line(f, "<-").replace('"sid":"abc"', '"sid":"{sid}"').replace(
            '"pid":"def"', '"pid":"{pid}"') for f in v["frames"]]
        if "{pid}" in right[0]:
            lines.insert(0, "@ option recovery_ms 60000")
        if name in ENCODE_DIFFERENT:
            why, right = ENCODE_DIFFERENT[name]
            lines.insert(0, "~ " + why)
        yield name, lines + right


# ---- payloads ----

ENDS = {"ping": "transport error", "close": "transport close", "error": "parse error"}


def message_line(data, marks):
    frame = {"bin": data["$bin"]} if isinstance(data, dict) else {"text": data}
    return frame_line(frame, marks)


def payload(reads, writes):
    for v in reads:  # `.` is the body of a post; then what the application is told
        lines = [(". " + escaped(v["in"])).rstrip()]
        for packet in v["out"]:
            if packet["type"] == "message":
                lines.append(message_line(packet.get("data", ""), ">+").rstrip())
            elif packet["type"] in ENDS:
                lines.append("= " + ENDS[packet["type"]])
        yield v["name"], lines
    for v in writes:  # what the application says; `:` is the answer of a poll
        yield "writes " + v["name"], [
            message_line(p["data"], "<-").rstrip() if p["type"] == "message" else
            ("= " + p["type"] + " " + p.get("data", "")).rstrip() for p in v["packets"]
        ] + [": " + escaped(v["out"])]


# ---- requests and answers ----

# How things stand before a request (@), and what happens while it is waited for (!).
OPEN, ON = ["@ open"], ["@ continues"]
WAIT = ["! wait 400"]
HTTP_SCENES = {
    "sid-transport-mismatch": OPEN, "sid-protocol-mismatch": OPEN, "sid-put": OPEN,
    "post-one": OPEN, "poll-one": ON, "post-three": ON, "poll-three": ON, "post-binary": ON,
    "poll-binary": ON, "post-utf8-len": ON, "poll-ct-json": ON, "post-empty-message": ON,
    "post-pong-unasked": ON, "post-noop": ON, "post-open-packet": ON, "post-upgrade-packet": ON,
    "post-empty-body": OPEN, "after-empty-body": ON,
    "post-octet-stream": OPEN, "post-octet-stream-charset": OPEN, "post-no-content-type": OPEN,
    "post-max-1000": ON, "post-over-1001": ON, "post-over-then-poll": ON,
    "post-chunked": OPEN, "poll-chunked": ON,
    "poll-ping": OPEN + WAIT, "post-pong": ON, "poll-ping2": ON + WAIT,
    "poll-after-ping-timeout": ON + ["@ wait 300"],
    "overlap-poll-first": OPEN + ["! poll"], "overlap-poll-second": OPEN + ["@ poll"],
    "overlap-post-second": OPEN + ["@ part"], "overlap-post-first": OPEN + ["! post 4x"],
    "poll-after-abort": OPEN + ["@ poll", "@ abort"],
    "poll-server-close": OPEN + ["! close"],
    "poll-after-server-close-buffered": OPEN + ["@ close"],
    "poll-after-send-close": OPEN + ["@ post 4!send-close"], "poll-after-send-close-2": ON,
    "poll-1023-bytes-not-compressed": OPEN + ["@ send 1022"],
    "poll-1024-bytes-gzip": OPEN + ["@ send 1023"],
    "poll-compress-false": OPEN + ["@ send 2000"],
    "cookie-default": ["@ with cookie io"], "cookie-ws": ["@ with cookie io"],
    "cookie-custom": ["@ with cookie sess",
                      "@ with cookie_rest Max-Age=86400; Path=/; SameSite=Strict"],
    "forbidden-message": ["@ with refusal nope"], "forbidden-ws": ["@ with refusal nope"],
    "forbidden-null": ["@ with refusal"], "forbidden-null-ws": ["@ with refusal"],
    "only-ws-polling-refused": ["@ with no_polling"], "no-upgrades-open": ["@ with no_upgrade"],
    "only-polling-open": ["@ with no_websocket"], "initial-packet": ["@ with initial hi"],
    "defaults-open": ["@ with defaults"],
}
CORS_SCENES = {
    "star": ["origin *", "credentials", "methods GET,POST"],
    "list": ["origin http://a.example", "origin http://b.example", "methods GET,POST",
             "headers x-a", "expose x-b", "max_age 600"],
    "fixed": ["origin http://one.example"], "reflect": ["reflect"],
}
HTTP_ENDS = {  # where the end was recorded under another name
    "poll-after-ping-timeout": "ping-timeout", "poll-after-abort": "poll-aborted-by-client",
    "overlap-poll-first": "overlap-poll", "overlap-poll-second": "overlap-poll",
    "overlap-post-first": "overlap-post", "overlap-post-second": "overlap-post",
}
UNREAD = "a body that nobody reads is not waited for: the stream ends behind the answer"
NO_101 = "refused before it is a WebSocket (2.10)"
UNSAID = "what followed was not recorded"
OPENED = '0{"sid":"{sid}","upgrades":%s,"pingInterval":400,"pingTimeout":300,"maxPayload":1000}'
BY_POLL = ["< 200", "< cache-control: no-store", "< content-type: text/plain; charset=UTF-8"]
BY_SOCKET = ["< 101", "< connection: Upgrade",
             "< sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "< upgrade: websocket"]


def refused(status, kind, text=None):
    return ["< %d" % status, "< connection: close"] + (kind and ["< content-type: " + kind] or []) \
        + (text and [": " + text] or [])


HTTP_DIFFERENT = {
    "path-no-slash": ("what is no mount's is the hub's to answer",
                      ["< 404", "< content-type: text/plain; charset=utf-8", ": Not Found%0A"]),
    "bad-origin": ("who looks at it reads why",
                   refused(400, "text/plain; charset=utf-8", "malformed header field%0A")),
    "unknown-sid-post": (UNREAD, refused(400, "application/json",
                                         '{"code":1,"message":"Session ID unknown"}')),
    "post-octet-stream": (UNREAD, refused(400, None)),
    "post-over-1001": (UNREAD, refused(413, None)),
    "overlap-post-second": (UNREAD, refused(400, None)),
    "ws-no-EIO": (NO_101, refused(400, "text/html", "Unsupported protocol version")),
    "ws-EIO-3": (NO_101, refused(400, "text/html", "Unsupported protocol version")),
    "ws-transport-polling": (NO_101, refused(400, "text/html", "Bad request")),
    "ws-version-8": ("RFC 6455 4.1: the version is 13, drafts before it are not spoken",
                     refused(400, "text/html", "Sec-WebSocket-Version must be 13")),
    "ws-no-key": ("the same in other words",
                  refused(400, "text/html", "Sec-WebSocket-Key must be 16 bytes in base64, once")),
    "ws-wrong-path": ("what is no mount's is answered at once, not dropped a second later",
                      ["< 404", "< content-type: text/plain; charset=utf-8", ": Not Found%0A"]),
    "cookie-ws": (UNSAID, BY_SOCKET + [": " + OPENED % "[]"]),
    "initial-packet": (UNSAID, BY_POLL + [": " + OPENED % '["websocket"]' + "%1E4hi"]),
    "poll-1024-bytes-gzip": ("answers are not compressed yet", BY_POLL + [": 4%(x*1023)"]),
    "jsonp-open": ("there is no JSONP: it is a poll like any other",
                   BY_POLL + [": " + OPENED % '["websocket"]']),
}


def scene(name):
    if name.startswith("cors-"):
        return ["@ with " + option for option in CORS_SCENES[name.split("-")[1]]]
    if name.endswith("-then-poll") and name not in HTTP_SCENES:
        return ON
    if name in HTTP_SCENES or not name.startswith("post-"):
        return HTTP_SCENES.get(name, [])
    return OPEN


def head_lines(lines, mark):
    return [mark + " " + escaped(line) for line in lines]


def answer(v):
    """The head without what says how long the body is and how long the stream stays."""
    if v.get("status") is None:
        return ["< closed"]
    left_out = ("content-length:", "transfer-encoding:", "keep-alive:", "connection: keep-alive")
    heads = []
    for line in v.get("headers", []):
        name, value = line.split(":", 1)
        line = name.lower() + ":" + value
        if not line.startswith(left_out):
            heads.append(line)
    lines = ["< %d" % v["status"]] + head_lines(sorted(heads), "<")
    said = v.get("after_101_hex")
    if said:
        raw = bytes.fromhex(said)
        text = "closed" if raw[0] == 0x88 else raw[2:].decode("utf-8", "replace")
        lines.append(": " + escaped(re.sub('"sid":"[^"]{20}"', '"sid":"{sid}"', text)))
    elif v.get("body"):
        lines.append(": " + escaped(v["body"].replace("{{sid}}", "{sid}")))
    return [line.replace("{{sid}}", "{sid}") for line in lines]


def http(vectors, ends):
    ends = {v["name"]: v["reasons"] for v in ends}
    for v in vectors:
        name = v["name"]
        request = v.get("request") or "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n" + \
            "Host: h\r\n\r\n"
        head, body = request.replace("{{sid}}", "{sid}").split("\r\n\r\n", 1)
        lines = [s for s in scene(name) if s[0] == "@"] + head_lines(head.split("\r\n"), ">")
        lines += [". " + escaped(body)] if body else []
        lines += [s for s in scene(name) if s[0] == "!"]
        right = answer(v)
        if name in HTTP_DIFFERENT:
            why, right = HTTP_DIFFERENT[name]
            lines.insert(0, "~ " + why)
        lines += right
        how = ends.get(HTTP_ENDS.get(name, name))
        if how is not None:
            lines += ["= " + (how[0] if how else "open")]
        yield name, lines


# ---- sessions ----

SESSION_OPTIONS = {
    "no-connect-timeout": ["connect_timeout 400"], "refused-then-timeout": ["connect_timeout 400"],
    "upgrade-timeout": ["upgrade_timeout 300"], "whoami": ["query &foo=bar&foo=baz"],
}
# What no step tells: it happens before the given step.
SESSION_ACTS = {
    "io-close": ("x 1005", "! shutdown"), "io-disconnectSockets": ("< 41", "! disconnect"),
    "io-disconnectSockets-close": ("< 41", "! disconnect close"),
    "engine-close-conn": ("x 1005", "! engine close"),
    "client-ws-protocol-error": ("x 1002", "! bytes 838401020304"),
    "client-ws-unmasked": ("x 1002", "! bytes 810134"),
    "client-ws-bad-utf8": ("x 1007", "! bytes 81820000000034ff"),
}
SESSION_DIFFERENT = {
    "connect-two-namespaces": (
        "sockets that end with their WebSocket are told of newest first",
        ["@ socket", "> 40", '< 40{"sid":"{sid}"}', "> 40/custom,", '< 40/custom,{"sid":"{sid}"}',
         '> 42["echo",1]', '< 42["echo",1]', '> 42/custom,["echo",2]', '< 42/custom,["echo",2]',
         "! lost", '= ["connection","/","{sid}",{},false]',
         '= ["connection","/custom","{sid}",{},false]',
         '= ["disconnecting","/custom","{sid}","transport close",["{sid}"]]',
         '= ["disconnect","/custom","{sid}","transport close"]',
         '= ["disconnecting","/","{sid}","transport close",["{sid}"]]',
         '= ["disconnect","/","{sid}","transport close"]']),
    "disconnect-then-reconnect": (
        "an end is told when its turn is over (BYE-1), so that the log has this order for packets "
        "that do not come together",
        ["> 40", '< 40{"sid":"{sid}"}', "> 41", "! a turn", "> 40", '< 40{"sid":"{sid}"}', "! lost",
         '= ["connection","/","{sid}",{},false]',
         '= ["disconnecting","/","{sid}","client namespace disconnect",["{sid}"]]',
         '= ["disconnect","/","{sid}","client namespace disconnect"]',
         '= ["connection","/","{sid}",{},false]',
         '= ["disconnecting","/","{sid}","transport close",["{sid}"]]',
         '= ["disconnect","/","{sid}","transport close"]']),
    "connect-slow-twice": (
        "a second CONNECT while the first is asked about is none (3.2)",
        ["> 40/slow,", "> 40/slow,", '< 40/slow,{"sid":"{sid}"}', "! lost",
         '= ["connection","/slow","{sid}",{},false]',
         '= ["disconnecting","/slow","{sid}","transport close",["{sid}"]]',
         '= ["disconnect","/slow","{sid}","transport close"]']),
    "eio-close": (
        "a packet of type close closes at once (2.10)",
        ["> 40", '< 40{"sid":"{sid}"}', "> 1", "x 1005",
         '= ["connection","/","{sid}",{},false]',
         '= ["disconnecting","/","{sid}","transport close",["{sid}"]]',
         '= ["disconnect","/","{sid}","transport close"]']),
}


def no_ids(text):
    return re.sub(r"\{\{(sid[0-9]*|self)\}\}", "{sid}", text)


def renumbered(text, base):
    """The recording server had asked before: its questions count from 0 here, and an answer to
    none of them is one to 99."""
    found = re.match(r"(42|43|4[56][0-9]+-)([0-9]+)(.*)", text, re.S)
    if base is None or not found or int(found.group(2)) > 99:
        return text
    number = int(found.group(2)) - base
    return found.group(1) + str(number if number >= 0 else 99) + found.group(3)


def log_line(entry):
    """As the fixture writes it: with the id of the socket, and `recovered`."""
    what, space, rest = entry[0], entry[1], entry[2:]
    if what == "connection":
        rest = [rest[0], False]
    if what == "error":
        rest = [re.sub("^(unknown packet type) .*", r"\1", rest[0])]
    return "= " + no_ids(plain([what, space, "{sid}"] + rest))


def session_lines(v):
    steps = v["steps"]
    asks = [re.match(r"42([0-9]+)\[", step["s"]) for step in steps if "s" in step]
    numbers = [int(found.group(1)) for found in asks if found]
    base = min(numbers) if numbers else None
    by_http = any("http" in step for step in steps)
    for step in steps:
        if "s" in step and not step["s"].startswith("0{"):
            yield "< " + escaped(no_ids(renumbered(step["s"], base)))
        elif "c" in step:
            yield ("> " + escaped(renumbered(step["c"], base))).rstrip()
        elif "s_bin" in step or "c_bin" in step:
            yield frame_line({"bin": step.get("s_bin", step.get("c_bin"))},
                             "--" if "s_bin" in step else "++")
        elif step.get("ws") == "connect":
            yield "w"
        elif "http" in step:
            yield "G" if step["http"] == "GET" else "P " + escaped(step["body"])
        elif "http_reply_to" in step:
            mark = "g" if steps[step["http_reply_to"]]["http"] == "GET" else "p"
            yield "%s %d %s" % (mark, step["status"], escaped(no_ids(step["body"])))
        elif "closed" in step:
            code = step["closed"]
            yield "! lost" if code == 1006 else \
                "! close %d" % code if code in (1000, 4000) else "x %d" % code
            if not by_http:
                return  # what was said behind it never arrived


def session(vectors):
    for v in vectors:
        name, lines = v["name"], []
        opened = v["steps"][0].get("s", "")
        if opened.startswith("0{"):
            said = json.loads(opened[1:])
            for key, option, usual in (("pingInterval", "ping_interval", 60000),
                                       ("pingTimeout", "ping_timeout", 20000),
                                       ("maxPayload", "max_buffer", 1000000)):
                if said[key] != usual:
                    lines.append("@ with %s %d" % (option, said[key]))
        lines += ["@ with " + option for option in SESSION_OPTIONS.get(name, [])]
        if name == "two-clients-receiver":
            lines.append("@ hears two-clients-sender")
        body = list(session_lines(v)) + [log_line(e) for e in v.get("server_log", [])]
        if name in SESSION_ACTS:
            before, act = SESSION_ACTS[name]
            body.insert(body.index(before), act)
        if name in SESSION_DIFFERENT:
            why, body = SESSION_DIFFERENT[name]
            lines.insert(0, "~ " + why)
        yield name, lines + body


def main():
    kinds = {}
    with open(sys.argv[1], encoding="utf-8") as recorded:
        for line in recorded:
            vector = json.loads(line)
            kinds.setdefault(vector["cat"], []).append(vector)
    write("decode.txt", list(decode(kinds["sio-decode"])))
    write("encode.txt", list(encode(kinds["sio-encode"])))
    write("payload.txt", list(payload(kinds["eio-decode-payload"], kinds["eio-encode-payload"])))
    write("session.txt", list(session(kinds["sio-session"])))
    write("http.txt", list(http(kinds["eio-http"], kinds["eio-close-reason"])))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
