"""A stand-in for the real command line: says what it was asked, in the data folder."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

action = sys.argv[1]
data = Path(os.environ["GREENROOM_DATA"])
seen = {"arguments": sys.argv[1:], "uid": os.getuid(), "environment": dict(os.environ)}
(data / f"seen-{action}.json").write_text(json.dumps(seen))
if action == "login-link":
    sys.stdout.write(f"http://localhost:{os.environ['PORT']}/login/fresh\n")
if action == "runbots":
    while True:
        time.sleep(60)
