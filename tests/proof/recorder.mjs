// Writes down what Node's server is asked, one JSON object a line: `recorder.mjs PORT FILE`.
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";

const [port, file] = process.argv.slice(2);

const server = createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const fields = [];
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      fields.push([request.rawHeaders[at].toLowerCase(), request.rawHeaders[at + 1]]);
    }
    const body = Buffer.concat(pieces).toString("hex");
    appendFileSync(file, `${JSON.stringify({ method: request.method, target: request.url, fields, body })}\n`);
    response.setHeader("Content-Length", 2);
    response.end("ok");
  });
});
server.listen(Number(port), "127.0.0.1");
