// node print-landmarks.mjs FOLDER TABLE KEY: what the example in FOLDER reads, as one line of JSON;
// a group as the hexadecimal bytes of its numbers, which JavaScript has in double precision.
const [, , folder, table, key] = process.argv;
const { readLandmarks } = await import(`${folder}/read-landmarks.mjs`);

const hexadecimal = (value) => Buffer.from(Float64Array.from(value).buffer).toString("hex");
const printed = (_, value) => (value instanceof Float32Array ? hexadecimal(value) : value);
console.log(JSON.stringify(await readLandmarks(table, key), printed));
