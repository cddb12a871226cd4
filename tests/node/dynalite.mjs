// An embedded DynamoDB on a free port of the loopback interface. Prints the port, and ends when
// its standard input does: with whoever started it.
import dynalite from "dynalite";

const server = dynalite({ createTableMs: 0, deleteTableMs: 0 });
server.listen(0, "127.0.0.1", () => {
  const { port } = /** @type {import("node:net").AddressInfo} as it has a port */ (server.address());
  console.log(port);
});
process.stdin.on("end", () => process.exit()).resume();
