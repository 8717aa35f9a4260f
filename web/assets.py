"""The pages' scripts, styles and pictures: one folder, one version in its address.

ES modules import one another by relative paths, which carry no query; so the version stands in the
path, ``/static/<version>/review.js``, and a page never mixes scripts of two releases. Browsers keep
a version for good; what asks for another one gets the present file and is told to ask again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from fastapi import APIRouter, HTTPException, Response

from web.access import Rule, rules

STATIC_FOLDER: Final = Path(__file__).with_name("static")
"""What every application has: the design, lit-html, the scripts of people and signing in."""
RULES: Final[tuple[Rule, ...]] = rules("GET", "/static/{version}/{path:path}", anyone=True)

_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


class Assets:
    """Everything below some folders that a page may ask for, read once, as if they were one.

    Args:
        folders: Files of other kinds than scripts, styles and pictures are left out.

    Raises:
        ValueError: Two folders have a file of the same name.
    """

    def __init__(self, *folders: Path) -> None:
        self._files: dict[str, bytes] = {}
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.suffix not in _MEDIA_TYPES or not path.is_file():
                    continue
                name = path.relative_to(folder).as_posix()
                if name in self._files:
                    raise ValueError(f"{path}: another folder has {name} too; rename it")
                self._files[name] = path.read_bytes()
        digest = hashlib.sha256()
        for name, content in self._files.items():
            digest.update(f"{name} {len(content)}\n".encode() + content)
        self.version: Final = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """The address of a file.

        Raises:
            LookupError: There is no such file.
        """
        if name not in self._files:
            raise LookupError(f"there is no static file {name}")
        return f"/static/{self.version}/{name}"

    def content(self, name: str) -> bytes | None:
        """A file; ``None`` where there is none."""
        return self._files.get(name)


def router(assets: Assets) -> APIRouter:
    """Serves the files."""
    routes = APIRouter()

    @routes.get("/static/{version}/{path:path}", include_in_schema=False)
    def static_file(version: str, path: str) -> Response:
        content = assets.content(path)
        if content is None:
            raise HTTPException(404, f"there is no static file {path}")
        kept = _FOR_GOOD if version == assets.version else "no-cache"
        media_type = _MEDIA_TYPES[Path(path).suffix]
        return Response(content, media_type=media_type, headers={"Cache-Control": kept})

    return routes
