// Starts the emulators of SQS, S3 and DynamoDB on free loopback ports and prints their URLs as one line of JSON.
// It ends when its standard input does, so that it never outlives the test run that started it.
"use strict";

const dynalite = require("dynalite");
const withTransactions = require("./transactions");

// SQS takes every character of XML, those beyond the basic plane (emoji) among them; fauxqs 1.9.2 refuses these.
async function acceptEveryPlane() {
  const { INVALID_MESSAGE_BODY_CHAR } = await import("../node_modules/fauxqs/dist/sqs/sqsTypes.js");
  INVALID_MESSAGE_BODY_CHAR.compile("[^\\t\\n\\r\\x20-\\uD7FF\\uE000-\\uFFFD\\u{10000}-\\u{10FFFF}]", "u");
}

async function main() {
  await acceptEveryPlane();
  const { buildApp } = await import("fauxqs"); // its own command would listen on every interface
  const queuesAndBodies = buildApp({ logger: false });
  await queuesAndBodies.listen({ host: "127.0.0.1", port: 0 });

  const tables = withTransactions(dynalite, { createTableMs: 0, deleteTableMs: 0 });
  await new Promise((resolve, reject) => tables.once("error", reject).listen(0, "127.0.0.1", resolve));

  const url = (server) => `http://127.0.0.1:${server.address().port}`;
  const aws = url(queuesAndBodies.server);
  process.stdout.write(JSON.stringify({ sqs: aws, s3: aws, dynamodb: url(tables) }) + "\n");
}

process.stdin.on("close", () => process.exit(0)).resume();
main().catch((error) => {
  console.error(error);
  process.exit(1);
});
