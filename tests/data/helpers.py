"""Made-up files in the real formats, and a real HTTP server that misbehaves."""

import gzip
import hashlib
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from shoal.data.specs import CIFAR10, FASHION_MNIST, IDX_NAMES, Checksum, DataFile, DataSpec, Download


def idx_bytes(array: np.ndarray) -> bytes:
    header = struct.pack(">I", 0x0800 + array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def idx_contents(*, train: int = 12, test: int = 6, side: int = 5, classes: int = 3) -> dict[str, bytes]:
    """Four IDX files of random pixels; labels 0, 1, 2, 0, 1, 2, ..."""
    rng = np.random.default_rng(0)
    arrays = [part for n in (train, test) for part in (rng.integers(0, 256, (n, side, side)), np.arange(n) % classes)]
    return {name: idx_bytes(array) for name, array in zip(IDX_NAMES, arrays, strict=True)}


def write_idx(folder: Path, contents: dict[str, bytes], *, packed: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        path = folder / (name + ".gz" if packed else name)
        path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    return folder


def digest(content: bytes, algorithm: str) -> Checksum:
    return Checksum(algorithm=algorithm, digest=hashlib.new(algorithm, content).hexdigest())


def item_for(url: str, content: bytes) -> Download:
    return Download(url=url, size=len(content), checksum=digest(content, "md5"))


def small_idx_spec(address: str, contents: dict[str, bytes]) -> DataSpec:
    """A data set like Fashion-MNIST, only small and served at `address`."""
    packed = {name: gzip.compress(content, mtime=0) for name, content in contents.items()}
    return replace(
        FASHION_MNIST,
        files=tuple(
            DataFile(name=name, size=len(content), checksum=digest(content, "sha256"))
            for name, content in contents.items()
        ),
        downloads=tuple(item_for(f"{address}/{name}.gz", content) for name, content in packed.items()),
        debian_package="",
    )


def cifar_row(file: int, row: int) -> bytes:
    """A label and 3,072 pixels that tell which row this is."""
    return bytes([(file + row) % 10]) + bytes((file + row + 7 * i) % 251 for i in range(3072))


MARKED_ROWS = (0, 1, 9_999)


def fake_cifar_spec(folder: Path, address: str, archive: bytes) -> DataSpec:
    files = tuple(replace(file, checksum=digest((folder / file.name).read_bytes(), "sha1")) for file in CIFAR10.files)
    return replace(CIFAR10, files=files, downloads=(item_for(f"{address}/cifar-10-binary.tar.gz", archive),))


@dataclass
class Server:
    """What the server does, and what it was asked."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    break_after: int | None = None  # bytes of the next answer, then the connection closes
    stall_after: int | None = None  # bytes of every answer, then silence
    chunk: int = 1 << 16
    pause: float = 0.0
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve() -> Iterator[Server]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    httpd.daemon_threads = True
    state = Server(f"http://127.0.0.1:{httpd.server_port}")
    httpd.RequestHandlerClass = _handler(state)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def _handler(state: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.asked.append((self.path, asked))
            content = state.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and state.ranges else 0
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self._send(content[start:])

        def _send(self, body: bytes) -> None:
            most, state.break_after = state.break_after, None
            for place in range(0, len(body), state.chunk):
                part = body[place : place + state.chunk]
                if most is not None and place + len(part) > most:
                    self.wfile.write(part[: most - place])
                    return
                if state.stall_after is not None and place >= state.stall_after:
                    state.closing.wait()
                    return
                try:
                    self.wfile.write(part)
                except OSError:
                    return
                time.sleep(state.pause)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
