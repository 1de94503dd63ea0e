"""Requests as clients, attackers and broken programs send them: (name, bytes). Whatever hides a second request names it /hidden."""

HOST = b"Host: a.example\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a.example\r\nX-Hidden: 1\r\n\r\n"


def payloads():
    found = [
        *ordinary(),
        *lines(),
        *targets(),
        *hosts(),
        *lengths(),
        *codings(),
        *both(),
        *chunks(),
        *names(),
        *hops(),
        *pipelines(),
    ]
    assert len({name for name, _ in found}) == len(found), "two payloads of one name"
    return found


def request(line, fields=b"", body=b"", host=HOST):
    return line + b" HTTP/1.1\r\n" + host + fields + b"\r\n" + body


def ordinary():
    yield "get", request(b"GET /a")
    yield "get with a query", request(b"GET /a?b=c&d=%20e")
    for method in (b"HEAD", b"OPTIONS", b"DELETE", b"PURGE", b"PROPFIND", b"get", b"PUT", b"PATCH"):
        yield f"method {method.decode()}", request(method + b" /a")
    for method in (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"):
        yield f"{method.decode()} with a body", request(method + b" /a", b"Content-Length: 5\r\n", b"hello")
        yield f"{method.decode()} with chunks", request(
            method + b" /a", b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"
        )
    yield "a large body", request(b"POST /a", b"Content-Length: 200000\r\n", bytes(range(256)) * 781 + b"x" * 64)
    yield "a large chunked body", request(
        b"POST /a",
        b"Transfer-Encoding: chunked\r\n",
        b"".join(b"%x\r\n" % 9999 + b"y" * 9999 + b"\r\n" for _ in range(20)) + b"0\r\n\r\n",
    )
    yield "a body that looks like a request", request(b"POST /a", b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN)
    yield "cookies in two lines", request(b"GET /a", b"Cookie: session=1\r\nCookie: session2=2\r\n")
    yield "a range", request(b"GET /a", b'Range: bytes=0-1,3-4\r\nIf-Range: "x"\r\n')
    yield "fields in two lines", request(b"GET /a", b"X-A: 1\r\nX-A: 2\r\n")
    yield "an empty field", request(b"GET /a", b"X-A:\r\n")
    yield "padding", request(b"GET /a", b"X-A: \t b \t \r\n")
    yield "a field of 8 KB", request(b"GET /a", b"X-A: " + b"b" * 7000 + b"\r\n")
    yield "a field of 100 KB", request(b"GET /a", b"X-A: " + b"b" * 100_000 + b"\r\n")
    yield "eighty fields", request(b"GET /a", b"".join(b"X-%d: 1\r\n" % n for n in range(80)))
    yield "two hundred fields", request(b"GET /a", b"".join(b"X-%d: 1\r\n" % n for n in range(200)))
    yield "bytes above 127 in a field", request(b"GET /a", b"X-A: \xe9\xff\r\n")
    yield "expect continue", request(b"POST /a", b"Expect: 100-continue\r\nContent-Length: 5\r\n", b"hello")
    yield "expect something", request(b"POST /a", b"Expect: 200-ok\r\nContent-Length: 5\r\n", b"hello")
    yield "authorisation", request(b"GET /a", b"Authorization: Basic YTpi\r\n")


def lines():
    for name, line in {
        "two blanks": b"GET  /a HTTP/1.1",
        "a blank in front": b" GET /a HTTP/1.1",
        "a blank behind": b"GET /a HTTP/1.1 ",
        "a blank in the target": b"GET /a b HTTP/1.1",
        "a tab": b"GET\t/a\tHTTP/1.1",
        "no version": b"GET /a",
        "1.2": b"GET /a HTTP/1.2",
        "2.0": b"GET /a HTTP/2.0",
        "0.9": b"GET /a HTTP/0.9",
        "1.10": b"GET /a HTTP/1.10",
        "01.1": b"GET /a HTTP/01.1",
        "small letters": b"GET /a http/1.1",
        "a NUL": b"GET /a\0b HTTP/1.1",
        "a bare CR": b"GET /a\r HTTP/1.1",
        "no method": b"/a HTTP/1.1",
        "a colon in the method": b"GET: /a HTTP/1.1",
        "a vertical tab": b"GET\x0b/a HTTP/1.1",
        "words behind": b"GET /a HTTP/1.1 X: y",
        "connect": b"CONNECT a.example:443 HTTP/1.1",
        "trace": b"TRACE /a HTTP/1.1",
        "preface": b"PRI * HTTP/2.0",
        "1.0": b"GET /a HTTP/1.0",
    }.items():
        yield f"line: {name}", line + b"\r\n" + HOST + b"\r\n"
    yield "line: empty ones before", b"\r\n\r\n" + request(b"GET /a")
    yield "line: bare LF everywhere", b"GET /a HTTP/1.1\nHost: a.example\nX-A: 1\n\n"
    yield "line: bare LF ends the head", b"GET /a HTTP/1.1\r\nHost: a.example\r\nX-A: 1\r\n\n"
    yield "line: bare CR ends it", b"GET /a HTTP/1.1\rHost: a.example\r\n\r\n"
    yield "line: CR CR LF", b"GET /a HTTP/1.1\r\r\nHost: a.example\r\n\r\n"


def targets():
    for target in (
        b"*",
        b"a",
        b"//a",
        b"///a//b",
        b"/a/../b",
        b"/a/./b",
        b"/..",
        b"/%2e%2e/a",
        b"/%2E%2e%2fa",
        b"/a%2fb",
        b"/a%5cb",
        b"/a\\b",
        b"/%00",
        b"/%0d%0aX: y",
        b"/a;b=c/d",
        b"/a%",
        b"/a%zz",
        b"/%c0%ae/a",
        b"/\xc3\xa9",
        b"/a|b",
        b"/{a}",
        b"/a^b",
        b"/a?b?c",
        b"/a?b=/../c",
        b"/a#b",
        b"/a?#b",
        b"/a'b",
        b'/a"b',
        b"/<a>",
        b"/[a]",
        b"/a+b",
        b"/:80/a",
        b"?a",
        b"/a\x7fb",
        b"/a?\xff",
        b"http://a.example/a",
        b"http://a.example",
        b"http://a.example?b",
        b"HTTP://a.example/a",
        b"http://b.example/a",
        b"http://a.example:80/a",
        b"http://u@a.example/a",
        b"http:/a",
        b"https://a.example/a",
        b"ftp://a.example/a",
        b"a.example:80",
        b"http://a.example#b/c",
        b"http://a.example\\@b.example/",
    ):
        yield f"target {target.decode('latin-1')}", request(b"GET " + target)
    yield "target of options *", request(b"OPTIONS *")
    yield "target of 20 KB", request(b"GET /" + b"a" * 5000)


def hosts():
    for name, lines in {
        "none": b"",
        "empty": b"Host:\r\n",
        "two the same": HOST + HOST,
        "two": HOST + b"Host: b.example\r\n",
        "a list": b"Host: a.example, b.example\r\n",
        "a port": b"Host: a.example:8080\r\n",
        "no port": b"Host: a.example:\r\n",
        "a wrong port": b"Host: a.example:x\r\n",
        "a large port": b"Host: a.example:99999\r\n",
        "capitals": b"HOST: A.EXAMPLE\r\n",
        "a user": b"Host: u@a.example\r\n",
        "a path": b"Host: a.example/b\r\n",
        "a fragment": b"Host: a.example#b\r\n",
        "a blank": b"Host: a b\r\n",
        "a NUL": b"Host: a\0b\r\n",
        "IPv6": b"Host: [::1]:80\r\n",
        "half of IPv6": b"Host: [::1\r\n",
        "a dot at the end": b"Host: a.example.\r\n",
        "folded": b"Host:\r\n a.example\r\n",
        "a blank before the colon": b"Host : a.example\r\n",
        "a blank in front": b" Host: a.example\r\n",
        "behind another": b"X-A: 1\r\nHost: a.example\r\n",
        "an underscore": b"Host: a_b.example\r\n",
        "bytes above 127": b"Host: \xe9.example\r\n",
        "a second with a tab": HOST + b"Host\t: b.example\r\n",
    }.items():
        yield f"host: {name}", request(b"GET /a", host=lines)


def lengths():
    for name, lines in {
        "twice the same": b"Content-Length: 5\r\nContent-Length: 5\r\n",
        "twice": b"Content-Length: 5\r\nContent-Length: 0\r\n",
        "twice, the other way": b"Content-Length: 0\r\nContent-Length: 5\r\n",
        "a list of the same": b"Content-Length: 5, 5\r\n",
        "a list": b"Content-Length: 0, 5\r\n",
        "a sign": b"Content-Length: +5\r\n",
        "a minus": b"Content-Length: -5\r\n",
        "zeros in front": b"Content-Length: 0005\r\n",
        "hexadecimal": b"Content-Length: 0x5\r\n",
        "octal": b"Content-Length: 05\r\n",
        "a blank within": b"Content-Length: 5 0\r\n",
        "a point": b"Content-Length: 5.0\r\n",
        "a letter": b"Content-Length: 5a\r\n",
        "an underscore within": b"Content-Length: 5_0\r\n",
        "nothing": b"Content-Length:\r\n",
        "too large": b"Content-Length: 18446744073709551621\r\n",
        "a blank before the colon": b"Content-Length : 5\r\n",
        "a tab before the colon": b"Content-Length\t: 5\r\n",
        "folded": b"Content-Length:\r\n 5\r\n",
        "an underscore": b"Content_Length: 5\r\n",
        "a NUL in front": b"Content-Length: \x005\r\n",
        "a vertical tab": b"Content-Length: \x0b5\r\n",
        "another script": "Content-Length: \u0665\r\n".encode(),
        "a bare CR": b"X: a\rContent-Length: 5\r\n",
        "a blank in front": b"X: a\r\n Content-Length: 5\r\n",
        "in quotes": b'Content-Length: "5"\r\n',
    }.items():
        yield f"length: {name}", request(b"POST /a", lines, b"hello" + HIDDEN)


CODINGS = {
    "chunked": b"Transfer-Encoding: chunked",
    "capitals": b"TRANSFER-ENCODING: CHUNKED",
    "padded": b"Transfer-Encoding: \t chunked \t",
    "a vertical tab": b"Transfer-Encoding: \x0bchunked",
    "a form feed behind": b"Transfer-Encoding: chunked\x0c",
    "a NUL": b"Transfer-Encoding: chunked\0",
    "in quotes": b'Transfer-Encoding: "chunked"',
    "single quotes": b"Transfer-Encoding: 'chunked'",
    "a parameter": b"Transfer-Encoding: chunked;q=1",
    "a comma behind": b"Transfer-Encoding: chunked,",
    "a comma in front": b"Transfer-Encoding: ,chunked",
    "gzip in front": b"Transfer-Encoding: gzip, chunked",
    "identity in front": b"Transfer-Encoding: identity, chunked",
    "identity behind": b"Transfer-Encoding: chunked, identity",
    "twice in one": b"Transfer-Encoding: chunked, chunked",
    "twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "identity in another line": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "another line in front": b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    "identity": b"Transfer-Encoding: identity",
    "xchunked": b"Transfer-Encoding: xchunked",
    "a word in front": b"Transfer-Encoding: x chunked",
    "nothing": b"Transfer-Encoding:",
    "a blank before the colon": b"Transfer-Encoding : chunked",
    "a tab before the colon": b"Transfer-Encoding\t: chunked",
    "folded": b"Transfer-Encoding:\r\n chunked",
    "a blank in front": b"X: y\r\n Transfer-Encoding: chunked",
    "a bare CR in front": b"X: y\rTransfer-Encoding: chunked",
    "a bare LF in front": b"X: y\nTransfer-Encoding: chunked",
    "an underscore": b"Transfer_Encoding: chunked",
    "a hyphen less": b"TransferEncoding: chunked",
    "two colons": b"Transfer-Encoding:: chunked",
}


def codings():
    for name, line in CODINGS.items():
        yield f"coding: {name}", request(b"POST /a", line + b"\r\n", b"5\r\nhello\r\n0\r\n\r\n")


def both():
    """CL.TE and TE.CL: each of the two readings hides a request."""
    for name, line in CODINGS.items():
        yield f"length, then coding: {name}", request(
            b"POST /a", b"Content-Length: 5\r\n" + line + b"\r\n", b"0\r\n\r\n" + HIDDEN
        )
    chunk = b"%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"
    for name, line in CODINGS.items():
        yield f"coding, then length: {name}", request(b"POST /a", line + b"\r\nContent-Length: 4\r\n", chunk)
    yield "1.0 with a coding", b"POST /a HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN
    yield "1.0 with both", b"POST /a HTTP/1.0\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN
    yield "get with a length of nothing sent", request(b"GET /a", b"Content-Length: 0\r\n", HIDDEN)


def chunks():
    for name, body in {
        "extensions": b'5;a=b;c="d"\r\nhello\r\n0;e\r\n\r\n',
        "capitals": b"A\r\n0123456789\r\n0\r\n\r\n",
        "zeros in front": b"0005\r\nhello\r\n000\r\n\r\n",
        "trailers": b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\nContent-Length: 7\r\n\r\n",
        "trailers that are heads": b"5\r\nhello\r\n0\r\nHost: b.example\r\nTransfer-Encoding: x\r\nCookie: a=b\r\n\r\n",
        "0x": b"0x5\r\nhello\r\n0\r\n\r\n",
        "a sign": b"+5\r\nhello\r\n0\r\n\r\n",
        "a minus": b"-5\r\nhello\r\n0\r\n\r\n",
        "an underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
        "a blank in front": b" 5\r\nhello\r\n0\r\n\r\n",
        "a blank behind": b"5 \r\nhello\r\n0\r\n\r\n",
        "a tab behind": b"5\t\r\nhello\r\n0\r\n\r\n",
        "bare LF": b"5\nhello\n0\n\n",
        "bare LF after the size": b"5\nhello\r\n0\r\n\r\n",
        "bare LF after the data": b"5\r\nhello\n0\r\n\r\n",
        "bare CR": b"5\rhello\r0\r\r",
        "bare LF in an extension": b"5;a\nhello\r\n0\r\n\r\n",
        "an LF hides": b"2;\nxx\r\n%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n",
        "CR within an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        "no CRLF after the data": b"5\r\nhello0\r\n\r\n",
        "more data than said": b"5\r\nhelloX\r\n0\r\n\r\n",
        "less data than said": b"6\r\nhello\r\n0\r\n\r\n",
        "17 digits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
        "16 digits": b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "no size": b"\r\nhello\r\n0\r\n\r\n",
        "a letter": b"g\r\nhello\r\n0\r\n\r\n",
        "no end": b"5\r\nhello\r\n0\r\n",
        "bare LF at the end": b"5\r\nhello\r\n0\r\n\n",
        "trailers without CR": b"5\r\nhello\r\n0\r\nX: 1\n\r\n",
        "a folded trailer": b"5\r\nhello\r\n0\r\nX: 1\r\n 2\r\n\r\n",
        "a NUL in a size": b"5\0\r\nhello\r\n0\r\n\r\n",
    }.items():
        yield f"chunk: {name}", request(b"POST /a", b"Transfer-Encoding: chunked\r\n", body) + HIDDEN


def names():
    for name, line in {
        "an underscore": b"X_A: 1",
        "x_forwarded_for": b"X_Forwarded_For: 1.2.3.4",
        "a dot": b"X.A: 1",
        "all signs": b"!#$%&'*+-.^`|~: 1",
        "a blank within": b"X A: 1",
        "a blank before the colon": b"X-A : 1",
        "a slash": b"X/A: 1",
        "brackets": b"X(A): 1",
        "a byte above 127": b"X\xe9: 1",
        "a NUL": b"X\0A: 1",
        "no name": b": 1",
        "no colon": b"X-A",
        "a bare CR within": b"X-A: 1\r2",
        "a bare CR and a line": b"X-A: 1\rX-B: 2",
        "a bare LF and a line": b"X-A: 1\nX-B: 2",
        "a NUL in a value": b"X-A: 1\x002",
        "a delete": b"X-A: 1\x7f2",
        "folded": b"X-A: 1\r\n 2",
        "folded by a tab": b"X-A: 1\r\n\t2",
        "only a fold": b"X-A:\r\n \r\nX-B: 2",
        "an escape": b"X-A: \x1b[0m",
        "proxy": b"Proxy: http://b.example",
        "real ip": b"X-Real-IP: 1.2.3.4",
        "forwarded": b"Forwarded: for=1.2.3.4;host=b.example",
        "forwarded host": b"X-Forwarded-Host: b.example",
        "a form feed": b"X-A: 1\x0c2",
        "method override": b"X-HTTP-Method-Override: DELETE",
    }.items():
        yield f"name: {name}", request(b"GET /a", line + b"\r\n")


def hops():
    for name, lines in {
        "two lines": b"Connection: x-a\r\nConnection: x-b\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\n",
        "host": b"Connection: host\r\n",
        "cookie": b"Connection: cookie\r\nCookie: session=1\r\n",
        "forwarded": b"Connection: x-forwarded-for, x-forwarded-host, x-forwarded-proto\r\n",
        "length": b"Connection: content-length\r\nContent-Length: 0\r\n",
        "close and a name": b"Connection: close, x-a\r\nX-A: 1\r\n",
        "te": b"TE: trailers, gzip\r\n",
        "te without": b"TE: gzip\r\n",
        "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
        "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "h2c without the settings": b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        "keep-alive": b"Keep-Alive: timeout=1, max=1\r\n",
        "proxy connection": b"Proxy-Connection: close\r\n",
        "proxy authorisation": b"Proxy-Authorization: Basic YTpi\r\n",
    }.items():
        yield f"hop: {name}", request(b"GET /a", lines)
    yield "hop: websocket with a body", request(
        b"GET /a", b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN
    )
    yield "hop: websocket by post", request(
        b"POST /a", b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n", b"hello"
    )


def pipelines():
    yield "three at once", request(b"GET /a") + request(b"GET /b") + request(b"GET /c")
    yield "a body and another", request(b"POST /a", b"Content-Length: 5\r\n", b"hello") + request(b"GET /b")
    yield "chunks and another", request(b"POST /a", b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n") + request(
        b"GET /b"
    )
    yield "CRLF between two", request(b"POST /a", b"Content-Length: 5\r\n", b"hello") + b"\r\n" + request(b"GET /b")
    yield "close and another", request(b"GET /a", b"Connection: close\r\n") + HIDDEN
    yield "a refused one and another", request(b"GET /a", b"X A: 1\r\n") + HIDDEN
    yield "a head and another", request(b"HEAD /a") + request(b"GET /b")
