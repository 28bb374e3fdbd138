"""The workspaces of some customers, on one port of this machine: what the fleet works on here, instead of Intercom.

python customers.py NUMBER writes workspaces.csv, prints its address, and answers until it is ended.
"""

import csv
import sys
from pathlib import Path

from reconciler.sandbox import Sandbox, serve_forever

COLUMNS = ["app_id", "region", "labels.ring", "vars.DESK", "base_url"]


def make_rows(number):
    """The customers: one in ten, and at least two, are canaries; every third is in the EU. Nobody has entered the desk of the second."""
    for at in range(1, number + 1):
        ring = "canary" if at <= max(2, number // 10) else ""
        yield {
            "app_id": f"desk{at:02}",
            "region": "eu" if at % 3 == 0 else "us",
            "labels.ring": ring,
            "vars.DESK": "" if at == 2 else f"d{at:02}",
        }


def make_workspace(row):
    """One workspace. Every fourth customer has a tag of ours already, in another spelling, and gave it to somebody."""
    app_id = row["app_id"]
    workspace = Sandbox(token=f"token-of-{app_id}", app_id=app_id)
    workspace.seed({"app": {"id_code": app_id, "region": row["region"].upper()}})
    if int(app_id[-2:]) % 4 == 0:
        workspace.seed({"tags": ["VIP"], "contacts": [{"external_id": "1", "tags": ["VIP"]}]})
    return workspace


rows = list(make_rows(int(sys.argv[1])))
workspaces = {row["app_id"]: make_workspace(row) for row in rows}


def answer(environ, start_response):
    """The workspace that the first part of the path names answers."""
    app_id, rest = environ["REQUEST_URI"].lstrip("/").split("/", 1)
    return workspaces[app_id]({**environ, "REQUEST_URI": f"/{rest}", "PATH_INFO": f"/{rest.partition('?')[0]}"}, start_response)


def begin(url):
    """Say where they are."""
    with Path("workspaces.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows({**row, "base_url": f"{url}/{row['app_id']}"} for row in rows)
    print(url, flush=True)


serve_forever(answer, ready=begin)
