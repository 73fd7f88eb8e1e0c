"""What the Dockerfile says, read as text: nothing is built here."""

import re
import tomllib
from pathlib import Path

import yaml

from tests.image import dockerfile
from tests.image.dockerfile import ROOT, only
from tests.image.place import export, lets_through

PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"][
    "targets"
]["wheel"]["packages"]
VALUES = yaml.safe_load((ROOT / "charts/summaryrule-operator/values.yaml").read_text())
HOST_PATH = re.compile(r"(?<![\w.$/)-])/(?!dev/null)\w")


def test_both_stages_stand_on_one_base_that_a_digest_can_be_given_for() -> None:
    stages = dockerfile.stages(dockerfile.DOCKERFILE.read_text())
    assert [stage[0].text.split()[0] for stage in stages] == ["${BASE}", "${BASE}"]
    (base,) = [
        step
        for step in dockerfile.steps(dockerfile.DOCKERFILE.read_text())
        if step.text.startswith("BASE=")
    ]
    assert re.fullmatch(r"python:3\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", base.pairs["BASE"])


def test_the_image_runs_as_the_number_that_the_chart_asks_for() -> None:
    (user,) = only(dockerfile.final(), "USER")
    context = VALUES["podSecurityContext"]
    assert user.text.split(":") == [str(context["runAsUser"]), str(context["runAsGroup"])]


def test_the_image_exposes_the_ports_of_the_chart() -> None:
    (exposed,) = only(dockerfile.final(), "EXPOSE")
    declared = {str(VALUES[component]["port"]) for component in ("webhook", "worker")}
    assert set(exposed.words) == declared


def test_every_room_of_the_wheel_is_copied_and_no_other() -> None:
    copied = {step.words[0] for step in only(dockerfile.build(), "COPY") if len(step.words) == 2}
    rooms = {name for name in copied if (ROOT / name).is_dir()}
    assert rooms == set(PACKAGES)
    assert not rooms & {"emulator", "devstack", "tests"}


def test_the_build_context_is_what_the_dockerfile_copies_and_nothing_else() -> None:
    wanted = [
        name
        for stage in (dockerfile.build(), dockerfile.final())
        for step in only(stage, "COPY")
        if not step.text.startswith("--from")
        for name in step.words[:-1]
    ]
    for name in wanted:
        held = [ROOT / name] if (ROOT / name).is_file() else (ROOT / name).glob("*.py")
        assert all(lets_through(str(path.relative_to(ROOT))) for path in held)
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in lines if line.startswith("!")} == set(wanted)


def test_no_command_names_a_path_of_the_image() -> None:
    """So that the tests can run the very same commands elsewhere."""
    for stage in (dockerfile.build(), dockerfile.final()):
        for step in only(stage, "RUN"):
            assert not HOST_PATH.search(step.text), step.text


def test_the_image_is_built_with_the_uv_that_the_checkout_uses() -> None:
    pinned = re.search(r"^uv==(\S+)", (ROOT / "hack/image/uv.txt").read_text(), re.MULTILINE)
    used = re.search(r"^version=(\S+)", (ROOT / "hack/tools/uv").read_text(), re.MULTILINE)
    assert pinned is not None
    assert used is not None
    assert pinned[1] == used[1]


def test_nothing_of_the_laptop_is_let_into_the_build(tmp_path: Path) -> None:
    context = export(tmp_path)
    assert {path.name for path in context.iterdir()} == {
        "pyproject.toml",
        "uv.lock",
        "README.md",
        "LICENSE",
        "hack",
        "crdgen",
        "emulator",
        *PACKAGES,
    }
    for member in ("crdgen", "emulator"):  # the lock names them
        assert [path.name for path in (context / member).iterdir()] == ["pyproject.toml"]
    assert [path.name for path in (context / "crdgen").iterdir()] == ["pyproject.toml"]
