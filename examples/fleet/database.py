"""A PostgreSQL of this example's own, in a temporary folder, reached through a socket there and by nobody from outside.

python database.py prints its address. When its standard input ends, so does the server, and the folder is gone.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PATIENCE = 30.0  # seconds until it has to answer

named = [Path(path) for path in [shutil.which("initdb")] if path]
programs = [*named, *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))]
if not programs:
    sys.exit("PostgreSQL is not installed: no initdb in PATH or /usr/lib/postgresql; `demo.sh 30 local` does without")
bin = programs[-1].resolve().parent

# The path of a socket has at most 107 bytes: man 7 unix.
folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
who = {}
if os.geteuid() == 0:
    # It refuses to run as root.
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

initdb = [bin / "initdb", "--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8", "--no-locale", folder / "data"]
postgres = [bin / "postgres", "-D", folder / "data", "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
ready = [bin / "pg_isready", "--quiet", f"--host={folder}"]
try:
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder, **who)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(postgres, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True, **who)
    ends = time.monotonic() + PATIENCE
    while subprocess.run(ready, check=False).returncode:
        if server.poll() is not None or time.monotonic() > ends:
            server.kill()
            sys.exit(f"PostgreSQL did not start: {(folder / 'log').read_text()[-500:]}")
        time.sleep(0.05)
    print(f"postgresql:///postgres?host={folder}&user=postgres", flush=True)
    sys.stdin.read()
    server.send_signal(signal.SIGINT)  # at once, whoever is connected: postgresql.org/docs, server-shutdown
    server.wait()
finally:
    shutil.rmtree(folder, ignore_errors=True)
