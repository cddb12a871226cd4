// node print-landmarks.mjs FOLDER TABLE KEY: what the example in FOLDER reads, as one line of JSON;
// a group as the hexadecimal bytes of its numbers, which JavaScript has in double precision.
const [, , folder, table, key] = process.argv;
const { readLandmarks } = await import(`${folder}/read-landmarks.mjs`);

/** @param {Float32Array} value */
const hexadecimal = (value) => Buffer.from(Float64Array.from(value).buffer).toString("hex");
/** @type {(name: string, value: unknown) => unknown} */
const printed = (_, value) => (value instanceof Float32Array ? hexadecimal(value) : value);
console.log(JSON.stringify(await readLandmarks(table, key), printed));
