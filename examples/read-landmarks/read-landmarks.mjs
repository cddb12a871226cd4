import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, QueryCommand } from "@aws-sdk/lib-dynamodb";

const dynamodb = DynamoDBDocumentClient.from(new DynamoDBClient());

/** @typedef {{ x: number, y: number, z: number, visibility?: number }} Landmark */

/**
 * With LANDMARK_ENCODING=binary, the bytes are a slice of a larger buffer: the offset matters.
 * With LANDMARK_ENCODING=maps, a list of { x, y, z, visibility }; only the pose has visibility.
 * @param {Uint8Array | Landmark[]} group
 */
const numbers = (group) => group instanceof Uint8Array
  ? new Float32Array(group.buffer, group.byteOffset, group.byteLength / 4)
  : Float32Array.from(group.flatMap(({ x, y, z, ...more }) => [x, y, z, ...Object.values(more)]));

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
  return Items.map((item) => Object.fromEntries(Object.entries(item).map(
    ([name, value]) => [name, name.endsWith("_landmarks") ? numbers(value) : value])));
}
