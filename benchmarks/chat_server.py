"""An OpenAI-style server for chat_streams.py: every token tells when it was sent. Prints its URL.

chat_server.py TOKENS_PER_SECOND | large
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

LARGE = 200_000
WORDS = ("of", "the", "it", "and", "queue", "is", "on", "ship")
MARKDOWN = """## Part {n}

The *quick* brown fox jumps over the **lazy** dog, and `code` stands between; [a link](http://example.com) goes nowhere.

- first of a list, with some words more
- second of it

```python
def part_{n}(x: int) -> int:
    return x + {n}
```

| a | b |
|---|---|
| {n} | two |

"""


def event(text: str) -> bytes:
    """A piece as the wire has it."""
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


def chunk(data: bytes) -> bytes:
    """HTTP/1.1 chunked."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


async def tokens(writer: asyncio.StreamWriter, rate: float) -> None:
    """Words of four or five characters on average, as tokens are; every fourth tells when it was sent."""
    begun, sent = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - begun) * rate)
        if due > sent:
            out = b""
            while sent < due:
                word = f"{time.monotonic():.3f}" if sent % 4 == 0 else WORDS[sent % len(WORDS)]
                out += event(word + ("\n\n" if sent % 120 == 119 else " "))
                sent += 1
            writer.write(chunk(out))
            await writer.drain()
        await asyncio.sleep(1 / rate)


async def large(writer: asyncio.StreamWriter) -> None:
    """200 KB of Markdown at once."""
    await asyncio.sleep(2.0)
    text, n = "", 0
    while len(text) < LARGE:
        n += 1
        text += MARKDOWN.format(n=n)
    for at in range(0, len(text), 400):
        writer.write(chunk(event(text[at : at + 400])))
        await writer.drain()
    writer.write(
        chunk(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n') + b"0\r\n\r\n"
    )
    await writer.drain()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request a connection; whatever is no chat gets a list of models."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/chat/completions" not in head.split(b"\r\n")[0]:
            body = b'{"object":"list","data":[{"id":"bench","object":"model"}]}'
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)  # fmt: skip
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        if sys.argv[1] == "large":
            await large(writer)
        else:
            await tokens(writer, float(sys.argv[1]))
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
