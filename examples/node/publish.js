// Hand mails to Postroom over RabbitMQ, from Node with amqplib.
//
//     npm ci
//     node publish.js [--inbox NAME] [--source-id ID] MAIL.eml...
//
// POSTROOM_BROKER_URL names the broker (default amqp://guest:guest@localhost:5672/%2F). Ends with 0 when RabbitMQ
// has taken responsibility for every mail, with 75 ("try again later") when not; what is printed says why.
// Handing the same mail in again is harmless.

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import amqp from "amqplib";

const CLOSE_MS = 2000; // a broker that reads nothing is left without its answer
const TRY_AGAIN = 75; // EX_TEMPFAIL of sysexits.h: mail servers keep the mail and come back
const START = "start Postroom once on this broker, it makes what is missing";
const USAGE = "usage: node publish.js [--inbox NAME] [--source-id ID] MAIL.eml...";

function commandLine() {
  try {
    const { values, positionals } = parseArgs({
      options: { inbox: { type: "string" }, "source-id": { type: "string" } },
      allowPositionals: true,
    });
    if (positionals.length > 0) return { headers: { ...values }, paths: positionals };
  } catch (error) {
    console.error(error.message);
  }
  console.error(USAGE);
  process.exit(2);
}

// Resolves to the message id when RabbitMQ has confirmed the mail: `postroom mails show ID` finds the mail by it.
// `mandatory`: a mail that no queue takes comes back, and its return arrives before its confirm, so both have to be
// looked at.
function publish(channel, returned, raw, headers) {
  const messageId = randomUUID();
  const options = { contentType: "message/rfc822", persistent: true, mandatory: true, messageId, headers };
  return new Promise((resolve, reject) => {
    channel.publish("postroom", "intake", raw, options, (refused) => {
      if (refused) reject(new Error("RabbitMQ refuses the mail for now"));
      else if (returned.delete(messageId))
        reject(new Error(`the exchange 'postroom' has no queue for intake; ${START}`));
      else resolve(messageId);
    });
  });
}

async function publishAll(url, paths, headers) {
  const connection = await amqp.connect(url);
  let broken;
  const failed = new Promise((_, reject) => (broken = reject));
  failed.catch(() => {}); // an error after the last confirm changes nothing
  connection.on("error", broken);
  // RabbitMQ short of memory or disk space confirms nothing, and reads no goodbye either.
  connection.on("blocked", () => broken(new Error("RabbitMQ takes no messages now: it is short of memory or disk space")));
  try {
    const channel = await connection.createConfirmChannel(); // without confirms a mail can be lost unnoticed
    channel.on("error", broken);
    const returned = new Set();
    channel.on("return", (message) => returned.add(message.properties.messageId));
    for (const path of paths) {
      const id = await Promise.race([publish(channel, returned, await readFile(path), headers), failed]);
      console.log(`taken: ${path}  ${id}`);
    }
  } finally {
    await Promise.race([connection.close().catch(() => {}), setTimeout(CLOSE_MS)]);
  }
}

const { headers, paths } = commandLine();
const url = process.env.POSTROOM_BROKER_URL ?? "amqp://guest:guest@localhost:5672/%2F";
try {
  await publishAll(url, paths, headers);
} catch (error) {
  const why = error.code === 404 ? `RabbitMQ has no exchange 'postroom'; ${START}` : error.message || error.code;
  console.error(`not taken: ${why}`);
  process.exitCode = TRY_AGAIN;
}
process.exit();
