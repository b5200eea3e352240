"""Logs events through logging.handlers.HTTPHandler until standard input ends, and prints each number.

usage: log_to_http.py HOST:PORT PATH
"""

import itertools
import json
import logging
import logging.handlers
import sys
import threading
import time

host, path = sys.argv[1:]
PAUSE_SECONDS = 0.002  # some hundred events a second: what a busy hub emits at its busiest
logger = logging.getLogger("events")
logger.setLevel(logging.INFO)
logger.propagate = False
logger.addHandler(logging.handlers.HTTPHandler(host, path, method="POST"))
is_over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), is_over.set()), daemon=True).start()
for number in itertools.count():
    if is_over.is_set():
        break
    event = {
        "timestamp": "2026-03-01T12:00:00Z",
        "schema": "binderhub.jupyter.org/launch",
        "version": 3,
        "provider": "GitHub",
        "spec": f"mark.{number}.end/r/HEAD",
        "status": "success",
    }
    logger.info(json.dumps(event))
    print(number, flush=True)
    time.sleep(PAUSE_SECONDS)
