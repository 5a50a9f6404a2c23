"""What deploy/ names is there: settings, commands, extras, ports, numbers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from crosslens.api.keys import KeyFile, Role
from crosslens.cli.main import app as command_line
from crosslens.rpc.calls import Numbers
from crosslens.settings import Settings, load
from crosslens.wiring import build
from processes import eventually
from servers import free_port

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FILES = [path for path in DEPLOY.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
EXAMPLE = (DEPLOY / ".env.example").read_text("utf-8")
CHART = DEPLOY / "chart"
CHECKERS = (
    "check-jsonschema",
    "hadolint",
    "helm",
    "kubernetes-validate",
    "nginx",
    "promtool",
    "yamllint",
)
OWN = Path(sys.prefix)  # `make setup` and `make servers` put some there
PLACES = (OWN / "bin", OWN / ".helm" / "node_modules" / ".bin", *os.get_exec_path(), "/usr/sbin")
PATH = os.pathsep.join(map(str, PLACES))
OURS = {n: s for n, s in COMPOSE["services"].items() if "Dockerfile" in str(s.get("build"))}


def names_in(pattern: str, *paths: Path) -> set[str]:
    return {name for path in paths for name in re.findall(pattern, path.read_text("utf-8"))}


def image_environment() -> dict[str, str]:
    """Return what the image sets."""
    [block] = re.findall(r"^ENV ((?:.*\\\n)*.*)$", DOCKERFILE, re.MULTILINE)
    return dict(pair.split("=", 1) for pair in block.replace("\\\n", " ").split())


def filled(value: str) -> str:
    """Put something in the place of ${NAME:?…} and ${NAME:-default}."""
    return re.sub(
        r"\$\{\w+(:-(?P<default>[^}]*))?(:\?[^}]*)?\}", lambda found: found["default"] or "x", value
    )


def commands() -> Iterator[list[str]]:
    for service in OURS.values():
        yield [*service.get("entrypoint", ["crosslens"])[1:], *service["command"]]
    for template in (CHART / "templates").glob("*.yaml"):
        for args in re.findall(r"args: \[(.*)\]", template.read_text("utf-8")):
            for part in ("api", "worker", "encoder"):
                yield args.replace("{{ $part }}", part).split(", ")
    yield json.loads(re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)[0])


def test_every_variable_is_a_setting() -> None:
    inner = {"KEY"}  # of compose.yaml and .env alone
    named = names_in(r"CROSSLENS_([A-Z0-9_]+)", *FILES) - inner
    assert named
    assert named - {name.upper() for name in Settings.model_fields} == set()


def test_what_compose_sets_are_valid_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for service in OURS.values():
        given = image_environment() | service.get("environment", {})
        for name, value in given.items():
            if name.startswith("CROSSLENS_"):
                monkeypatch.setenv(name, filled(str(value)))
        own = load(tmp_path)
        assert own.host == own.page_host == "0.0.0.0"
        assert own.log_format == "json"


def test_variables_of_compose_are_those_of_the_example() -> None:
    wanted = names_in(r"\$\{(\w+)", DEPLOY / "compose.yaml") | {
        secret["environment"] for secret in COMPOSE["secrets"].values()
    }
    assert wanted == set(re.findall(r"^(\w+)=", EXAMPLE, re.MULTILINE))


def test_no_file_holds_a_secret() -> None:
    secret = re.compile(r"PASSWORD|SECRET|TOKEN|^AWS_ACCESS_KEY_ID$|_KEY$|_URL$")
    for name, service in COMPOSE["services"].items():
        for variable, value in service.get("environment", {}).items():
            if secret.search(variable) and "://" not in str(value) and value != "1":
                assert str(value).startswith("${"), (name, variable)
            assert not re.search(r"://[^/$@]*:[^/$@]+@", str(value)), (name, variable)
    empty = re.findall(r"^(\w*(?:PASSWORD|KEY)\w*)=(.*)$", EXAMPLE, re.MULTILINE)
    assert empty
    assert all(value == "" for _, value in empty)


@pytest.mark.parametrize("command", sorted({tuple(c) for c in commands()}), ids=" ".join)
def test_every_command_is_one(command: Sequence[str]) -> None:
    found: Any = typer.main.get_command(command_line)
    for word in command:
        if word.startswith("-"):
            assert word in {o for p in found.params for o in p.opts}
            continue
        assert word in getattr(found, "commands", ()), command
        found = found.commands[word]


def test_extras_are_those_of_the_package() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    files = DOCKERFILE + (DEPLOY / "compose.yaml").read_text("utf-8")
    asked = re.findall(r"EXTRAS[=:] ?(\w+(?:,\w+)*)", files)
    assert len(asked) == 2
    assert {e for extras in asked for e in extras.split(",")} <= set(known["optional-dependencies"])


def test_ports_are_where_processes_listen(tmp_path: Path) -> None:
    own = load(tmp_path)
    status = int(image_environment()["CROSSLENS_RPC_STATUS_PORT"])
    exposed = {int(port) for port in re.findall(r"^EXPOSE (.*)$", DOCKERFILE, re.M)[0].split()}
    assert exposed == {own.port, own.page_port, own.rpc_port, 6009, status}
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text("utf-8"))
    asked = {
        each["job_name"]: (each["dns_sd_configs"][0]["names"], each["dns_sd_configs"][0]["port"])
        for each in scraped["scrape_configs"]
    }
    assert asked == {
        "crosslens-api": (["api"], own.port),
        "crosslens-worker": (["worker"], 6009),
        "crosslens-encoder": (["encoder"], status),
    }
    assert set(OURS) >= {"api", "worker", "encoder", "page"}


def test_numbers_on_the_board_and_in_alerts_are_told(tmp_path: Path) -> None:
    settings = load(tmp_path, kafka_servers="127.0.0.1:1", index_url="memory:")
    with build(settings) as house:
        served = house.http().state.runtime.metrics
        served.note("POST", "/search", 200, 0.01)
        numbers = Numbers()
        numbers.note("EncodeText", "OK", 0.01)
        told = (served.page() + numbers.page()).decode()
    exposed = set(re.findall(r"^(\w+)", told, re.MULTILINE))
    files = [*(DEPLOY / "grafana").rglob("*.json"), DEPLOY / "prometheus" / "alerts.yaml"]
    named = names_in(r"\b((?:crosslens|process)_\w+)", *files)
    assert len(named) > 20
    assert named - exposed == set()


def test_panels_of_the_board_have_places_of_their_own() -> None:
    board = json.loads((DEPLOY / "grafana" / "dashboards" / "crosslens.json").read_text("utf-8"))
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels]
    assert len(set(places)) == len(places)
    assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in panels)
    assert all(p["targets"] for p in panels if p["type"] != "row")


def test_the_charts_schema_takes_its_values_and_no_others() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    jsonschema.validate(values, schema)
    for wrong in (
        {"settings": {"CROSSLENS_PORT": 6008}},
        {"settings": {"PATH": "/bin"}},
        {"api": values["api"] | {"replicas": 0}},
        {"unknown": 1},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(values | wrong, schema)


def test_templates_of_the_chart_use_values_and_names_that_are_there() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    templates = "".join(p.read_text("utf-8") for p in (CHART / "templates").iterdir())
    for path in re.findall(r"\.Values\.([A-Za-z.]+)", templates):
        assert_there(values, path)
    for path in re.findall(r"\$own\.([A-Za-z.]+)", templates):
        for part in ("api", "worker", "encoder"):
            assert_there(values[part], path)
    defined = set(re.findall(r'define "([\w.]+)"', templates))
    assert set(re.findall(r'include "([\w.]+)"', templates)) == defined


def assert_there(values: Any, path: str) -> None:
    for name in path.split("."):
        assert name in values, path
        values = values[name]


@pytest.mark.parametrize("tool", CHECKERS)
def test_checkers_have_nothing_to_say(tool: str, request: pytest.FixtureRequest) -> None:
    require(tool, request.config)
    ran = called("deploy/check.sh", tool)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"\n{tool} " in f"\n{ran.stdout}", "it was asked"


def test_what_the_board_asks_is_promql(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    require("promtool", request.config)
    board = json.loads((DEPLOY / "grafana" / "dashboards" / "crosslens.json").read_text("utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    assert len(asked) > 20
    rules = [
        {"record": f"asked:{n}", "expr": expr.replace("$__rate_interval", "5m")}
        for n, expr in enumerate(asked)
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}), "utf-8")
    ran = called("promtool", "check", "rules", file)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def require(tool: str, config: pytest.Config) -> None:
    """Skip without a tool, or fail where all are required; few have what brings Helm."""
    needed = {tool, "helm"} if tool == "kubernetes-validate" else {tool}
    if absent := sorted(name for name in needed if shutil.which(name, path=PATH) is None):
        told = f"not installed: {', '.join(absent)}; see `make servers` and `make setup`"
        if config.getoption("--require-servers") and "helm" not in absent:
            pytest.fail(told)
        pytest.skip(told)


def called(*command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) | {"PATH": PATH}  # noqa: TID251 - of the child
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)


@pytest.mark.slow
def test_a_process_starts_as_in_its_container_and_is_found_alive(tmp_path: Path) -> None:
    port = free_port()
    key_file = tmp_path / "keys" / "keys.json"
    key_file.parent.mkdir()
    KeyFile(key_file).new(Role.READ, "inner")
    own = {
        "CROSSLENS_HOME": str(tmp_path / "home"),
        "CROSSLENS_KEYS_FILE": str(key_file),
        "CROSSLENS_HOST": "127.0.0.1",
        "CROSSLENS_RPC_PORT": "0",
        "CROSSLENS_RPC_STATUS_PORT": str(port),
        "CROSSLENS_LOG_LEVEL": "info",
    }
    given = {k: v for k, v in image_environment().items() if k != "PATH"} | own
    assert not is_alive(port)
    with started(OURS["encoder"]["command"], given, tmp_path) as process:
        eventually(lambda: is_alive(port))
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == 0
    said = (tmp_path / "log").read_text("utf-8").splitlines()
    assert all(isinstance(json.loads(line), dict) for line in said)


def started(
    command: Sequence[str], environment: Mapping[str, str], folder: Path
) -> subprocess.Popen[Any]:
    program = shutil.which("crosslens", path=str(Path(sys.executable).parent))
    line = [program] if program else [sys.executable, "-m", "crosslens"]
    with (folder / "log").open("w") as log:
        return subprocess.Popen(
            [*line, *command],
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=dict(os.environ) | environment,  # noqa: TID251 - of the child
        )


def is_alive(port: int) -> bool:
    asked = subprocess.run([sys.executable, DEPLOY / "alive.py", str(port)], check=False)
    return asked.returncode == 0
