"""What the HTTP API of visual search costs: eight clients against the bare recogniser.

Both decode the same JPEG files and recognise them with the same network on one thread, as a device
runs it. The bare recogniser takes them in one process, eight at a time; the clients are eight
connections of another process, each with one photo under way, before the gate, with a token. Both
stand behind the rest of the machine alike, as searching does on a device. What the clients
themselves cost is in the figure, since they run on the same machine.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final

import cv2

from edge.bench.rounds import Figure, measure, ratio_figure
from edge.dashboard.access import WORDS
from edge.dashboard.api import search as search_api
from edge.dashboard.app import ABOUT
from edge.errors import NotThereError
from edge.matching.recogniser import Recogniser
from edge.recognise import preprocessing_of
from edge.runtime.onnxruntime import OnnxRuntimeEmbedder
from edge.search.batching import stand_back
from edge.search.product_sets import ProductSets
from edge.search.searching import VisualSearch
from edge.workers import Pulse
from models.bundle import Bundle
from models.photos import decode_photo
from models.preprocess import photo_region
from tests.simulators.photos import draw_photo, write_photo
from web.accounts import Accounts
from web.accounts_file import AccountsFile
from web.app import make_app
from web.audit import AuditLog
from web.gate import Doorkeeping
from web.origins import OwnNames
from web.serve import WebServer
from web.tokens import Tokens

CLIENTS: Final = 8
_PHOTOS_A_CLIENT: Final = 4
_PHOTO_PX: Final = 1024


def search_throughput(bundle: Bundle, rounds: int) -> list[Figure]:
    """Photos a second through the API relative to the bare recogniser.

    Args:
        bundle: To recognise with.
        rounds: Of the comparison.
    """
    cv2.setNumThreads(1)
    recogniser = Recogniser([bundle], [OnnxRuntimeEmbedder.from_bundle(bundle, threads=1)])
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="walkout-search-")))
        files = [
            write_photo(folder / f"{number}.jpg", draw_photo(number, 0, size_px=_PHOTO_PX))
            for number in range(CLIENTS)
        ]
        address, token = opened.enter_context(_served(bundle, recogniser, folder))
        clients = opened.enter_context(_clients(address, token, files))
        photos = CLIENTS * _PHOTOS_A_CLIENT
        alone = opened.enter_context(ThreadPoolExecutor(1, initializer=stand_back))
        timings = measure(
            {
                "bare": lambda: alone.submit(_bare, recogniser, files).result(),
                "api": lambda: _ask(clients),
            },
            rounds,
        )
    bare_s, api_s = timings.median_ms("bare") / 1000, timings.median_ms("api") / 1000
    return [
        ratio_figure(
            f"visual search over HTTP, {CLIENTS} clients / bare recogniser, throughput",
            timings.ratios("bare", "api"),
            0.8,
            detail=f"JPEG of {_PHOTO_PX} x {_PHOTO_PX}: {photos / api_s:.1f} and "
            f"{photos / bare_s:.1f} photos a second, one thread of the network",
        )
    ]


def _bare(recogniser: Recogniser, files: Sequence[Path]) -> None:
    preprocessing = preprocessing_of(recogniser)
    for _ in range(_PHOTOS_A_CLIENT):
        photos = [decode_photo(file.read_bytes(), file.name) for file in files]
        recogniser.recognise_many([[photo_region(photo, preprocessing)] for photo in photos])


@contextmanager
def _served(bundle: Bundle, recogniser: Recogniser, folder: Path) -> Iterator[tuple[str, str]]:
    """The API behind its gate; its address and a token."""
    with ExitStack() as opened:
        search = opened.enter_context(VisualSearch(recogniser, (), "EUR"))
        file = opened.enter_context(closing(AccountsFile(folder / "accounts.sqlite")))
        tokens = Tokens(file, WORDS, time.time)
        router = search_api.router(search, ProductSets(folder / "sets.json"), _no_camera)
        server = WebServer(
            lambda is_closing: (
                make_app(
                    [(router, search_api.RULES)],
                    Doorkeeping(
                        Accounts(file, WORDS, time.time),
                        tokens,
                        AuditLog(file, time.time),
                        OwnNames(()),
                        "walkout",
                        is_closing,
                    ),
                    ABOUT,
                ).asgi
            ),
            "127.0.0.1",
            0,
        )
        opened.callback(server.close)
        stop = threading.Event()
        thread = threading.Thread(target=server.run, args=(Pulse(stop, time.monotonic),))
        thread.start()
        opened.callback(thread.join)
        opened.callback(stop.set)
        yield server.address, tokens.create("bench", ("search",))[1]


def _no_camera(camera: str, width_px: int) -> bytes:
    raise NotThereError(f"there is no camera {camera} here")


@contextmanager
def _clients(address: str, token: str, files: Sequence[Path]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, address, token, *map(str, files)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        _pipe(process.stdin).close()
        process.wait(30)
        _pipe(process.stdout).close()


def _ask(clients: subprocess.Popen[str]) -> None:
    stdin = _pipe(clients.stdin)
    stdin.write("go\n")
    stdin.flush()
    said = _pipe(clients.stdout).readline()
    if said != "done\n":
        raise RuntimeError(f"the clients failed: {said!r}")


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def _be_clients(address: str, token: str, files: Sequence[str]) -> None:
    """Send every file a few times, all clients at once, whenever a line comes."""
    import httpx

    headers = {"Authorization": f"Bearer {token}"}
    with ExitStack() as opened:
        clients = [
            opened.enter_context(
                httpx.Client(base_url=address, headers=headers, timeout=120, trust_env=False)
            )
            for _ in files
        ]
        contents = [Path(file).read_bytes() for file in files]

        def send(client: httpx.Client, content: bytes) -> None:
            for _ in range(_PHOTOS_A_CLIENT):
                client.post("/api/v1/search", files={"image": content}).raise_for_status()

        with ThreadPoolExecutor(len(files)) as threads:
            for _ in sys.stdin:
                list(threads.map(send, clients, contents))
                sys.stdout.write("done\n")
                sys.stdout.flush()


if __name__ == "__main__":
    _be_clients(sys.argv[1], sys.argv[2], sys.argv[3:])
