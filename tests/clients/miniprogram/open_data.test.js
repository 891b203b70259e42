// Encrypted data: asked for after the session_key is known to hold, and never before a login.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { letSessionsEnd, names, paths, start } from './world.js';

const PROFILE = { url: '/profile', method: 'POST', openData: () => globalThis.wx.getUserProfile({ desc: '会员资料' }) };

/** What WeChat gives for a press of the button; the backend of these tests cannot open data that says `stale`. */
function sealed(text) {
    return { encryptedData: text, iv: 'an iv', rawData: '{}', signature: 'a signature', cloudID: 'a cloud id' };
}

test('without a session, the login comes before the data', async () => {
    const { client, phone } = start();
    phone.openData.push(sealed('fresh'));
    const { data } = await client.request({ ...PROFILE, data: { remark: 'vip' } });
    const { cloudID, ...sent } = sealed('fresh');
    assert.deepEqual(JSON.parse(data.body), { remark: 'vip', ...sent });
    assert.deepEqual(names(phone), ['checkSession', 'login', 'request', 'getUserProfile', 'request']);
});

test('with a session whose key holds, nobody logs in', async () => {
    const { client, phone } = start();
    await client.login();
    phone.calls.length = 0;
    phone.openData.push(sealed('fresh'));
    await client.request(PROFILE);
    assert.deepEqual(names(phone), ['checkSession', 'request', 'getUserProfile', 'request']);
    assert.deepEqual(paths(phone), ['/wx/check', '/profile']);
});

test('with a key that does not hold, the login comes before the data', async () => {
    const { client, phone } = start();
    await client.login();
    phone.calls.length = 0;
    phone.isKeyStale = true;
    phone.openData.push(sealed('fresh'));
    await client.request(PROFILE);
    assert.deepEqual(names(phone), ['checkSession', 'login', 'request', 'getUserProfile', 'request']);
});

test('with a session that has ended at the gateway, the login comes before the data', async () => {
    const { client, phone } = start();
    await client.login();
    await letSessionsEnd();
    phone.calls.length = 0;
    phone.openData.push(sealed('fresh'));
    await client.request(PROFILE);
    assert.deepEqual(paths(phone), ['/wx/check', '/wx/login', '/wx/check', '/profile']);
    assert.deepEqual(names(phone).slice(-2), ['getUserProfile', 'request']);
});

test('after a refusal the data is fetched again after the login, not sent again', async () => {
    const { client, phone } = start();
    phone.openData.push(sealed('stale'), sealed('fresh'));
    const { data } = await client.request(PROFILE);
    assert.equal(JSON.parse(data.body).encryptedData, 'fresh');
    const once = ['login', 'request', 'getUserProfile', 'request'];
    assert.deepEqual(names(phone), ['checkSession', ...once, ...once]);
});

test('data that cannot be opened after a login either ends with the reason', async () => {
    const { client, phone, told } = start();
    phone.openData.push(sealed('stale'), sealed('stale again'), sealed('never asked for'));
    await assert.rejects(client.request(PROFILE), { code: 'data_undecryptable', statusCode: 400 });
    assert.equal(phone.openData.length, 1);
    assert.deepEqual(told, { loginFailed: [], authorizationFailed: ['data_undecryptable'] });
});

test('a user who declines is told by the hook, and nothing is sent', async () => {
    const { client, phone, told } = start();
    const declined = { code: 'authorization_denied', message: 'getUserProfile:fail auth deny' };
    await assert.rejects(client.request(PROFILE), declined);
    assert.deepEqual(told.authorizationFailed, ['authorization_denied']);
    assert.deepEqual(paths(phone), ['/wx/login']);
});

test('the event of a button is data too, and so is one that says no', async () => {
    const { client, phone, told } = start();
    await client.prepare();
    assert.deepEqual(names(phone), ['checkSession', 'login', 'request']);
    const phoneNumber = (detail) => client.request({ url: '/phone', method: 'POST', openData: () => detail });
    const { data } = await phoneNumber({ encryptedData: 'fresh', iv: 'an iv', errMsg: 'getPhoneNumber:ok' });
    assert.deepEqual(JSON.parse(data.body), { encryptedData: 'fresh', iv: 'an iv' });
    const errMsg = 'getPhoneNumber:fail user deny';
    await assert.rejects(phoneNumber({ errMsg }), { code: 'authorization_denied', message: errMsg });
    assert.deepEqual(told.authorizationFailed, ['authorization_denied']);
});

test('data is not fetched when the login before it fails', async () => {
    const { client, phone, told } = start();
    phone.codes.push(new Error('login:fail'));
    phone.openData.push(sealed('fresh'));
    await assert.rejects(client.request(PROFILE), { code: 'wx_login_failed' });
    assert.deepEqual(names(phone), ['checkSession', 'login']);
    assert.deepEqual(told, { loginFailed: ['wx_login_failed'], authorizationFailed: [] });
});
