"""Photographs in, body, face and hand landmarks out."""
