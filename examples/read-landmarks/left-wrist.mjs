// node left-wrist.mjs TABLE KEY
import { readLandmarks } from "./read-landmarks.mjs";

const LEFT_WRIST = 15; // MediaPipe's number in the pose

const [, , table, key] = process.argv;
for (const { bucket, status, image, ...first } of await readLandmarks(table, key)) {
  const people = first.pose_landmarks ? [first, ...(first.other_people ?? [])] : [];
  if (people.length === 0) {
    console.log(`${bucket}: ${status}`);
  }
  for (const { pose_landmarks: pose } of people) {
    const [x, y, , visibility] = pose.subarray(4 * LEFT_WRIST, 4 * LEFT_WRIST + 4);
    const pixels = `${Math.round(x * image.width)}, ${Math.round(y * image.height)}`;
    console.log(`${bucket}: left wrist at ${pixels}, visibility ${visibility.toFixed(2)}`);
  }
}
