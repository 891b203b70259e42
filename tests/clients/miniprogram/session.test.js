// One login at a time, silent logins, and what happens when they fail.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { kept, letSessionsEnd, logins, names, paths, restart, start, usedCode } from './world.js';

const TEN = Array.from({ length: 10 }, (_, number) => number);
const CODES_THAT_NOBODY_ISSUED = ['never-issued', 'never-issued-either'];

test('ten requests at once without a session share one login', async () => {
    const { client, phone, told } = start();
    const before = await logins();
    const answers = await Promise.all(TEN.map((number) => client.request({ url: '/orders', data: { number } })));
    assert.deepEqual(answers.map(({ statusCode }) => statusCode), TEN.map(() => 200));
    assert.deepEqual(answers.map(({ data }) => data.target), TEN.map((number) => `/orders?number=${number}`));
    assert.equal(new Set(answers.map(({ data }) => data.headers['x-openid'])).size, 1);
    assert.equal(await logins() - before, 1);
    assert.equal(names(phone).filter((name) => name === 'login').length, 1);
    assert.deepEqual(told, { loginFailed: [], authorizationFailed: [] });
});

test('whoever logs in while a login goes on waits for the same one, and a later login is another', async () => {
    const { client, phone } = start();
    await Promise.all([client.login(), client.login(), client.request({ url: '/orders' })]);
    const first = kept(phone);
    assert.deepEqual(paths(phone), ['/wx/login', '/orders']);
    await client.login();
    assert.notEqual(kept(phone), first);
});

test('a session that has ended is opened again in silence, and each request repeated once', async () => {
    const { client, phone, told } = start();
    await client.request({ url: '/first' });
    await letSessionsEnd();
    const answer = await client.request({ url: '/second', method: 'POST', data: { item: '茶' } });
    assert.equal(answer.data.body, '{"item":"茶"}');
    assert.deepEqual(paths(phone), ['/wx/login', '/first', '/second', '/wx/login', '/second']);
    assert.deepEqual(told, { loginFailed: [], authorizationFailed: [] });
});

test('ten requests that are all refused share one login too', async () => {
    const { client, phone } = start();
    await client.login();
    await letSessionsEnd();
    const before = await logins();
    const answers = await Promise.all(TEN.map(() => client.request({ url: '/orders' })));
    assert.deepEqual(answers.map(({ statusCode }) => statusCode), TEN.map(() => 200));
    assert.equal(await logins() - before, 1);
    assert.equal(paths(phone).filter((path) => path === '/orders').length, 20);
});

test('a refusal that arrives after another request has logged in takes the new skey', async () => {
    const { client, phone } = start();
    await client.login();
    await letSessionsEnd();
    const { request } = globalThis.wx;
    let letGo;
    const held = new Promise((open) => {
        letGo = open;
    });
    globalThis.wx.request = (option) => {
        const isLate = option.url.endsWith('/late');
        return request({ ...option, success: async (answer) => option.success((isLate && await held, answer)) });
    };
    const late = client.request({ url: '/late' });
    assert.equal((await client.request({ url: '/early' })).statusCode, 200);
    letGo();
    assert.equal((await late).statusCode, 200);
    assert.equal(paths(phone).filter((path) => path === '/wx/login').length, 2);
});

test('a refusal that a fresh login does not mend ends with its reason, not in a loop', async () => {
    const { client, phone, told } = start();
    const refused = client.request({ url: '/elsewhere/orders' });
    await assert.rejects(refused, { name: 'WxgateError', code: 'session_invalid', statusCode: 401 });
    assert.deepEqual(paths(phone), ['/wx/login', '/elsewhere/orders', '/wx/login', '/elsewhere/orders']);
    assert.deepEqual(told, { loginFailed: [], authorizationFailed: ['session_invalid'] });
    assert.equal((await client.request({ url: '/orders' })).statusCode, 200);
});

test('a session that made way for one elsewhere is forgotten and told, and no login takes it back by itself', async () => {
    const { client, phone, told } = start();
    assert.equal((await client.request({ url: '/orders' })).statusCode, 200);
    const { request } = globalThis.wx;
    const message = 'logged in elsewhere';
    globalThis.wx.request = ({ success }) => success({ statusCode: 401, data: { error: 'session_replaced', message } });
    await assert.rejects(client.request({ url: '/orders' }), { code: 'session_replaced', statusCode: 401, message });
    assert.deepEqual(told.authorizationFailed, ['session_replaced']);
    assert.equal(phone.storage.size, 0);
    globalThis.wx.request = request;
    assert.equal((await client.request({ url: '/orders' })).statusCode, 200);
    assert.equal(paths(phone).filter((path) => path === '/wx/login').length, 2);
});

test('refusals of other kinds and answers of the backend are answers', async () => {
    const { client, phone } = start();
    const answers = await Promise.all([
        client.request({ url: '/open//twice' }),
        client.request({ url: '/open/answers?status=404' }),
        client.request({ url: '/open/answers?status=401' }),
    ]);
    assert.deepEqual(answers.map(({ statusCode }) => statusCode), [400, 404, 401]);
    assert.deepEqual(answers.map(({ data }) => data.error), ['bad_request', undefined, undefined]);
    assert.equal(paths(phone).filter((path) => path === '/wx/login').length, 1);
});

