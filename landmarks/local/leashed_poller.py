"""`python -m landmarks.local.leashed_poller PARENT …`: ends with its parent.

Whoever is killed can stop nothing that it has started; the kernel can.
"""

import runpy
import sys

from worker.detector.confinement import end_with

if __name__ == "__main__":
    end_with(int(sys.argv.pop(1)))
    runpy.run_module("worker.poller", run_name="__main__", alter_sys=True)
