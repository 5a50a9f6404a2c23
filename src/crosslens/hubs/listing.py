"""What a hub holds of a model: Hugging Face and ModelScope answer in different words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import httpx

from crosslens.errors import InvalidRequest, NotFound, Unavailable

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*\Z")
_WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors\Z")
_PICKLED = re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin\Z")
_WORDS = re.compile(r"(vocab|merges)\.txt\Z|.*\.model\Z|.*\.json\Z|README\.md\Z|LICEN[CS]E.*\Z")
_OTHER_FORMATS = ("onnx", "openvino", "coreml", "gguf", "original")
_MAX_DEPTH = 2  # a step of sentence-transformers lies one folder down


class Hub(StrEnum):
    """Where models are published."""

    HUGGINGFACE = "huggingface"
    MODELSCOPE = "modelscope"


ENDPOINTS: Mapping[Hub, str] = {
    Hub.HUGGINGFACE: "https://huggingface.co",
    Hub.MODELSCOPE: "https://www.modelscope.cn",
}


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """
    A file at a hub.

    Attributes:
        sha256: of its content; empty where the hub says none.
        sha1: git's name of its content, where it says that instead.
    """

    path: str
    bytes: int
    url: str
    sha256: str = ""
    sha1: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A model at one revision: the files that exporting needs."""

    hub: Hub
    name: str
    revision: str
    files: tuple[RemoteFile, ...]

    @property
    def source(self) -> str:
        """Where it comes from, for the card."""
        return f"{self.hub}:{self.name}@{self.revision[:12]}"


def list_files(
    client: httpx.Client,
    hub: Hub,
    name: str,
    *,
    revision: str = "",
    endpoint: str = "",
    pickled: bool = False,
) -> Listing:
    """
    Ask a hub what a model consists of.

    Args:
        name: such as `BAAI/bge-small-zh-v1.5`.
        revision: branch, tag or commit; empty: the hub's main branch.
        endpoint: another address of the same kind of hub, such as a mirror.
        pickled: take pickled weights where there are no safe ones.

    Raises:
        InvalidRequest: the name is not one, or the weights are pickled and that was not asked for.
        NotFound: the hub has no such model or revision.
        Unavailable: the hub cannot be reached, or does not answer as expected.
    """
    if not _NAME.match(name):
        raise InvalidRequest(f"model is {name!r}; allowed are OWNER/NAME and the path of a folder")
    address = (endpoint or ENDPOINTS[hub]).rstrip("/")
    try:
        listing = _LISTERS[hub](client, address, name, revision)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise Unavailable(f"{address} does not answer as {hub} does: {exc!r}") from exc
    files = [file for file in listing.files if _wanted(file.path)]
    safe = {_place(file) for file in files if _WEIGHTS.match(_base(file))}
    needed = [f for f in files if not (_PICKLED.match(_base(f)) and _place(f) in safe)]
    _require_weights(name, needed, pickled=pickled)
    return Listing(hub, name, listing.revision, tuple(needed))


def _require_weights(name: str, files: Sequence[RemoteFile], *, pickled: bool) -> None:
    unsafe = [file.path for file in files if _PICKLED.match(_base(file))]
    if not unsafe and not any(_WEIGHTS.match(_base(file)) for file in files):
        raise NotFound(f"{name} has no weights for PyTorch: neither safetensors nor others")
    if unsafe and not pickled:
        raise InvalidRequest(
            f"the weights of {name} are pickled ({unsafe[0]}): reading them can run code",
            hint="choose a revision with safetensors; or add --convert-pickle, which takes tensors "
            "and nothing else out, with PyTorch's restricted reader",
        )


def _wanted(path: str) -> bool:
    place = PurePosixPath(path)
    if place.is_absolute() or ".." in place.parts or len(place.parts) > _MAX_DEPTH:
        return False
    if place.parts[0] in _OTHER_FORMATS:
        return False
    return any(kind.match(place.name) for kind in (_WEIGHTS, _PICKLED, _WORDS))


def _base(file: RemoteFile) -> str:
    return PurePosixPath(file.path).name


def _place(file: RemoteFile) -> str:
    return str(PurePosixPath(file.path).parent)


def _huggingface(client: httpx.Client, address: str, name: str, revision: str) -> Listing:
    about = _ask(
        client, f"{address}/api/models/{name}/revision/{quote(revision or 'main', '')}", name
    )
    commit = str(about["sha"])
    found = _ask(client, f"{address}/api/models/{name}/tree/{commit}?recursive=true", name)
    files = tuple(
        RemoteFile(
            path=str(entry["path"]),
            bytes=int(entry["size"]),
            url=f"{address}/{name}/resolve/{commit}/{quote(str(entry['path']))}",
            sha256=str(entry.get("lfs", {}).get("oid", "")),
            sha1="" if entry.get("lfs") else str(entry.get("oid", "")),
        )
        for entry in found
        if entry.get("type") == "file"
    )
    return Listing(Hub.HUGGINGFACE, name, commit, files)


def _modelscope(client: httpx.Client, address: str, name: str, revision: str) -> Listing:
    revision = revision or "master"
    at = f"{address}/api/v1/models/{name}/repo"
    found = _ask(client, f"{at}/files?Revision={quote(revision, '')}&Recursive=true", name)
    files = tuple(
        RemoteFile(
            path=str(entry["Path"]),
            bytes=int(entry["Size"]),
            url=f"{at}?Revision={quote(revision, '')}&FilePath={quote(str(entry['Path']), '')}",
            sha256=str(entry.get("Sha256") or ""),
        )
        for entry in found["Data"]["Files"]
        if entry.get("Type") == "blob"
    )
    return Listing(Hub.MODELSCOPE, name, revision, files)


_LISTERS: Mapping[Hub, Callable[[httpx.Client, str, str, str], Listing]] = {
    Hub.HUGGINGFACE: _huggingface,
    Hub.MODELSCOPE: _modelscope,
}


def _ask(client: httpx.Client, url: str, name: str) -> Any:
    try:
        answer = client.get(url)
    except httpx.HTTPError as exc:
        raise unreachable(url, exc) from exc
    require_found(answer, name)
    try:
        return answer.json()
    except ValueError as exc:
        raise Unavailable(f"{url} answered with something other than JSON") from exc


def require_found(answer: httpx.Response, name: str) -> None:
    """
    Judge the status of an answer about a model.

    Raises:
        NotFound: there is none, or it is not for everybody.
        Unavailable: the hub is not well.
    """
    if answer.status_code in (401, 403):
        raise NotFound(
            f"{name} is not for everybody, or does not exist at {answer.url.host}",
            hint="download it with the hub's own tool, and export the folder",
        )
    if answer.status_code == 404:
        raise NotFound(f"there is no model {name} at {answer.url.host}, or not this revision")
    if answer.status_code >= 400:
        raise Unavailable(f"{answer.url.host} answered {answer.status_code} for {name}")


def unreachable(url: str, exc: Exception) -> Unavailable:
    """Say that a hub cannot be reached, and what works without it."""
    return Unavailable(
        f"no connection to {httpx.URL(url).host}: {exc}",
        hint="try --from modelscope, --endpoint with a mirror, --offline for what was downloaded "
        "before, or export a folder that you have copied here",
    )
