"""The worker on one machine, without an AWS account: for trying it, and for its tests.

Needs the extra `local`; nothing of it is in the Lambda image.
"""
