import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** A supplier's system, on java.net.http as it comes (it offers HTTP/2) and Kafka's own client. See ../README.md. */
class SupplierSystem {
    static final ObjectMapper JSON = new ObjectMapper();
    static final long PATIENCE = 300_000;

    final HttpClient http = HttpClient.newHttpClient();
    final KafkaProducer<String, String> producer;
    final KafkaConsumer<String, String> consumer;
    final List<JsonNode> read = new ArrayList<>();
    String token = "";
    String account = "";

    SupplierSystem(String servers) {
        producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", servers, "acks", "all"), new StringSerializer(), new StringSerializer());
        consumer = new KafkaConsumer<>(
                Map.of("bootstrap.servers", servers, "group.id", "java-supplier", "auto.offset.reset", "earliest"),
                new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of("entrepot.orders"));
    }

    public static void main(String[] arguments) throws Exception {
        new SupplierSystem(env("KAFKA_BOOTSTRAP_SERVERS")).work(env("SKU"));
        System.exit(0);
    }

    void work(String sku) throws Exception {
        token = call("POST", "AUTH", "/v1/token", null, env("API_KEY")).get("access_token").asText();
        account = call("GET", "AUTH", "/v1/whoami", null).get("account_id").asText();
        JsonNode channel = call("GET", "AUTH", "/v1/channels", null).get("items").get(0);

        ObjectNode wanted = JSON.createObjectNode().put("name", "Java supplier").put("kind", "supplier");
        String source = call("POST", "COMPLIANCE", "/v1/sources", wanted).get("id").asText();
        ObjectNode attestation = JSON.createObjectNode();
        attestation.put("agreement_version", "2022-09-22").put("attested_by", "the supplier");
        call("PUT", "COMPLIANCE", "/v1/sources/" + source + "/attestation", attestation);

        ObjectNode stock = data().put("sku", sku).put("source_id", source).put("quantity", 7);
        stock.put("as_of", Instant.now().toString());
        stock.putObject("cost").put("amount", "4.50").put("currency", "USD");
        send("entrepot.inventory", "SourceInventoryChanged", stock);
        until("the stock", () -> items("COMPLIANCE", "/v1/sources/" + source + "/inventory"),
                row -> row.get("sku").asText().equals(sku) && row.get("quantity").asInt() == 7);

        ObjectNode figure = data().put("sku", sku).put("channel_id", channel.get("id").asText()).put("quantity", 5);
        figure.put("as_of", Instant.now().toString());
        sendBinary("entrepot.inventory", "InventoryChanged", figure);
        until("the listing", () -> items("LISTINGS", "/v1/listings?sku=" + encoded(sku)),
                row -> row.get("quantity").asInt() == 5);

        ObjectNode operation = JSON.createObjectNode().put("operation", "get_orders");
        operation.put("connection_id", channel.get("connection_id").asText());
        call("POST", "ORDERS", "/v1/operations", operation);
        JsonNode request = event("FulfillmentRequested", one -> one.get("source_id").asText().equals(source));

        send("entrepot.shipments", "ShipmentCreated", parcel(request));
        ObjectNode malformed = parcel(request);
        malformed.remove("items");
        String refused = send("entrepot.shipments", "ShipmentCreated", malformed);
        JsonNode refusal = until("the refusal", () -> items("ORDERS", "/v1/refused-events"),
                one -> one.get("event_id").asText().equals(refused));
        JsonNode confirmed = event("TrackingConfirmed",
                one -> one.get("amazon_order_id").equals(request.get("amazon_order_id")));

        ObjectNode seen = JSON.createObjectNode().put("source_id", source);
        seen.set("requested", request);
        seen.set("confirmed", confirmed);
        seen.set("refusal", refusal);
        System.out.println(seen);
    }

