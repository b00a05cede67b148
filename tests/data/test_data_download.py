"""Transfers against a real server: whole, broken, resumed, stalled, refused, wrong, killed, side by side."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from shoal.data.download import download
from shoal.data.specs import Download
from shoal.errors import ShoalError
from tests.data.helpers import Server, digest, item_for, wait_until

CONTENT = os.urandom(1_000_000)


@pytest.fixture
def item(server: Server, cache: Path) -> Download:
    server.files["/set.gz"] = CONTENT
    return item_for(f"{server.address}/set.gz", CONTENT)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_is_reported(item: Download, tmp_path: Path):
    reports = []
    path = download(item, tmp_path / "new" / "folder", progress=lambda *row: reports.append(row))
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["set.gz"]
    assert reports[-1] == ("set.gz", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in reports] == sorted(done for _, done, _ in reports)


def test_a_file_that_is_there_is_not_transferred_again(item: Download, server: Server, tmp_path: Path):
    download(item, tmp_path)
    download(item, tmp_path)
    assert len(server.asked) == 1


def test_a_wrong_file_in_its_place_is_replaced(item: Download, tmp_path: Path):
    (tmp_path / "set.gz").write_bytes(b"wrong")
    assert download(item, tmp_path).read_bytes() == CONTENT


def test_a_broken_transfer_goes_on_where_it_stopped(item: Download, server: Server, tmp_path: Path):
    server.break_after = 300_000
    assert download(item, tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [None, "bytes=300000-"]


def test_the_next_call_goes_on_with_a_partial_file(item: Download, server: Server, tmp_path: Path):
    (tmp_path / "set.gz.partial").write_bytes(CONTENT[:400_000])
    assert download(item, tmp_path).read_bytes() == CONTENT
    assert server.asked == [("/set.gz", "bytes=400000-")]
    assert names(tmp_path) == ["set.gz"]


@pytest.mark.parametrize("rest", [CONTENT[:400_000], b"x" * 400_000])
def test_a_server_without_ranges_sends_all_again(item: Download, server: Server, tmp_path: Path, rest: bytes):
    server.ranges = False
    (tmp_path / "set.gz.partial").write_bytes(rest)
    assert download(item, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("length", [400_000, 1_000_000, 1_200_000])
def test_a_partial_file_of_something_else_is_dropped(item: Download, tmp_path: Path, length: int):
    (tmp_path / "set.gz.partial").write_bytes(b"x" * length)
    assert download(item, tmp_path).read_bytes() == CONTENT


def test_a_partial_file_that_is_complete_needs_no_transfer(item: Download, server: Server, tmp_path: Path):
    (tmp_path / "set.gz.partial").write_bytes(CONTENT)
    assert download(item, tmp_path).read_bytes() == CONTENT
    assert not server.asked


@pytest.mark.parametrize("sent", [CONTENT[:-1] + b"?", CONTENT[:999], CONTENT + b"more", b"<html>sign in</html>"])
def test_wrong_content_never_takes_the_name(item: Download, server: Server, tmp_path: Path, sent: bytes):
    server.files["/set.gz"] = sent
    with pytest.raises(ShoalError, match=r"expected 1,000,000 bytes with md5 .* set aside as .*set\.gz\.bad"):
        download(item, tmp_path)
    assert names(tmp_path) == ["set.gz.bad"]


def test_a_stalled_transfer_is_given_up_and_kept(item: Download, server: Server, tmp_path: Path):
    server.stall_after = 262_144
    with pytest.raises(ShoalError, match=r"stalled after 524,288 of 1,000,000 bytes"):
        download(item, tmp_path, patience=0.2)  # a retry brought another quarter
    server.stall_after = None
    assert download(item, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == ("/set.gz", "bytes=524288-")


def test_a_transfer_that_trickles_is_given_up(
    item: Download, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("shoal.data.download._WINDOW", 0.2)
    server.chunk, server.pause = 10, 0.05
    with pytest.raises(ShoalError, match="stalled"):
        download(item, tmp_path)


def test_a_closed_port_is_an_error_at_once(tmp_path: Path, cache: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        item = item_for(f"http://127.0.0.1:{free.getsockname()[1]}/set.gz", CONTENT)
        with pytest.raises(ShoalError, match=r"cannot be reached \(.*refused"):
            download(item, tmp_path)
    assert not (tmp_path / "set.gz.partial").exists()


def test_a_server_that_never_answers_is_an_error(tmp_path: Path, cache: Path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        item = item_for(f"http://127.0.0.1:{silent.getsockname()[1]}/set.gz", CONTENT)
        with pytest.raises(ShoalError, match=r"cannot be reached \(.*timed out"):
            download(item, tmp_path, patience=0.2)


def test_a_missing_file_is_an_error_with_the_server_s_words(server: Server, tmp_path: Path, cache: Path):
    with pytest.raises(ShoalError, match="the server answers 404"):
        download(item_for(f"{server.address}/none.gz", b"x"), tmp_path)


def test_a_folder_that_cannot_be_made_is_one_line(item: Download, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ShoalError, match="cannot write"):
        download(item, tmp_path / "file" / "sub")


def test_a_killed_process_leaves_what_the_next_one_goes_on_with(item: Download, server: Server, tmp_path: Path):
    server.stall_after = 524_288
    code = (
        "import sys; from pathlib import Path; from shoal.data.download import download\n"
        "from shoal.data.specs import Checksum, Download\n"
        "url, size, md5, folder = sys.argv[1:]\n"
        "download(Download(url=url, size=int(size), checksum=Checksum(algorithm='md5', digest=md5)), Path(folder),"
        " patience=60)"
    )
    arguments = [item.url, str(item.size), item.checksum.digest, str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], env={**os.environ, **_python_path()})
    partial = tmp_path / "set.gz.partial"
    try:
        wait_until(lambda: partial.is_file() and partial.stat().st_size >= 400_000, 60)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert names(tmp_path) == ["set.gz.partial"]
    there = partial.stat().st_size
    server.stall_after = None
    assert download(item, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1] == ("/set.gz", f"bytes={there}-")


def _python_path() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_many_at_once_do_not_disturb_each_other(item: Download, server: Server, tmp_path: Path):
    server.pause = 0.002
    start, failures = threading.Barrier(6), []

    def one() -> None:
        start.wait()
        try:
            assert download(item, tmp_path).read_bytes() == CONTENT
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert names(tmp_path) == ["set.gz"]


def test_checksums_read_as_their_authors_write_them():
    assert str(digest(b"", "md5")) == "md5 d41d8cd98f00b204e9800998ecf8427e"