test('a failed login rejects everyone who waits for it with its reason, and tells the hook once', async () => {
    const { client, phone, told } = start();
    phone.codes.push(...CODES_THAT_NOBODY_ISSUED);
    const ended = await Promise.allSettled(TEN.map(() => client.request({ url: '/orders' })));
    assert.deepEqual(ended.map(({ reason }) => reason.code), TEN.map(() => 'login_code_invalid'));
    assert.ok(ended.every(({ reason }) => reason.statusCode === 401 && reason.requestId));
    assert.deepEqual(told.loginFailed, ['login_code_invalid']);
    assert.deepEqual(paths(phone), ['/wx/login', '/wx/login']);
    assert.equal((await client.request({ url: '/orders' })).statusCode, 200);
});

test('a login that has to wait says how long', async () => {
    const { client } = start({ login: '/open/answers?status=429&error=login_rate_limited' });
    await assert.rejects(client.login(), { code: 'login_rate_limited', statusCode: 429, retryAfter: 60 });
});

test('an answer to a login without an skey is a failed login', async () => {
    const { client, phone, told } = start({ login: '/open/answers?status=200' });
    await assert.rejects(client.login(), { code: 'login_failed', statusCode: 200 });
    assert.deepEqual(told.loginFailed, ['login_failed']);
    assert.equal(phone.storage.size, 0);
});

test('a phone that gives no code, or has no network, fails a login with what it says', async () => {
    const { client, phone, told } = start();
    phone.codes.push(new Error('login:fail timeout'));
    await assert.rejects(client.login(), { code: 'wx_login_failed', message: 'login:fail timeout' });
    phone.codes.push('');
    await assert.rejects(client.login(), { code: 'wx_login_failed', message: 'login:ok' });
    const alone = restart({ base: 'http://127.0.0.1:1' }, told);
    await assert.rejects(alone.login(), { code: 'network_failed', statusCode: 0 });
    assert.deepEqual(told.loginFailed, ['wx_login_failed', 'wx_login_failed', 'network_failed']);
});

test('a code that is used is replaced by a fresh one, once', async () => {
    const { client, phone, told } = start();
    phone.codes.push(await usedCode());
    await client.login();
    assert.deepEqual(names(phone), ['login', 'request', 'login', 'request']);
    phone.codes.push(await usedCode(), await usedCode());
    await assert.rejects(client.login(), { code: 'login_code_used' });
    assert.deepEqual(told.loginFailed, ['login_code_used']);
});

test('a hook that throws does not hide the reason', async (context) => {
    const shown = context.mock.method(console, 'error', () => {});
    const onLoginFailed = () => {
        throw new Error('no page is open');
    };
    const { client, phone } = start({ onLoginFailed });
    phone.codes.push(...CODES_THAT_NOBODY_ISSUED);
    await assert.rejects(client.login(), { code: 'login_code_invalid' });
    assert.equal(shown.mock.callCount(), 1);
});

test('the skey survives a new start of the mini-program', async () => {
    const { client, phone } = start();
    await client.login();
    assert.equal((await restart().request({ url: '/orders' })).statusCode, 200);
    assert.deepEqual(paths(phone), ['/wx/login', '/orders']);
});

test('an skey that is kept for one gateway is not sent to another', async () => {
    const { client, phone } = start();
    await client.login();
    const other = restart({ base: 'http://127.0.0.1:1' });
    await assert.rejects(other.request({ url: '/orders' }), { code: 'network_failed' });
    assert.equal(phone.calls.pop().option.url, 'http://127.0.0.1:1/wx/login');
});

test('storage that was cleared costs one login at the next start, and none before', async () => {
    const { client, phone } = start();
    await client.login();
    phone.storage.clear();
    await client.request({ url: '/still' });
    await restart().request({ url: '/next' });
    assert.deepEqual(paths(phone), ['/wx/login', '/still', '/wx/login', '/next']);
    [...phone.storage.keys()].forEach((key) => phone.storage.set(key, '{"not":"an skey"}'));
    await restart().request({ url: '/last' });
    assert.deepEqual(paths(phone).slice(-2), ['/wx/login', '/last']);
});

test('storage that is full or broken keeps nobody from working', async (context) => {
    const shown = context.mock.method(console, 'warn', () => {});
    const { phone } = start();
    phone.isStorageBroken = true;
    const client = restart();
    await client.request({ url: '/orders' });
    await client.request({ url: '/orders' });
    await client.logout();
    assert.deepEqual(paths(phone), ['/wx/login', '/orders', '/orders', '/wx/logout']);
    assert.ok(shown.mock.callCount() > 0);
});

test('a logout ends the session at the gateway and on the phone, and the next request logs in', async () => {
    const { client, phone } = start();
    await client.login();
    const skey = kept(phone);
    await client.logout();
    assert.equal(phone.storage.size, 0);
    const old = await new Promise((success, fail) => {
        const url = phone.calls[1].option.url.replace('/wx/login', '/orders');
        globalThis.wx.request({ url, header: { 'X-Skey': skey }, success, fail });
    });
    assert.deepEqual([old.statusCode, old.data.error], [401, 'session_invalid']);
    assert.equal((await client.request({ url: '/orders' })).statusCode, 200);
    assert.notEqual(kept(phone), skey);
});

test('a logout during a login ends the session that it brings; one without a session asks nobody', async () => {
    const { client, phone } = start();
    await client.logout();
    assert.deepEqual(names(phone), []);
    await Promise.all([client.login(), client.logout()]);
    assert.deepEqual(paths(phone), ['/wx/login', '/wx/logout']);
    assert.equal(phone.storage.size, 0);
});
