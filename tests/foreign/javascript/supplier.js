// A supplier's system, on fetch as Node.js has it and kafkajs. See ../README.md.
import { randomUUID } from "node:crypto";
import { Kafka, logLevel } from "kafkajs";

const PATIENCE = 300_000;
const { env } = process;
const kafka = new Kafka({ brokers: [env.KAFKA_BOOTSTRAP_SERVERS], logLevel: logLevel.NOTHING });
const producer = kafka.producer();
const consumer = kafka.consumer({ groupId: "javascript-supplier" });
const read = [];
let bearer = env.API_KEY;

async function call(method, service, path, body) {
  const answer = await fetch(env[`${service}_URL`] + path, {
    method,
    headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

async function until(what, look, wanted) {
  const ends = Date.now() + PATIENCE;
  while (Date.now() < ends) {
    const found = (await look()).find(wanted);
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`not seen: ${what}`);
}

const items = (service, path) => async () => (await call("GET", service, path)).items;
const event = (type, wanted) =>
  until(type, () => read.filter((one) => one.type === type).map((one) => one.data), wanted);

/** Structured mode, without a key; the event's id. */
async function send(topic, type, data) {
  const id = randomUUID();
  const value = JSON.stringify({ specversion: "1.0", id, source: "/javascript/supplier", type, data });
  await producer.send({ topic, messages: [{ value, headers: { "content-type": "application/cloudevents+json" } }] });
  return id;
}

/** Binary mode, without a key. */
async function sendBinary(topic, type, data) {
  const attributes = { ce_specversion: "1.0", ce_id: randomUUID(), ce_source: "/javascript/supplier", ce_type: type };
  const headers = { ...attributes, "content-type": "application/json" };
  await producer.send({ topic, messages: [{ value: JSON.stringify(data), headers }] });
}

const now = () => new Date().toISOString();

async function work(sku) {
  bearer = (await call("POST", "AUTH", "/v1/token")).access_token;
  const { account_id } = await call("GET", "AUTH", "/v1/whoami");
  const [channel] = await items("AUTH", "/v1/channels")();

  const source = await call("POST", "COMPLIANCE", "/v1/sources", { name: "JavaScript supplier", kind: "supplier" });
  const attestation = { agreement_version: "2022-09-22", attested_by: "the supplier" };
  await call("PUT", "COMPLIANCE", `/v1/sources/${source.id}/attestation`, attestation);

  const cost = { amount: "4.50", currency: "USD" };
  const stock = { account_id, sku, source_id: source.id, quantity: 7, cost, as_of: now() };
  await send("entrepot.inventory", "SourceInventoryChanged", stock);
  await until(
    "the stock",
    items("COMPLIANCE", `/v1/sources/${source.id}/inventory`),
    (row) => row.sku === sku && row.quantity === 7,
  );

  const figure = { account_id, sku, channel_id: channel.id, quantity: 5, as_of: now() };
  await sendBinary("entrepot.inventory", "InventoryChanged", figure);
  await until(
    "the listing",
    items("LISTINGS", `/v1/listings?sku=${encodeURIComponent(sku)}`),
    (row) => row.quantity === 5,
  );

  const operation = { operation: "get_orders", connection_id: channel.connection_id };
  await call("POST", "ORDERS", "/v1/operations", operation);
  const requested = await event("FulfillmentRequested", (one) => one.source_id === source.id);

  const { selling_partner_id, amazon_order_id, lines } = requested;
  const parcel = () => ({
    account_id,
    selling_partner_id,
    amazon_order_id,
    source_id: source.id,
    shipment_id: randomUUID(),
    carrier: "UPS",
    method: "UPS Ground",
    tracking_number: env.TRACKING_NUMBER,
    shipped_at: now(),
    items: lines.map(({ order_item_id, quantity }) => ({ order_item_id, quantity })),
  });
  await send("entrepot.shipments", "ShipmentCreated", parcel());
  const { items: _, ...malformed } = parcel();
  const refused = await send("entrepot.shipments", "ShipmentCreated", malformed);
  const refusal = await until(
    "the refusal",
    items("ORDERS", "/v1/refused-events"),
    (one) => one.event_id === refused,
  );
  const confirmed = await event("TrackingConfirmed", (one) => one.amazon_order_id === amazon_order_id);
  console.log(JSON.stringify({ source_id: source.id, requested, confirmed, refusal }));
}

await producer.connect();
await consumer.connect();
await consumer.subscribe({ topics: ["entrepot.orders"], fromBeginning: true });
await consumer.run({ eachMessage: async ({ message }) => void read.push(JSON.parse(message.value.toString())) });
await work(env.SKU);
process.exit(0);