    ObjectNode parcel(JsonNode request) {
        ObjectNode parcel = data().put("shipment_id", UUID.randomUUID().toString());
        for (String name : List.of("selling_partner_id", "amazon_order_id", "source_id")) {
            parcel.set(name, request.get(name));
        }
        parcel.put("carrier", "UPS").put("method", "UPS Ground").put("tracking_number", env("TRACKING_NUMBER"));
        parcel.put("shipped_at", Instant.now().toString());
        ArrayNode items = parcel.putArray("items");
        for (JsonNode line : request.get("lines")) {
            ObjectNode item = items.addObject();
            item.set("order_item_id", line.get("order_item_id"));
            item.set("quantity", line.get("quantity"));
        }
        return parcel;
    }

    ObjectNode data() {
        return JSON.createObjectNode().put("account_id", account);
    }

    /** Structured mode, without a key; the event's id. */
    String send(String topic, String type, ObjectNode data) throws Exception {
        String id = UUID.randomUUID().toString();
        ObjectNode event = JSON.createObjectNode().put("specversion", "1.0").put("id", id);
        event.put("source", "/java/supplier").put("type", type).set("data", data);
        ProducerRecord<String, String> record = new ProducerRecord<>(topic, event.toString());
        record.headers().add("content-type", bytes("application/cloudevents+json"));
        producer.send(record).get();
        return id;
    }

    /** Binary mode, without a key. */
    void sendBinary(String topic, String type, ObjectNode data) throws Exception {
        ProducerRecord<String, String> record = new ProducerRecord<>(topic, data.toString());
        record.headers().add("ce_specversion", bytes("1.0")).add("ce_id", bytes(UUID.randomUUID().toString()));
        record.headers().add("ce_source", bytes("/java/supplier")).add("ce_type", bytes(type));
        record.headers().add("content-type", bytes("application/json"));
        producer.send(record).get();
    }

    JsonNode event(String type, Predicate<JsonNode> wanted) {
        return until(type, () -> {
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
                read.add(parsed(record.value()));
            }
            return read.stream().filter(one -> one.get("type").asText().equals(type)).map(one -> one.get("data")).toList();
        }, wanted);
    }

    JsonNode until(String what, Supplier<List<JsonNode>> look, Predicate<JsonNode> wanted) {
        long ends = System.currentTimeMillis() + PATIENCE;
        while (System.currentTimeMillis() < ends) {
            var found = look.get().stream().filter(wanted).findFirst();
            if (found.isPresent()) {
                return found.get();
            }
            pause();
        }
        throw new IllegalStateException("not seen: " + what);
    }

    List<JsonNode> items(String service, String path) {
        List<JsonNode> items = new ArrayList<>();
        call("GET", service, path, null).get("items").forEach(items::add);
        return items;
    }

    JsonNode call(String method, String service, String path, JsonNode body) {
        return call(method, service, path, body, token);
    }

    JsonNode call(String method, String service, String path, JsonNode body, String bearer) {
        var content = body == null
                ? HttpRequest.BodyPublishers.noBody()
                : HttpRequest.BodyPublishers.ofString(body.toString());
        var request = HttpRequest.newBuilder(URI.create(env(service + "_URL") + path)).method(method, content)
                .header("Authorization", "Bearer " + bearer).header("Content-Type", "application/json").build();
        try {
            var answer = http.send(request, HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() >= 300) {
                throw new IllegalStateException(method + " " + path + ": " + answer.statusCode() + " " + answer.body());
            }
            return parsed(answer.body());
        } catch (java.io.IOException | InterruptedException broken) {
            throw new IllegalStateException(method + " " + path + ": " + broken, broken);
        }
    }

    static JsonNode parsed(String text) {
        try {
            return JSON.readTree(text);
        } catch (com.fasterxml.jackson.core.JsonProcessingException broken) {
            throw new IllegalStateException(broken);
        }
    }

    static void pause() {
        try {
            Thread.sleep(200);
        } catch (InterruptedException stopped) {
            throw new IllegalStateException(stopped);
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    static String env(String name) {
        return System.getenv(name);
    }
}
