"""What people do with a running worker; nothing of it is in the Lambda image."""
