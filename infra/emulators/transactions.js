// Adds TransactWriteItems to dynalite 4.0.0, which has no transactions. It knows Put, Delete and ConditionCheck; an Update
// is refused. As in DynamoDB, all conditions are checked before anything is written, a repeat of a client request token
// that succeeded does nothing, and one item may be in a transaction once.
"use strict";

const db = require("dynalite/db");
const validations = require("dynalite/validations");

const kinds = {
  Put: { ...require("dynalite/validations/putItem"), key: (table, op) => db.createKey(op.Item, table) },
  Delete: { ...require("dynalite/validations/deleteItem"), key: (table, op) => db.createKey(op.Key, table) },
};
kinds.ConditionCheck = kinds.Delete;

const maxOperations = 100;

// promised calls a function that takes a callback at its end.
const promised = (f, ...args) => new Promise((resolve, reject) => f(...args, (error, value) => (error ? reject(error) : resolve(value))));

const failure = (type, message, more) =>
  Object.assign(new Error(message), { statusCode: 400, body: { __type: `com.amazonaws.dynamodb.v20120810#${type}`, message, ...more } });

// operation returns one checked operation of a transaction.
async function operation(store, entry) {
  const [kind] = Object.keys(entry);
  const { types, custom, key } = kinds[kind] ?? {};
  if (!types) throw failure("ValidationException", `this emulator has no ${kind} in transactions`);
  const data = validations.checkTypes(entry[kind], types);
  validations.checkValidations(data, types, custom, store);
  const table = await promised(store.getTable, data.TableName);
  const invalid = kind === "Put" ? db.validateItem(data.Item, table) : db.validateKey(data.Key, table);
  if (invalid) throw invalid;
  return { kind, data, table, key: key(table, data), items: store.getItemDb(data.TableName) };
}

async function read({ items, key }) {
  try {
    return await promised(items.get.bind(items), key);
  } catch (error) {
    if (error.name === "NotFoundError") return undefined;
    throw error;
  }
}

async function write(store, op, before) {
  if (op.kind === "ConditionCheck") return;
  const after = op.kind === "Put" ? op.data.Item : null;
  await promised(db.updateIndexes, store, op.table, before, after);
  await (after ? promised(op.items.put.bind(op.items), op.key, after) : promised(op.items.del.bind(op.items), op.key));
}

async function apply(store, operations) {
  const before = await Promise.all(operations.map(read));
  const failed = operations.map((op, i) => db.checkConditional(op.data, before[i]));
  if (failed.some(Boolean)) {
    const CancellationReasons = failed.map((error) =>
      error ? { Code: "ConditionalCheckFailed", Message: "The conditional request failed" } : { Code: "None" });
    throw failure("TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons [" +
      CancellationReasons.map((reason) => reason.Code).join(", ") + "]", { CancellationReasons });
  }
  for (const [i, op] of operations.entries()) await write(store, op, before[i]);
}

async function transact(store, done, { TransactItems: entries = [], ClientRequestToken: token }) {
  if (entries.length < 1 || entries.length > maxOperations) throw failure("ValidationException", "1 to 100 operations");
  const operations = await Promise.all(entries.map((entry) => operation(store, entry)));
  const keys = operations.map((op) => op.key);
  if (new Set(keys).size < keys.length) {
    throw failure("ValidationException", "Transaction request cannot include multiple operations on one item");
  }
  await new Promise((resolve, reject) =>
    operations[0].items.lock(keys, (release) => {
      const free = release(() => {});
      const run = token && done.has(token) ? Promise.resolve() : apply(store, operations);
      run.then(() => token && done.add(token)).then(resolve, reject).finally(free);
    }));
  return {};
}

function body(request) {
  return new Promise((resolve, reject) => {
    const parts = [];
    request.on("data", (part) => parts.push(part)).on("error", reject);
    request.on("end", () => resolve(JSON.parse(Buffer.concat(parts).toString())));
  });
}

// withTransactions makes a dynalite server of options answer TransactWriteItems too.
module.exports = function withTransactions(dynalite, options) {
  let store;
  const { create } = db;
  db.create = (...args) => (store = create(...args));
  const server = dynalite(options);
  db.create = create;
  const [others] = server.listeners("request");
  server.removeAllListeners("request");
  const done = new Set();
  server.on("request", async (request, response) => {
    if (!(request.headers["x-amz-target"] ?? "").endsWith(".TransactWriteItems")) return others(request, response);
    let status = 200, answer;
    try {
      answer = await transact(store, done, await body(request));
    } catch (error) {
      status = error.statusCode ?? 500;
      answer = error.body ?? { __type: "InternalServerError", message: String(error) };
    }
    response.writeHead(status, { "content-type": "application/x-amz-json-1.0" }).end(JSON.stringify(answer));
  });
  return server;
};
