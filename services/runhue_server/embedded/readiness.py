"""One small HTTP request without the standard library's client, which would load TLS into the supervisor."""

import socket

LARGEST_ANSWER = 4096


def http_status(host: str, port: int, path: str, *, seconds: float = 5.0) -> tuple[int, str]:
    """(status, start of the body) of `GET path`; status 0 and the reason when there is no answer in time."""
    try:
        with socket.create_connection((host, port), seconds) as connection:
            connection.settimeout(seconds)
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            answer = b""
            while len(answer) < LARGEST_ANSWER and (part := connection.recv(LARGEST_ANSWER)):
                answer += part
    except OSError as error:
        return 0, str(error)
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(maxsplit=2)
    if len(words) < 2 or not words[1].isdigit():
        return 0, "no HTTP answer"
    return int(words[1]), body.decode("utf-8", "replace")
