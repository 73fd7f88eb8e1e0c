"""The process specification of the local Kusto endpoint.

All tables and operations are in a file of the state directory, so a restart keeps them.
"""

import sys

from devstack.ports import HOST
from devstack.process_spec import ProcessSpec, http_health
from devstack.state_dir import StateDir

NAME = "kusto"
DATABASE = "Telemetry"


def make_spec(state_dir: StateDir, port: int) -> ProcessSpec:
    """Return the emulator's specification; its data is in the state directory."""
    url = f"http://{HOST}:{port}"
    options = ["--data", str(state_dir.root / NAME), "--host", HOST, "--port", str(port)]
    return ProcessSpec(
        name=NAME,
        argv=[sys.executable, "-m", "emulator", *options],
        log=state_dir.log(NAME),
        address=url,
        health=http_health(f"{url}/v1/rest/auth/metadata"),
    )
