"""docker-compose.yml and the Dockerfile name nothing that is not there."""

from __future__ import annotations

import json
import re
from importlib.metadata import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.local.settings import CHECKOUT
from workers.cli.main import COMMANDS, GROUPS
from workers.process import DRIVERS
from workers.reference import settings_groups
from workers.settings import Settings, variable

COMPOSE = CHECKOUT / "docker-compose.yml"
DOCKERFILE = CHECKOUT / "deploy" / "docker" / "Dockerfile"
METRICS_PORT = "9400"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE.read_text("utf-8"))


def known_variables() -> set[str]:
    return {
        variable((name, field))
        for name, _ in settings_groups()
        for field in Settings.model_fields[name].annotation.model_fields  # type: ignore[union-attr]
    }


def test_compose_file_fits_the_compose_specification(compose: dict[str, Any]) -> None:
    [schema] = [one for one in files("docker-compose") or () if one.name == "compose_spec.json"]
    specification = json.loads(Path(str(schema.locate())).read_text("utf-8"))
    problems = jsonschema.Draft201909Validator(specification).iter_errors(compose)
    assert [f"{list(one.path)}: {one.message}" for one in problems] == []


def test_every_worker_of_the_platform_is_a_service(compose: dict[str, Any]) -> None:
    run = {
        tuple(service["command"])
        for service in compose["services"].values()
        if service.get("command", [None])[0] == "worker"
    }
    assert run == {("worker", name) for name in DRIVERS}


def test_commands_of_services_exist(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if "deploy/docker/Dockerfile" in str(service.get("build", "")):
            assert service["command"][0] in COMMANDS | GROUPS, name


def test_dependencies_and_volumes_exist(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (CHECKOUT / source).exists(), source
            else:
                assert source in compose["volumes"], source


def test_every_service_restarts_and_tells_its_health(compose: dict[str, Any]) -> None:
    image = "HEALTHCHECK" in DOCKERFILE.read_text("utf-8")
    for name, service in compose["services"].items():
        built = "build" in service
        assert "healthcheck" in service or (built and image), name
        assert service.get("restart"), name


def test_variables_are_settings_or_explained_in_the_example(compose: dict[str, Any]) -> None:
    explained = (CHECKOUT / ".env.example").read_text("utf-8")
    settings = known_variables()
    for service in compose["services"].values():
        for name in service.get("environment", {}):
            assert not name.startswith("REVOPS_") or name in settings, name
    for name in re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text("utf-8")):
        assert name in explained or name in settings, name


def test_secrets_have_no_default() -> None:
    for name in re.findall(r"\$\{([A-Z_]*(?:PASSWORD|KEY)[A-Z_]*):-", COMPOSE.read_text("utf-8")):
        raise AssertionError(f"{name} has a default")


def test_dockerfile_copies_what_exists_and_runs_without_root() -> None:
    text = DOCKERFILE.read_text("utf-8")
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for source in sources.split():
            assert (CHECKOUT / source).exists(), source
    stages = re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE)
    assert {"worker", "worker-gpu"} <= set(stages)
    assert re.search(r"^USER 10001", text, re.MULTILINE)
    assert f"REVOPS_WORKER__METRICS_PORT={METRICS_PORT}" in text


def test_prometheus_scrapes_every_worker(compose: dict[str, Any]) -> None:
    scraped = yaml.safe_load((CHECKOUT / "deploy/prometheus/prometheus.yml").read_text("utf-8"))
    [job] = scraped["scrape_configs"]
    assert {f"{name}:{METRICS_PORT}" for name in DRIVERS} == set(
        job["static_configs"][0]["targets"]
    )
