"""`python -m worker.local.leashed_poller PARENT …`: the poller, that does not outlive its parent.

Whoever is killed can stop nothing that it has started; the kernel can.
"""

import runpy
import sys

from worker.detector.confinement import end_with

if __name__ == "__main__":
    end_with(int(sys.argv.pop(1)))
    runpy.run_module("worker.poller", run_name="__main__", alter_sys=True)
