// Starts the emulators of SQS, SNS, S3, DynamoDB and Kinesis on free loopback ports and prints their URLs as one line of JSON.
// It ends when its standard input does, so that it never outlives the test run that started it.
"use strict";

const dynalite = require("dynalite");
const kinesalite = require("kinesalite");
const withTransactions = require("./transactions");

// SQS takes every character of XML, those beyond the basic plane (emoji) among them; fauxqs 1.9.2 refuses these.
async function acceptEveryPlane() {
  const { INVALID_MESSAGE_BODY_CHAR } = await import("../node_modules/fauxqs/dist/sqs/sqsTypes.js");
  INVALID_MESSAGE_BODY_CHAR.compile("[^\\t\\n\\r\\x20-\\uD7FF\\uE000-\\uFFFD\\u{10000}-\\u{10FFFF}]", "u");
}

// SQS knows a queue by the path of its URL, whatever the host; fauxqs 1.9.2 compares the whole URL.
async function findQueuesByPath() {
  const { SqsStore } = await import("../node_modules/fauxqs/dist/sqs/sqsStore.js");
  SqsStore.prototype.getQueue = function getQueue(url) {
    return this.queues.get(url) ?? this.queuesByName.get(url.slice(url.lastIndexOf("/") + 1));
  };
}

async function main() {
  await acceptEveryPlane();
  await findQueuesByPath();
  const { buildApp } = await import("fauxqs"); // its own command would listen on every interface
  const queuesAndBodies = buildApp({ logger: false });
  await queuesAndBodies.listen({ host: "127.0.0.1", port: 0 });

  const tables = withTransactions(dynalite, { createTableMs: 0, deleteTableMs: 0 });
  await new Promise((resolve, reject) => tables.once("error", reject).listen(0, "127.0.0.1", resolve));

  const streams = kinesalite({ createStreamMs: 0 });
  await new Promise((resolve, reject) => streams.once("error", reject).listen(0, "127.0.0.1", resolve));

  const url = (server) => `http://127.0.0.1:${server.address().port}`;
  const aws = url(queuesAndBodies.server);
  process.stdout.write(JSON.stringify({ sqs: aws, s3: aws, dynamodb: url(tables), kinesis: url(streams) }) + "\n");
}

process.stdin.on("close", () => process.exit(0)).resume();
main().catch((error) => {
  console.error(error);
  process.exit(1);
});
