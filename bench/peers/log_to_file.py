"""Logs events through logging.FileHandler, as hubs do today, and prints each number once the logger has returned.

usage: log_to_file.py FILE FIRST
"""

import itertools
import logging
import sys

path, first = sys.argv[1], int(sys.argv[2])
logger = logging.getLogger("events")
logger.setLevel(logging.INFO)
logger.propagate = False
logger.addHandler(logging.FileHandler(path))
for number in itertools.count(first):
    logger.info('{"schema": "binderhub.jupyter.org/launch", "spec": "mark.%d.end/r/HEAD"}', number)
    print(number, flush=True)
