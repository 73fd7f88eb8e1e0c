"""The order for the local Kusto endpoint, run as its own process.

Called by `host.py`.
"""

import sys

from devstack.child import Child
from devstack.folder import Folder
from devstack.ports import HOST
from devstack.probes import answers

NAME = "kusto"
DATABASE = "Telemetry"


def order(folder: Folder, port: int) -> Child:
    """Give the emulator's order; its data lies in the state folder."""
    url = f"http://{HOST}:{port}"
    options = ["--data", str(folder.root / NAME), "--host", HOST, "--port", str(port)]
    return Child(
        name=NAME,
        argv=[sys.executable, "-m", "emulator", *options],
        log=folder.log(NAME),
        address=url,
        health=answers(f"{url}/v1/rest/auth/metadata"),
    )
