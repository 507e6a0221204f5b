import java.util.Comparator;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;

/**
 * Prints what a group has committed, one JSON object a line: topic, partition, offset, metadata. It is Kafka's own
 * client, so that what the runtime's client committed is read by another.
 */
final class Committed {
  public static void main(String[] args) throws Exception {
    if (args.length != 2) {
      System.err.println("usage: Committed BOOTSTRAP GROUP");
      System.exit(2);
    }
    var properties = new Properties();
    properties.put(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    try (var admin = Admin.create(properties)) {
      var offsets = admin.listConsumerGroupOffsets(args[1]).partitionsToOffsetAndMetadata().get(30, TimeUnit.SECONDS);
      offsets.entrySet().stream()
          .filter(e -> e.getValue() != null)
          .sorted(Comparator.comparing(e -> e.getKey().toString()))
          .map(e -> line(e.getKey().topic(), e.getKey().partition(), e.getValue().offset(), e.getValue().metadata()))
          .forEach(System.out::println);
    }
  }

  private static String line(String topic, int partition, long offset, String metadata) {
    return "{\"topic\":%s,\"partition\":%d,\"offset\":%d,\"metadata\":%s}"
        .formatted(quoted(topic), partition, offset, quoted(metadata));
  }

  private static String quoted(String text) {
    var out = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < ' ') {
        out.append("\\u%04x".formatted((int) c));
      } else {
        out.append(c);
      }
    }
    return out.append('"').toString();
  }
}
