"""`landmarks enqueue`: jobs for objects that exist, a million of them in constant memory."""
