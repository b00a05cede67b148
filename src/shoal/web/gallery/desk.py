"""The gallery as requests get it: in the name of whoever asks, with the model that it has now, and a few at a time.

desk = Desk("faces.db")
desk.gallery("phone").merge(["Anne"], into="Ann")            # "phone" stands in the audit log
async with desk.slot(): ...                                  # while photos are read, decoded and embedded
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoal.web.gallery.faults import FaultError
from shoal.web.uploads import Limits

if TYPE_CHECKING:
    from shoal.gallery import Gallery
    from shoal.gallery.models import Version

PHOTOS = Limits(most_side=40_000_000, files=10)  # never scaled down: boxes and vectors are those of the photo
PATIENCE = 20.0  # seconds to wait for a slot
RECEIVING = 60.0  # seconds that a request with photos may take to come


class Desk:
    """A gallery that is open as long as its desk.

    Args:
        where: see `Gallery.open`.
        model: see `Gallery.open`.
        limits: of photos.
        slots: requests with photos that are worked at together; one for each processor unless given.
    """

    def __init__(self, where: str | Path, model: Any = None, *, limits: Limits = PHOTOS, slots: int | None = None):
        from shoal.gallery import Gallery

        self.limits = limits
        self._where, self._lock = str(where), threading.Lock()
        self._open = [Gallery.open(self._where, model=model)]
        self._digest = _digest(self._active(self._open[-1]))
        self._free = asyncio.Semaphore(slots or max(2, os.cpu_count() or 1))
        self._hidden = _paths(self._open[-1], model)

    def gallery(self, who: str | None = None) -> "Gallery":
        """The gallery, used by somebody; whoever runs the server unless given."""
        gallery = self._current()
        return gallery if who is None else gallery.used_by(who)

    def model(self) -> str | None:
        """The name of the model that embeds now."""
        version = self._active(self._current())
        return None if version is None else version.name

    def embeds(self) -> bool:
        """Whether there is a model that embeds photos."""
        return self._current().can_embed()

    def need_model(self) -> None:
        """Refuse photos that nothing could embed.

        Raises:
            FaultError: "no_model".
        """
        if not self.embeds():
            text = "model: expected one that embeds photos, got none; start the service with `--model FILE`"
            raise FaultError("no_model", text)

    def without_paths(self, text: str) -> str:
        """A message for others, in which no file of this machine is named."""
        for path, word in self._hidden.items():
            text = text.replace(path, word)
        return text

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Take part in the few requests with photos that are worked at together.

        Raises:
            FaultError: "busy".
        """
        try:
            await asyncio.wait_for(self._free.acquire(), PATIENCE)
        except TimeoutError:
            raise FaultError("busy", "too many photos are being worked at; try again in some seconds") from None
        try:
            yield
        finally:
            self._free.release()

    def close(self) -> None:
        """Close the gallery."""
        for gallery in self._open:
            gallery.close()

    def _current(self) -> "Gallery":
        """The gallery with the model that it has now: somebody may have upgraded it beside us, by a command."""
        from shoal.gallery import Gallery

        version = self._active(self._open[-1])
        if version is None or version.digest == self._digest:
            return self._open[-1]
        with self._lock:
            if self._digest not in (None, version.digest):
                self._open.append(Gallery.open(self._where))  # requests that are under way keep the old one
                self._hidden |= _paths(self._open[-1], None)
            self._digest = version.digest
            return self._open[-1]

    @staticmethod
    def _active(gallery: "Gallery") -> "Version | None":
        from shoal.gallery.models import active

        return active({version.id: version for version in gallery.models()})


def _digest(version: "Version | None") -> str | None:
    return None if version is None else version.digest


def _paths(gallery: "Gallery", model: Any) -> dict[str, str]:
    """Files of this machine that a message might name, the longest first, and what is said in their place."""
    from shoal.gallery.models import source_of

    found = {gallery.location: "the gallery"}
    if "://" not in gallery.location:
        found[str(Path(gallery.location).expanduser().absolute())] = "the gallery"
    files = [source_of(version) for version in gallery.models()]
    files += [Path(model)] if isinstance(model, str | Path) else []
    found |= {str(path): "the model's file" for path in files if path is not None}
    # a bare word might stand in any message
    told = {path: word for path, word in found.items() if "/" in path or "." in path}
    return dict(sorted(told.items(), key=lambda item: -len(item[0])))
