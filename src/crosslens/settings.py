"""Every knob, with its unit and what it is for; the only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from crosslens.errors import InvalidRequest
from crosslens.values import AttributeType

FILE = "crosslens.toml"


class Settings(BaseSettings):
    """
    What a crosslens home is set to: command line, then environment, then `crosslens.toml`, then
    the defaults here.
    """

    model_config = SettingsConfigDict(
        env_prefix="CROSSLENS_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    home: Path = Field(description="folder in which everything of this catalogue lives")
    catalog_url: str = Field(
        "",
        description="where the catalogue is: `mysql://`, `mariadb://` or `postgresql://` with "
        "user:password@host/database; empty: SQLite in the home",
    )
    catalog_connections: int = Field(
        16, ge=2, le=1_000, description="connections to the catalogue's server, per process"
    )
    media_url: str = Field(
        "", description="where picture bytes are: `s3://bucket/prefix`; empty: a folder in the home"
    )
    media_links_s: int = Field(
        0,
        ge=0,
        le=604_800,
        description="seconds that a signed link to a picture in a bucket lasts, to which the "
        "service sends whoever asks for one as it was given; 0: it sends the bytes itself",
    )
    s3_endpoint: str = Field(
        "", description="URL of the S3-compatible store; empty: Amazon's. Keys: AWS_ACCESS_KEY_ID"
    )
    s3_region: str = Field(
        "", description="region of the store; empty: as AWS_REGION or its files say"
    )
    bundles_url: str = Field(
        "", description="where bundles are shared: `s3://bucket/prefix` or a folder"
    )
    index_url: str = Field(
        "",
        description="vector index; empty: Zvec in the home; `milvus:` and a Milvus URI or a file "
        "for Milvus Lite; `dashvector:` and the host of a cluster; `memory:` for trying things out",
    )
    dashvector_key: SecretStr = Field(SecretStr(""), description="API key of DashVector")
    dashvector_prefix: str = Field(
        "crosslens",
        pattern=r"^[A-Za-z][A-Za-z0-9]{2,15}$",
        description="begins the names of the collections in DashVector, so that several homes "
        "share a cluster",
    )
    milvus_token: str = Field(
        "", repr=False, description="`user:password` or API key of the Milvus server"
    )
    milvus_ca: Path | None = Field(
        None,
        description="PEM file of who signed the certificate of a Milvus server at `https://`; "
        "empty: as the machine knows",
    )
    milvus_prefix: str = Field(
        "crosslens",
        description="begins the names of collections and aliases, so that several catalogues "
        "share a Milvus server",
    )
    milvus_timeout_s: float = Field(
        10.0, gt=0, description="seconds a call to Milvus may take, tries included"
    )
    milvus_consistency: Literal["Strong", "Session", "Bounded", "Eventually"] = Field(
        "Strong",
        description="Strong: Milvus finds at once what any process wrote; the others find it a "
        "little later, and answer sooner",
    )
    milvus_graph: Literal["HNSW", "IVF_FLAT", "IVF_SQ8", "DISKANN", "FLAT", "AUTOINDEX"] = Field(
        "HNSW", description="how a Milvus server indexes vectors, from the next rebuild on"
    )
    cross_modal: str = Field(
        "crosslens-mini",
        description="bundle whose words and pictures share a space: a name or a folder",
    )
    text: str = Field(
        "", description="bundle for words ↔ titles; empty: the words of the cross-modal bundle"
    )
    looks: str = Field(
        "", description="bundle for picture ↔ picture; empty: the pictures of the cross-modal one"
    )
    alpha: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of vectors against keywords in hybrid search; empty: as the bundles "
        "in use say",
    )
    attributes: dict[str, AttributeType] = Field(
        default_factory=dict,
        description="filterable attributes and their types: keyword, keywords, number, bool, date",
    )
    threads: int = Field(0, ge=0, le=256, description="encoder workers; 0: one per core")
    device: str = Field(
        "cpu",
        description="what encoders run on: cpu, cuda, directml or coreml; the last three need the "
        "ONNX Runtime that is built for them",
    )
    keep_vectors: bool = Field(
        True,
        description="keep encoded vectors beside the index, so that a rebuild encodes nothing "
        "twice; 2 bytes per dimension, text and picture",
    )
    encode_queue: int = Field(
        512, ge=1, description="calls that may wait for an encoder before others are refused"
    )
    encode_timeout_s: float = Field(
        30.0, gt=0, description="seconds a query may wait for an encoder"
    )
    query_cache: int = Field(10_000, ge=0, description="query vectors kept in memory, per space")
    max_picture_bytes: int = Field(
        30_000_000, ge=1, description="largest picture file accepted, in bytes"
    )
    max_picture_pixels: int = Field(
        40_000_000, ge=1, description="most pixels of a picture, checked before it is decoded"
    )
    kafka_servers: str = Field(
        "",
        description="Kafka brokers by whose way changes reach workers, host:port with commas; "
        "empty: workers take them from the catalogue",
    )
    kafka_topic: str = Field(
        "crosslens.changes", pattern=r"^[A-Za-z0-9._-]{1,240}$", description="topic of the changes"
    )
    kafka_group: str = Field(
        "crosslens", min_length=1, description="workers of one group share the changes"
    )
    kafka_partitions: int = Field(
        12, ge=1, le=10_000, description="partitions of the topic where it is not there yet"
    )
    kafka_lease_s: float = Field(
        900.0,
        gt=0,
        description="seconds after which a change that was published and is not settled is taken "
        "for lost and published again",
    )
    kafka_options: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="further options of librdkafka, such as security.protocol",
    )
    lease_s: float = Field(
        60.0, gt=0, description="seconds a worker owns a change before another may take it"
    )
    max_tries: int = Field(
        5, ge=1, description="failures after which a change is parked for a person to look at"
    )
    encoder_url: str = Field(
        "",
        description="encode service that computes vectors for this process: `grpc://host:port`, or "
        "`grpcs://` for TLS; empty: this process itself",
    )
    encoder_token: str = Field("", repr=False, description="API key of the encode service")
    encoder_ca: Path | None = Field(
        None, description="PEM file of who signed its certificate; empty: as the machine knows"
    )
    rpc_port: int = Field(
        6010, ge=0, le=65_535, description="port on which the encode service listens; 0: any free"
    )
    rpc_status_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="port on which the encode service tells /health, /ready and /metrics over "
        "HTTP; 0: any free one; empty: none",
    )
    rpc_certificate: Path | None = Field(
        None, description="PEM file with the encode service's certificate; empty: no TLS"
    )
    rpc_key: Path | None = Field(None, description="PEM file with the key of that certificate")
    rpc_callers: Path | None = Field(
        None, description="PEM file of who signs callers' certificates; empty: they need none"
    )
    host: str = Field(
        "127.0.0.1", description="address to listen on; other than loopback needs an API key"
    )
    port: int = Field(6008, ge=0, le=65_535, description="port to listen on; 0: any free one")
    keys_file: Path | None = Field(
        None, description="file of API keys; empty: `keys.json` in the home"
    )
    max_body_bytes: int = Field(
        100_000_000, ge=1_000, description="largest HTTP request accepted, in bytes"
    )
    max_import_bytes: int = Field(
        2_000_000_000, ge=1_000, description="largest file accepted for import, in bytes"
    )
    max_pending_bytes: int = Field(
        500_000_000, ge=1_000, description="bytes of all HTTP requests being read or worked on"
    )
    body_timeout_s: float = Field(
        60.0, gt=0, description="seconds in which an HTTP request must have arrived"
    )
    request_patience_s: float = Field(
        30.0, gt=0, description="seconds an HTTP request may wait for its turn"
    )
    max_batch: int = Field(500, ge=1, description="products in one HTTP batch")
    max_queries: int = Field(32, ge=1, description="questions in one HTTP search request")
    search_threads: int = Field(
        0,
        ge=0,
        le=256,
        description="waves of searches side by side; 0: one per core, two at least. More pay where "
        "searches wait for other machines",
    )
    searches: int = Field(
        256, ge=1, description="searches waiting or running before others are refused with 429"
    )
    write_threads: int = Field(8, ge=1, le=256, description="HTTP writes side by side")
    writes: int = Field(
        64, ge=1, description="HTTP writes waiting or running before others are refused with 429"
    )
    rate_per_s: float = Field(
        0.0, ge=0, description="HTTP requests per second and API key, on average; 0: any number"
    )
    rate_burst: int = Field(200, ge=1, description="HTTP requests that an API key may make at once")
    cors_origins: tuple[str, ...] = Field(
        (), description="web pages of other origins that may call, such as https://shop.example"
    )
    url: str = Field(
        "", description="service that the page talks to; empty: the one at `port` of this machine"
    )
    key: SecretStr = Field(
        SecretStr(""),
        description="API key of the page itself; empty: visitors bring their own, if one is needed",
    )
    page_host: str = Field("127.0.0.1", description="address on which the page listens")
    page_port: int = Field(
        6006, ge=0, le=65_535, description="port on which the page listens; 0: any free one"
    )
    fetch_hosts: frozenset[str] = Field(
        frozenset(), description="inner hosts from which picture URLs may be fetched"
    )
    fetch_timeout_s: float = Field(20.0, gt=0, description="seconds to fetch a picture URL")
    max_variant_bytes: int = Field(
        2_000_000_000, ge=0, description="scaled pictures kept on disk, in bytes"
    )
    generator: str = Field(
        "",
        description="what draws pictures: name or folder of a generator's bundle, `diffusers:` and "
        "a folder or a name on the hub, or the URL of an images endpoint; empty: the one that "
        "comes along",
    )
    generator_key: SecretStr = Field(SecretStr(""), description="API key of the images endpoint")
    generator_model: str = Field("", description="model to ask the images endpoint for")
    generator_timeout_s: float = Field(
        120.0, gt=0, description="seconds for a picture of the images endpoint"
    )
    generator_threads: int = Field(1, ge=0, le=256, description="cores that draw; 0: all")
    generator_device: str = Field("cpu", description="what a pipeline runs on: cpu or cuda")
    generator_dtype: str = Field(
        "auto", description="numbers of a pipeline: float32, float16, bfloat16; auto: as fits"
    )
    generator_offload: str = Field(
        "none",
        description="parts of a pipeline that rest in the machine's memory: none, model or "
        "sequential",
    )
    generator_lora: str = Field("", description="folder or file of a pipeline's adapter weights")
    generator_safety: bool = Field(True, description="keep the safety checker of a pipeline")
    generator_download: bool = Field(False, description="fetch a pipeline that is not here")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="log lines below it are not written; info has one per request"
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="one JSON object per line, or text for people; auto: text on a terminal"
    )
    traces_url: str = Field(
        "",
        description="collector that takes traces by OTLP over HTTP, such as "
        "`http://collector.example:4318`; empty: nothing is traced",
    )
    traces_ratio: float = Field(
        1.0,
        ge=0,
        le=1,
        description="share of requests and changes that are traced, of those that did not come "
        "with a trace",
    )

    @property
    def keys_path(self) -> Path:
        """Where API keys are."""
        return self.keys_file or self.home / "keys.json"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add the home's TOML file below the environment."""
        home = init_settings().get("home")
        file = TomlConfigSettingsSource(settings_cls, Path(home) / FILE if home else None)
        return init_settings, env_settings, file


