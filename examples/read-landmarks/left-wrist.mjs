// node left-wrist.mjs TABLE KEY
import { readLandmarks } from "./read-landmarks.mjs";

const LEFT_WRIST = 15; // MediaPipe's number in the pose

/**
 * @param {string} message
 * @param {number} status
 * @returns {never}
 */
function stop(message, status) {
  console.error(message);
  process.exit(status);
}

const [, , table, key, ...others] = process.argv;
if (!table || !key || others.length > 0) {
  stop("usage: node left-wrist.mjs TABLE KEY", 2);
}
const results = await readLandmarks(table, key).catch(
  (error) => stop(`table ${table}: ${error.message || error.code}`, 1));
if (results.length === 0) {
  stop(`table ${table} has no result for ${key}`, 1);
}
for (const { bucket, status, image, ...first } of results) {
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
