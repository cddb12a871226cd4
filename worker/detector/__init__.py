"""The native side: whatever touches hostile bytes. Only here are OpenCV and MediaPipe imported."""
