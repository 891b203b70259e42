<?php
// The backend's half of the recipe `wxlogin-form`: wxgate tells it of each login, and it says which user that is.
// Serve it under the `path` of `on_login`. It needs PHP 8 with PDO and SQLite 3.35 or later (Debian: php-sqlite3).
declare(strict_types=1);

// Only wxgate can send this header: it takes it out of what clients send. Whoever gets here some other way gets nothing.
if (($_SERVER['HTTP_X_WXGATE_EVENT'] ?? '') !== 'login') {
    http_response_code(404);
    exit;
}

$login = json_decode(file_get_contents('php://input'), true, 64, JSON_THROW_ON_ERROR);
// What WeChat itself says of the user, or null: what a client merely claims never gets here.
$info = $login['userInfo'] ?? [];

$users = new PDO(getenv('USERS_DSN') ?: 'sqlite:/var/lib/shop/users.sqlite');
$users->exec(
    'CREATE TABLE IF NOT EXISTS users (
        id INTEGER PRIMARY KEY,
        app TEXT NOT NULL,
        openid TEXT NOT NULL,
        unionid TEXT,
        nick TEXT,
        avatar TEXT,
        logins INTEGER NOT NULL DEFAULT 1,
        UNIQUE (app, openid)
    )'
);

// One statement, since two logins of one user may come at once. A login without userInfo leaves what is known.
$upsert = $users->prepare(
    'INSERT INTO users (app, openid, unionid, nick, avatar)
    VALUES (:app, :openid, :unionid, :nick, :avatar)
    ON CONFLICT (app, openid) DO UPDATE SET
        unionid = COALESCE(excluded.unionid, unionid),
        nick = COALESCE(excluded.nick, nick),
        avatar = COALESCE(excluded.avatar, avatar),
        logins = logins + 1
    RETURNING id'
);
$upsert->execute([
    'app' => $login['app'],
    'openid' => $login['openid'],
    'unionid' => $login['unionid'],
    'nick' => $info['nickName'] ?? null,
    'avatar' => $info['avatarUrl'] ?? null,
]);

// Later requests carry the id in the header X-User-Id. To turn a user away, answer with http_response_code(403) instead.
header('Content-Type: application/json');
echo json_encode(['user_id' => $upsert->fetchColumn()], JSON_THROW_ON_ERROR);
