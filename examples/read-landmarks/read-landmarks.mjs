import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, QueryCommand } from "@aws-sdk/lib-dynamodb";

const dynamodb = DynamoDBDocumentClient.from(new DynamoDBClient());

/** The results of a key, one for each bucket that has it; groups of landmarks as Float32Array. */
export async function readLandmarks(table, key) {
  const { Items } = await dynamodb.send(new QueryCommand({
    TableName: table,
    KeyConditionExpression: "object_key = :key",
    ExpressionAttributeValues: { ":key": key },
  }));
  // The bytes of a group are a slice of a larger buffer: its offset matters.
  const numbers = (b) => new Float32Array(b.buffer, b.byteOffset, b.byteLength / 4);
  return Items.map((item) => Object.fromEntries(Object.entries(item).map(
    ([name, value]) => [name, value instanceof Uint8Array ? numbers(value) : value])));
}
