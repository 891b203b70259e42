// What requests, uploads and handshakes carry, and where they may go.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { kept, letSessionsEnd, paths, restart, start } from './world.js';

test('a request is what the page asked for, under the session', async () => {
    const { client } = start();
    const header = { 'X-Page': 'cart', 'content-type': 'application/x-www-form-urlencoded' };
    const { data } = await client.request({ url: '/cart', method: 'POST', data: { item: 'a b' }, header });
    assert.deepEqual([data.method, data.target, data.body], ['POST', '/cart', 'item=a+b']);
    assert.equal(data.headers['x-page'], 'cart');
    assert.match(data.headers['x-openid'], /^o.{27}$/);
    assert.equal(data.headers['x-skey'], undefined);
    assert.deepEqual(Object.keys(header), ['X-Page', 'content-type']);
});

test('a refusal is understood in whatever form the page wants its answer', async () => {
    const { client, phone } = start();
    for (const form of [{ responseType: 'arraybuffer' }, { dataType: 'text' }]) {
        await client.login();
        await letSessionsEnd();
        assert.equal((await client.request({ url: '/report', ...form })).statusCode, 200);
    }
    assert.equal(paths(phone).filter((path) => path === '/report').length, 4);
});

test('the task of each attempt is handed out', async () => {
    const { client } = start();
    await client.login();
    await letSessionsEnd();
    const tasks = [];
    await client.request({ url: '/orders', onTask: (task) => tasks.push(task) });
    assert.deepEqual(tasks.map(({ abort }) => typeof abort), ['function', 'function']);
});

test('an skey goes nowhere but to the gateway', async () => {
    const { client, phone } = start();
    await client.login();
    for (const url of ['https://elsewhere.example/', 'orders', '@elsewhere.example/', '.elsewhere.example/']) {
        await assert.rejects(client.request({ url }), TypeError);
        await assert.rejects(client.upload({ url, filePath: '', name: '' }), TypeError);
        await assert.rejects(client.connect({ url }), TypeError);
    }
    assert.deepEqual(new Set(paths(phone)), new Set(['/wx/login', '/wx/check']));
    const host = 'api.example.com';
    for (const base of [host, `https://${host}/`, `https://${host}/v1`, `https://elsewhere@${host}`, '']) {
        assert.throws(() => restart({ base }), TypeError);
    }
    for (const path of [{ login: '.elsewhere.example/' }, { logout: 'logout' }, { check: '@elsewhere.example/' }]) {
        assert.throws(() => restart(path), TypeError);
    }
});

test('an upload carries the file and its fields, and is repeated once after a refusal', async () => {
    const { client, phone } = start();
    await client.login();
    await letSessionsEnd();
    const directory = mkdtempSync(join(tmpdir(), 'wxgate-'));
    const filePath = join(directory, 'photo.txt');
    writeFileSync(filePath, 'the photo itself');
    const answer = await client.upload({ url: '/photos', filePath, name: 'photo', formData: { album: '7' } });
    rmSync(directory, { recursive: true });
    const { headers, body } = JSON.parse(answer.data);
    assert.equal(answer.statusCode, 200);
    assert.match(headers['content-type'], /^multipart\/form-data; boundary=/);
    assert.match(headers['x-openid'], /^o.{27}$/);
    assert.match(body, /name="album"\r\n\r\n7\r\n/);
    assert.match(body, /name="photo"; filename="photo.txt"\r\n\r\nthe photo itself\r\n/);
    assert.deepEqual(paths(phone), ['/wx/login', '/photos', '/wx/login', '/photos']);
});

test('a handshake carries the skey, so that the backend is told who connects', async () => {
    const { client, phone } = start();
    const socket = await client.connect({ url: '/socket?room=7', header: { 'X-Page': 'chat' }, protocols: ['chat'] });
    const { option } = phone.calls.pop();
    assert.match(option.url, /^ws:\/\/127\.0\.0\.1:\d+\/socket\?room=7$/);
    assert.deepEqual(option.header, { 'X-Page': 'chat', 'X-Skey': kept(phone) });
    assert.deepEqual(option.protocols, ['chat']);
    const seen = JSON.parse((await socket.answered).body);
    assert.equal(seen.target, '/socket?room=7');
    assert.match(seen.headers['x-openid'], /^o.{27}$/);
});

test('a session that has ended is opened again before the handshake', async () => {
    const { client, phone } = start();
    await client.login();
    await letSessionsEnd();
    const socket = await client.connect({ url: '/socket' });
    assert.equal((await socket.answered).statusCode, 200);
    assert.deepEqual(paths(phone), ['/wx/login', '/wx/check', '/wx/login', '/wx/check', '/socket']);
});

test('a gateway without a check route is not asked before the handshake', async () => {
    const { client, phone } = start({ check: '' });
    await client.connect({ url: '/socket' });
    await client.connect({ url: '/socket' });
    assert.deepEqual(paths(phone), ['/wx/login', '/socket', '/socket']);
});