def load(home: Path | None = None, **overrides: Any) -> Settings:
    """
    Read the settings of a home.

    Args:
        home: where everything lives; None asks CROSSLENS_HOME, then the user's data folder.
        overrides: settings that win over environment and file.

    Raises:
        InvalidRequest: a value is not allowed, a name is unknown, or the file is not TOML.
    """
    where = home or default_home(os.environ)
    try:
        return Settings(home=where.expanduser().absolute(), **overrides)
    except ValidationError as exc:
        raise InvalidRequest(_explain(exc), hint=f"see {where / FILE} and CROSSLENS_*") from exc
    except (ValueError, OSError) as exc:
        raise InvalidRequest(f"{where / FILE} cannot be read: {exc}") from exc


def default_home(environ: Mapping[str, str], name: str = "crosslens") -> Path:
    """Return CROSSLENS_HOME, else a folder of this name in the user's data folder."""
    if chosen := environ.get("CROSSLENS_HOME"):
        return Path(chosen)
    base = environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / name


def demo_home() -> Path:
    """Return where the demo lives unless told otherwise: apart from the user's own catalogue."""
    return default_home(os.environ, "crosslens-demo")


def write_missing(home: Path, **tables: Mapping[str, str]) -> bool:
    """
    Append tables of plain strings to the home's file; a table that is there already is kept.

    Returns:
        Whether anything was written.
    """
    file = home / FILE
    text = file.read_text("utf-8") if file.exists() else ""
    present = {
        line.split("]")[0].strip().lstrip("[")
        for line in text.splitlines()
        if line.lstrip().startswith("[")
    }
    added = "".join(_toml_table(name, rows) for name, rows in tables.items() if name not in present)
    if added:
        _write(file, f"{text.rstrip()}\n\n{added}" if text.strip() else added)
    return bool(added)


def write_value(home: Path, name: str, value: str) -> None:
    """Set one plain value in the home's file; the rest of it, comments included, stays."""
    file = home / FILE
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    tables = next((n for n, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    kept = [line for line in lines[:tables] if line.split("=")[0].strip() != name]
    wanted = f"{name} = {_toml_text(value)}"
    _write(file, "\n".join([wanted, *kept, *lines[tables:]]) + "\n")


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".toml.new")
    draft.write_text(text, "utf-8")
    draft.replace(file)


def _toml_table(name: str, rows: Mapping[str, str]) -> str:
    lines = [f"{_toml_text(key)} = {_toml_text(value)}" for key, value in rows.items()]
    return f"[{name}]\n" + "\n".join(lines) + "\n"


def _toml_text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return (
        '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'
    )


def _explain(exc: ValidationError) -> str:
    first = exc.errors()[0]
    name = ".".join(map(str, first["loc"]))
    return f"setting {name}: {first['msg']} (got {first.get('input')!r})"
