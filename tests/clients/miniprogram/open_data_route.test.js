// Encrypted data on its way through a route with `open_data`, to a backend that gets it opened. Each login replaces the
// user's key, as it may at WeChat's.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { userInfo } from '../wx.js';
import { letSessionsEnd, names, paths, startGiving } from './world.js';

const PROFILE = {
    url: '/opened/profile',
    method: 'POST',
    openData: () => globalThis.wx.getUserInfo({ withCredentials: true }),
};
/** A request with data that was fetched after a look at the session, and with a login before that. */
const ONCE = ['getUserInfo', 'request'];
const AFTER_LOGIN = ['login', 'request', ...ONCE];

/** Holds that the backend got the data opened, as that of the user whom it is told. */
function isOpened({ statusCode, data }, user) {
    assert.equal(statusCode, 200, JSON.stringify(data));
    const { openData, ...sent } = JSON.parse(data.body);
    assert.equal(openData.nickName, user);
    assert.equal(openData.openId, data.headers['x-openid']);
    return sent;
}

test('data that is fetched after the login reaches the backend opened', async () => {
    const { client, phone } = startGiving('alice');
    const sent = isOpened(await client.request({ ...PROFILE, data: { remark: 'vip', openData: 'forged' } }), 'alice');
    assert.deepEqual(Object.keys(sent), ['remark', 'encryptedData', 'iv', 'rawData', 'signature']);
    assert.deepEqual(names(phone), ['checkSession', ...AFTER_LOGIN]);
    phone.calls.length = 0;
    isOpened(await client.request(PROFILE), 'alice');
    assert.deepEqual(names(phone), ['checkSession', 'request', ...ONCE]);
});

test('data of the key before is opened without a login', async () => {
    const { client, phone } = startGiving('bob');
    await client.login();
    phone.openData.push(await userInfo(phone));
    await client.login();
    phone.calls.length = 0;
    isOpened(await client.request(PROFILE), 'bob');
    assert.deepEqual(paths(phone), ['/wx/check', '/opened/profile']);
});

test('data of an older key is fetched again after a login, and opened, signed or not', async () => {
    const { client, phone, told } = startGiving('carol');
    for (const isSigned of [true, false]) {
        await client.login();
        const { encryptedData, iv, ...signed } = await userInfo(phone);
        phone.openData.push({ encryptedData, iv, ...(isSigned ? signed : {}) });
        await client.login();
        await client.login();
        phone.calls.length = 0;
        isOpened(await client.request(PROFILE), 'carol');
        assert.deepEqual(names(phone), ['checkSession', 'request', ...ONCE, ...AFTER_LOGIN]);
        assert.deepEqual(paths(phone), ['/wx/check', '/opened/profile', '/wx/login', '/opened/profile']);
    }
    assert.deepEqual(told, { loginFailed: [], authorizationFailed: [] });
});

test('what another phone of the user does to the key is mended in the same way', async () => {
    const { client, phone } = startGiving('dave');
    await client.login();
    phone.openData.push(await userInfo(phone));
    const other = startGiving('dave');
    await other.client.login();
    await other.client.login();
    isOpened(await other.client.request(PROFILE), 'dave');
    const answer = client.request({ ...PROFILE, openData: () => phone.openData.shift() || userInfo(phone) });
    isOpened(await answer, 'dave');
});

test('data that is refused after a login either ends with the reason', async () => {
    const { client, phone, told } = startGiving('erin');
    await client.login();
    const { encryptedData, iv, ...signed } = await userInfo(phone);
    await client.login();
    await client.login();
    for (const [stale, code] of [[{ encryptedData, iv }, 'data_undecryptable'], [signed, 'signature_invalid']]) {
        const data = { encryptedData, iv, ...stale };
        phone.openData.push(data, data, data);
        await assert.rejects(client.request(PROFILE), { code, statusCode: 400 });
        assert.equal(phone.openData.splice(0).length, 1);
        assert.equal(told.authorizationFailed.pop(), code);
    }
    assert.deepEqual(told, { loginFailed: [], authorizationFailed: [] });
});

test('a session that has ended is opened before the data is fetched', async () => {
    const { client, phone } = startGiving('frank');
    isOpened(await client.request(PROFILE), 'frank');
    await letSessionsEnd();
    phone.calls.length = 0;
    isOpened(await client.request(PROFILE), 'frank');
    assert.deepEqual(paths(phone), ['/wx/check', '/wx/login', '/wx/check', '/opened/profile']);
});

test('data of somebody else does not open, not even after a login', async () => {
    const { client, phone } = startGiving('grace');
    await client.login();
    const { encryptedData, iv } = await userInfo({ ...phone, user: 'mallory' });
    phone.openData.push({ encryptedData, iv }, { encryptedData, iv });
    phone.calls.length = 0;
    await assert.rejects(client.request(PROFILE), { code: 'data_undecryptable' });
    assert.deepEqual(paths(phone), ['/wx/check', '/opened/profile', '/wx/login', '/opened/profile']);
    isOpened(await client.request(PROFILE), 'grace');
});
