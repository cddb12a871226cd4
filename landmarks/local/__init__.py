"""Services, photographs and the worker on one machine."""
