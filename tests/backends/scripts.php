<?php
// An application whose answers a test asks for: `do` says which. It is the one script that php-fpm is told to run.
declare(strict_types=1);

$given = static fn (string $name, string $usual = ''): string => (string) ($_GET[$name] ?? $usual);
switch ($given('do')) {
    case 'bytes':
        for ($left = (int) $given('count'); $left > 0; $left -= 1000) {
            echo str_repeat('x', min(1000, $left));
        }
        break;
    case 'length':
        header('Content-Length: ' . $given('told'));
        echo str_repeat('x', (int) $given('count'));
        break;
    case 'status':
        http_response_code((int) $given('status'));
        echo 'said';
        break;
    case 'location':
        header('Location: ' . $given('to'));
        break;
    case 'headers':
        header('Set-Cookie: a=1');
        header('Set-Cookie: b=2', false);
        header('X-OpenId: from-the-script');
        header('X_Unionid: from-the-script');
        header('Connection: keep-alive, X-Private');
        header('X-Private: 1');
        header('X-Kept: yes');
        break;
    case 'complain':
        error_log("something\x1b[31m is wrong\nreally wrong");
        echo 'done';
        break;
    case 'complain-much':
        error_log(str_repeat('w', 100000));
        echo 'done';
        break;
    case 'fail':
        throw new RuntimeException('nothing works');
    case 'die':
        if ($given('after') !== '') {
            echo $given('after');
            flush();
        }
        exec('kill -9 ' . getmypid());
        break;
    default:
        header('Content-Type: application/json');
        $told = $_SERVER;
        unset($told['argv'], $told['argc']);
        echo json_encode($told, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
}
