"""`landmarks enqueue`: send jobs for existing objects, in constant memory."""
