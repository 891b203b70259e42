<?php
// A backend that tells what reached it: a router script for `php -S 127.0.0.1:PORT tests/backends/index.php`.
// It reads the openid as a legacy PHP application does, so that what fools PHP shows in its answer.
// Each request is a line on stdout, too.
// PHP keeps multipart bodies from php://input unless it is started with `-d enable_post_data_reading=0`.
declare(strict_types=1);

$headers = array_filter(
    $_SERVER,
    static fn (string $name): bool => str_starts_with($name, 'HTTP_'),
    ARRAY_FILTER_USE_KEY,
);
$body = file_get_contents('php://input');

file_put_contents('php://stdout', "{$_SERVER['REQUEST_METHOD']} {$_SERVER['REQUEST_URI']}\n");
header('Content-Type: application/json');
echo json_encode(
    [
        'backend' => 'php',
        'method' => $_SERVER['REQUEST_METHOD'],
        'uri' => $_SERVER['REQUEST_URI'],
        'headers' => (object) $headers,
        'openid' => $_SERVER['HTTP_X_OPENID'] ?? null,
        'body' => ['length' => strlen($body), 'sha256' => hash('sha256', $body)],
    ],
    JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE,
);
