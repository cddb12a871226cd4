"""Landmarks as pictures, for people: needs Pillow, no MediaPipe."""
