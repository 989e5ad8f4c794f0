"""GGUF files from the Hugging Face hub: `hf:owner/repo/file.gguf`."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from dyntemp.errors import ModelError

PREFIX = "hf:"
FORM = re.compile(r"hf:(?P<repo>[^/@]+/[^/@]+)/(?P<file>[^@]+\.gguf)(@(?P<revision>[^@]+))?", re.IGNORECASE)

DIGEST = re.compile(r"[0-9a-f]{64}")
"""The form of the hub's tag for a large file: its SHA-256."""


def hub_file(name: str) -> Path:
    """The path of a file on the hub, downloaded if it is not in the cache of `huggingface_hub`.

    Args:
        name: `hf:owner/repo/file.gguf`, with `@revision` at the end for a revision other than `main`. A file in the
            cache is used without a connection.

    Raises:
        ModelError: If the name has another form, or the download fails.
    """
    parts = FORM.fullmatch(name)
    if parts is None:
        raise ModelError(
            f"{name!r} was given; write `hf:owner/repo/file.gguf`, and `@revision` behind it if you want one"
        )
    return download(parts["repo"], parts["file"], parts["revision"])


def download(repo: str, file: str, revision: str | None = None, sha256: str | None = None) -> Path:
    """Download a file of a repository on the hub, with a progress bar. An interrupted download continues.

    Args:
        repo: Owner and name of the repository.
        file: The file's path in it.
        revision: A branch, tag or commit; `main` by default.
        sha256: The SHA-256 of the file in hexadecimal; by default the one that the hub states.

    Raises:
        ModelError: If `huggingface_hub` is not installed, the download fails, or the file has another SHA-256.
    """
    try:
        from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
    except ImportError as error:
        raise ModelError("huggingface_hub is not installed: run `pip install huggingface_hub`") from error
    if isinstance(cached := try_to_load_from_cache(repo, file, revision=revision), str):
        return Path(cached)
    try:
        stated = get_hf_file_metadata(hf_hub_url(repo, file, revision=revision)).etag or ""
        path = Path(hf_hub_download(repo, file, revision=revision))
    except Exception as error:  # errors of the hub's client, or of its HTTP library
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(
            f"{PREFIX}{repo}/{file} cannot be downloaded ({reason}): check the name and the connection, or give the "
            f"path of a GGUF file that is on this machine"
        ) from error
    expected = sha256 or (stated if DIGEST.fullmatch(stated) else None)
    if expected is not None and (found := _sha256(path)) != expected:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise ModelError(
            f"{PREFIX}{repo}/{file} has the SHA-256 {found}, and {expected} was expected: it is deleted; try again"
        )
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
