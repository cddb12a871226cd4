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
 * Returns a person with groups as Float32Array: rows of x, y, z and, for the pose, visibility.
 * @param {Record<string, any>} person
 * @param {string | undefined} encoding the item's
 */
function decoded(person, encoding) {
  const groups = Object.entries(person).filter(([name]) => name.endsWith("_landmarks"));
  if (!encoding) {
    return { ...person, ...Object.fromEntries(groups.map(([name, group]) => [name, numbers(group)])) };
  }
  if (encoding !== "int16") {
    throw new Error(`unknown encoding ${encoding}`);
  }
  const all = Object.fromEntries(groups.map(([name, group]) => [name, scaled(group)]));
  all.pose_landmarks = scaled(person.pose_landmarks, [4096, 4096, 4096, 32767]);
  if (all.pose_world_landmarks) {
    all.pose_world_landmarks = withVisibility(all.pose_world_landmarks, all.pose_landmarks);
  }
  return { ...person, ...all };
}

/**
 * Returns an item with everybody's groups decoded.
 * @param {Record<string, any>} item
 */
function everyone(item) {
  const first = decoded(item, item.encoding);
  /** @param {Record<string, any>} person */
  const alike = (person) => decoded(person, item.encoding);
  const others = item.other_people?.map(alike);
  return others ? { ...first, other_people: others } : first;
}

/**
 * Returns the results of a key, one per bucket, with groups of landmarks as Float32Array,
 * also those of other_people (MAX_PEOPLE > 1).
 * @param {string} table
 * @param {string} key
 */
export async function readLandmarks(table, key) {
  const { Items = [] } = await dynamodb.send(new QueryCommand({
    TableName: table,
    KeyConditionExpression: "object_key = :key",
    ExpressionAttributeValues: { ":key": key },
  }));
  return Items.map(everyone);
}
