import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, QueryCommand } from "@aws-sdk/lib-dynamodb";

const dynamodb = DynamoDBDocumentClient.from(new DynamoDBClient());

/** @typedef {{ x: number, y: number, z: number, visibility?: number }} Landmark */

/**
 * Bytes are a slice of a larger buffer: the offset matters.
 * With LANDMARK_ENCODING=binary they are float32. With LANDMARK_ENCODING=maps, a group is a list of
 * { x, y, z, visibility }; only the pose has visibility.
 * @param {Uint8Array | Landmark[]} group
 */
const numbers = (group) => group instanceof Uint8Array
  ? new Float32Array(group.buffer, group.byteOffset, group.byteLength / 4)
  : Float32Array.from(group.flatMap(({ x, y, z, ...more }) => [x, y, z, ...Object.values(more)]));

/**
 * With LANDMARK_ENCODING=int16, bytes are numbers of 16 bits in these steps.
 * @param {Uint8Array} group
 * @param {number[]} [scales]
 */
const scaled = (group, scales = [16384]) => Float32Array.from(
  new Int16Array(group.buffer, group.byteOffset, group.byteLength / 2),
  (number, i) => number / scales[i % scales.length]);

/**
 * World landmarks share the pose's visibility.
 * @param {Float32Array} world
 * @param {Float32Array} pose
 */
const withVisibility = (world, pose) => Float32Array.from(
  pose, (number, i) => i % 4 === 3 ? number : world[i - Math.floor(i / 4)]);

/**
 * Returns an item with its groups as Float32Array: rows of x, y, z and, for the pose, visibility.
 * @param {Record<string, any>} item
 */
function decoded(item) {
  const groups = Object.entries(item).filter(([name]) => name.endsWith("_landmarks"));
  if (!item.encoding) {
    return { ...item, ...Object.fromEntries(groups.map(([name, group]) => [name, numbers(group)])) };
  }
  if (item.encoding !== "int16") throw new Error(`unknown encoding ${item.encoding}`);
  const all = Object.fromEntries(groups.map(([name, group]) => [name, scaled(group)]));
  all.pose_landmarks = scaled(item.pose_landmarks, [4096, 4096, 4096, 32767]);
  if (all.pose_world_landmarks) {
    all.pose_world_landmarks = withVisibility(all.pose_world_landmarks, all.pose_landmarks);
  }
  return { ...item, ...all };
}

/**
 * Returns the results of a key, one per bucket, with groups of landmarks as Float32Array.
 * @param {string} table
 * @param {string} key
 */
export async function readLandmarks(table, key) {
  const { Items = [] } = await dynamodb.send(new QueryCommand({
    TableName: table,
    KeyConditionExpression: "object_key = :key",
    ExpressionAttributeValues: { ":key": key },
  }));
  return Items.map(decoded);
}
