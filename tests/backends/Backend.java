import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;

/**
 * A backend that tells what reached it: {@code java tests/backends/Backend.java PORT}. Port 0 means any free one; the
 * first line of the output says which, and each request is a line after it.
 */
public final class Backend {
    private Backend() {}

    public static void main(String[] args) throws IOException {
        int port = args.length == 1 ? Integer.parseInt(args[0]) : 0;
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        server.createContext("/", Backend::answer);
        server.setExecutor(Executors.newCachedThreadPool());
        server.start();
        System.out.println("listening on " + server.getAddress().getPort());
        System.out.flush();
    }

    private static void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            System.out.println(exchange.getRequestMethod() + " " + exchange.getRequestURI());
            byte[] answer = describe(exchange).getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            boolean isHead = exchange.getRequestMethod().equals("HEAD");
            exchange.sendResponseHeaders(200, isHead ? -1 : answer.length);
            if (!isHead) {
                exchange.getResponseBody().write(answer);
            }
        }
    }

    private static String describe(HttpExchange exchange) throws IOException {
        Headers headers = exchange.getRequestHeaders();
        return object(Map.of(
            "backend", string("java"),
            "method", string(exchange.getRequestMethod()),
            "uri", string(exchange.getRequestURI().toString()),
            "headers", headers(headers),
            "openid", list(headers.getOrDefault("X-OpenId", List.of())),
            "body", body(exchange.getRequestBody())));
    }

    private static String headers(Headers headers) {
        Map<String, String> lists = new TreeMap<>();
        headers.forEach((name, values) -> lists.put(name, list(values)));
        return object(lists);
    }

    private static String body(InputStream stream) throws IOException {
        MessageDigest sha256 = sha256();
        long length = new DigestInputStream(stream, sha256).transferTo(OutputStream.nullOutputStream());
        return object(Map.of(
            "length", Long.toString(length),
            "sha256", string(HexFormat.of().formatHex(sha256.digest()))));
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException missing) {
            throw new IllegalStateException("every Java has SHA-256", missing);
        }
    }

    private static String object(Map<String, String> members) {
        return members.entrySet().stream()
            .map(member -> string(member.getKey()) + ":" + member.getValue())
            .sorted()
            .collect(Collectors.joining(",", "{", "}"));
    }

    private static String list(List<String> texts) {
        return texts.stream().map(Backend::string).collect(Collectors.joining(",", "[", "]"));
    }

    private static String string(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                json.append('\\').append(c);
            } else if (c < 0x20 || c > 0x7e) {
                json.append(String.format("\\u%04x", (int) c));
            } else {
                json.append(c);
            }
        }
        return json.append('"').toString();
    }
}
