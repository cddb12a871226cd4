"""Everything that touches hostile bytes. OpenCV and MediaPipe are imported only here."""
