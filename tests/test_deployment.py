"""The compose file and the Dockerfile against the code they start; no engine is needed for that."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
SERVICES = ("auth", "listings", "orders", "compliance")


def compose() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.mark.row("E4")
@pytest.mark.parametrize("name", SERVICES)
def test_a_services_environment_in_compose_satisfies_its_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(variable, raising=False)
    given = compose()[name]["environment"]
    for variable, value in given.items():
        monkeypatch.setenv(variable, str(value))
    settings = import_module(f"{name}_service.app").SERVICE.settings()
    assert settings.environment == "development"
    assert set(settings.amazon_endpoints) == {"NA", "EU", "FE"}
    known = {field.upper() for field in type(settings).model_fields}
    assert set(given) <= known, "compose names a variable that nothing reads"


@pytest.mark.parametrize("name", SERVICES)
def test_a_services_example_environment_names_every_setting(name: str) -> None:
    settings = import_module(f"{name}_service.app").SERVICE.settings
    example = (ROOT / ".env.example").read_text()
    missing = [field for field in settings.model_fields if f"{field.upper()}=" not in example]
    assert missing == []


def test_compose_builds_what_the_workspace_has() -> None:
    builds = [service["build"]["args"] for service in compose().values() if "build" in service]
    assert {build["MEMBER"] for build in builds} == {*(f"services/{name}" for name in SERVICES), "deploy/sandbox"}
    for build in builds:
        assert (ROOT / build["MEMBER"] / "src" / build["PACKAGE"] / "__main__.py").exists()


def test_no_image_floats() -> None:
    images = [service["image"] for service in compose().values()]
    assert [image for image in images if ":" not in image or image.endswith(":latest")] == []
    froms = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("FROM")]
    assert [line for line in froms if ":" not in line or "latest" in line] == []


def test_the_container_runs_as_a_numeric_user_in_exec_form() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    (user,) = [line.split()[1] for line in lines if line.startswith("USER")]
    assert all(part.isdigit() and part != "0" for part in user.split(":"))
    assert all(line.split(maxsplit=1)[1].startswith("[") for line in lines if line.startswith(("ENTRYPOINT", "CMD")))
