"""Processes untrusted images. OpenCV and MediaPipe are imported only here."""
