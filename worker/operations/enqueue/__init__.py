"""Many objects → queue messages: where they are listed, which are sent, and how far that got.

    sources ─ entries ─▶ selection ─ batches ─▶ delivery ─▶ SQS
                                                   └─▶ state file, list of the unsent

Everything is streamed; nothing grows with the number of objects.
"""
