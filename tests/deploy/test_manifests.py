"""The manifests fit their schemas, lock the service down, and agree with the image, the settings and the routes."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose.yaml"
KUBERNETES = ROOT / "deploy" / "kubernetes.yaml"
NGINX = ROOT / "deploy" / "nginx.conf"
HAPROXY = ROOT / "deploy" / "haproxy.cfg"

# the oldest that has every field that is used (matchLabelKeys), and the newest that there is a schema for
VERSIONS = ["1.27", kubernetes_validate.latest_version()]
MIB = 1024**2
UNITS = {"m": 1, "g": 1024, "G": 1024, "Mi": 1, "Gi": 1024}
WORST = 1331
"""MiB that both processes hold in the worst mix of requests within the default limits: see `test_worst_mix`."""
KINDS = ["Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"]
STOPPING = ["drain_seconds", "stop_seconds"]


def fact(text: str, pattern: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, pattern
    return found[1]


def image_fact(pattern: str) -> str:
    return fact((ROOT / "Dockerfile").read_text(), pattern)


def mebibytes(size: str) -> int:
    return int(fact(size, r"^(\d+)")) * UNITS[fact(size, r"(\D+)$")]


@pytest.fixture
def service() -> Json:
    found: Json = yaml.safe_load(COMPOSE.read_text())["services"]["gradmark"]
    return found


@pytest.fixture
def resources() -> dict[str, Json]:
    return {resource["kind"]: resource for resource in yaml.safe_load_all(KUBERNETES.read_text())}


@pytest.fixture
def pod(resources: dict[str, Json]) -> Json:
    found: Json = resources["Deployment"]["spec"]["template"]["spec"]
    return found


@pytest.fixture
def container(pod: Json) -> Json:
    [found] = pod["containers"]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def app() -> FastAPI:
    return create_app(Settings.model_construct())


def check_compose(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_compose_file_fits_its_specification() -> None:
    assert check_compose(COMPOSE).returncode == 0


def test_a_misspelled_key_in_the_compose_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(COMPOSE.read_text().replace("read_only", "readonly"))
    checked = check_compose(tmp_path / "compose.yaml")
    assert checked.returncode == 1
    assert "readonly" in checked.stdout


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_resource_fits_the_schema_of_its_kind(resources: dict[str, Json], kind: str, version: str) -> None:
    kubernetes_validate.validate(resources[kind], version, strict=True)


def test_every_resource_is_checked(resources: dict[str, Json]) -> None:
    assert list(resources) == KINDS


def test_a_misspelled_key_in_a_resource_is_found(resources: dict[str, Json], container: Json) -> None:
    container["securityContext"]["readOnlyRootFileSystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyRootFileSystem"):
        kubernetes_validate.validate(resources["Deployment"], VERSIONS[-1], strict=True)


def test_a_composed_container_may_do_nothing_that_it_need_not(service: Json) -> None:
    assert service["user"] == image_fact(r"^USER (\S+)")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert not service.keys() & {"cap_add", "privileged", "network_mode", "pid", "ipc", "devices", "volumes"}
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_a_pod_may_do_nothing_that_it_need_not(pod: Json, container: Json) -> None:
    user, group = image_fact(r"^USER (\S+)").split(":")
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(user),
        "runAsGroup": int(group),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"}
    for bounds in ("requests", "limits"):
        assert container["resources"][bounds].keys() == {"cpu", "memory", "ephemeral-storage"}


def test_no_variable_of_the_cluster_is_taken_for_a_setting(pod: Json, resources: dict[str, Json]) -> None:
    # every Service gives <NAME>_PORT to the pods beside it, unless they ask to be spared
    assert f"{resources['Service']['metadata']['name']}_port".upper() == "GRADMARK_PORT"
    assert pod["enableServiceLinks"] is False


def test_every_port_is_the_one_that_the_image_exposes(
    service: Json, container: Json, resources: dict[str, Json]
) -> None:
    exposed = image_fact(r"^EXPOSE (\d+)")
    assert [port.rsplit(":", 1)[1] for port in service["ports"]] == [exposed]
    [port] = container["ports"]
    assert str(port["containerPort"]) == exposed
    assert [outer["targetPort"] for outer in resources["Service"]["spec"]["ports"]] == [port["name"]]
    annotations = resources["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == exposed


def test_every_path_is_one_of_the_service_s(resources: dict[str, Json], container: Json, app: FastAPI) -> None:
    paths = {getattr(route, "path", None) for route in app.routes}
    for probe, path in {"startupProbe": "ready", "readinessProbe": "ready", "livenessProbe": "live"}.items():
        assert container[probe]["httpGet"] == {"path": f"/health/{path}", "port": "http"}
        assert container[probe]["httpGet"]["path"] in paths
    annotations = resources["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] in paths


@pytest.mark.parametrize("file", [COMPOSE, KUBERNETES, NGINX, HAPROXY, ROOT / "README.md"], ids=lambda file: file.name)
def test_every_variable_that_is_named_is_a_setting(file: Path) -> None:
    settings = {f"GRADMARK_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"GRADMARK_\w+", file.read_text()))
    assert named - settings <= {"GRADMARK_PORT"}


def test_what_is_set_makes_sense_as_settings(service: Json, container: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    for variables in (service["environment"], {entry["name"]: entry["value"] for entry in container["env"]}):
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            Settings()


def test_stopping_has_the_time_that_it_may_take(service: Json, pod: Json) -> None:
    longest = sum(Settings.model_fields[name].default for name in STOPPING)
    for grace in (int(service["stop_grace_period"].removesuffix("s")), pod["terminationGracePeriodSeconds"]):
        assert grace >= longest + 2


def test_bulk_requests_fit_into_tmp(service: Json, pod: Json, container: Json) -> None:
    [tmp] = service["tmpfs"]
    size = mebibytes(fact(tmp, r"size=(\w+)"))
    limits = service["deploy"]["resources"]["limits"]
    assert tmp.startswith("/tmp:")  # noqa: S108 - where Python keeps temporary files
    bulk, spool = (int(service["environment"][f"GRADMARK_{name}"]) for name in ("MAX_BULK_BYTES", "MAX_SPOOL_BYTES"))
    # a client alone may use all, and half is left for the others
    assert size * MIB > 1.5 * spool >= bulk
    # what stands in a tmpfs is the container's memory, too
    assert mebibytes(limits["memory"]) > WORST + size

    [volume] = pod["volumes"]
    [mount] = container["volumeMounts"]
    assert (mount["name"], mount["mountPath"]) == (volume["name"], "/tmp")  # noqa: S108 - as above
    size = mebibytes(volume["emptyDir"]["sizeLimit"])
    bulk, spool = (Settings.model_fields[name].default for name in ("max_bulk_bytes", "max_spool_bytes"))
    assert size * MIB > 1.5 * spool >= bulk
    assert mebibytes(container["resources"]["limits"]["ephemeral-storage"]) > size


def test_a_proxy_lets_the_largest_bulk_request_pass() -> None:
    size = fact(NGINX.read_text(), r"client_max_body_size (\w+);")
    assert mebibytes(size) * MIB == Settings.model_fields["max_bulk_bytes"].default


def test_the_worst_mix_of_requests_fits_into_a_pod(container: Json) -> None:
    assert mebibytes(container["resources"]["limits"]["memory"]) > WORST
    stated = re.findall(
        r"(?:no more than|holds) (1\.\d)",
        "".join(file.read_text() for file in (ROOT / "README.md", COMPOSE, KUBERNETES)),
    )
    assert stated == [f"{WORST / 1024:.1f}"] * 3


def test_a_container_may_have_the_connections_that_it_takes(service: Json) -> None:
    # beside them there are files, pipes and the listener
    assert service["ulimits"]["nofile"] >= Settings.model_fields["max_connections"].default + 128


def test_a_rollout_leaves_nobody_unserved(resources: dict[str, Json]) -> None:
    deployment, autoscaler = resources["Deployment"]["spec"], resources["HorizontalPodAutoscaler"]["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert "replicas" not in deployment
    assert autoscaler["minReplicas"] > 1


def test_nodes_are_emptied_one_pod_at_a_time(resources: dict[str, Json]) -> None:
    # minAvailable would let all others go at once, and with a single pod block every drain
    budget = resources["PodDisruptionBudget"]["spec"]
    assert (budget["maxUnavailable"], "minAvailable" in budget) == (1, False)


def test_the_resources_find_each_other(resources: dict[str, Json]) -> None:
    deployment = resources["Deployment"]
    selector = deployment["spec"]["selector"]["matchLabels"]
    assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert resources["Service"]["spec"]["selector"] == selector
    assert resources["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == selector
    target = {"apiVersion": deployment["apiVersion"], "kind": "Deployment", "name": deployment["metadata"]["name"]}
    assert resources["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"] == target


def test_the_release_is_this_one(service: Json, container: Json, resources: dict[str, Json]) -> None:
    release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert service["image"] == container["image"] == f"gradmark:{release}"
    versions = {resource["metadata"]["labels"]["app.kubernetes.io/version"] for resource in resources.values()}
    assert versions == {release}
