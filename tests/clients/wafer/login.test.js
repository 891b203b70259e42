// What each of the packages tells its mini-program of a login, granted or refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { userInfo } from '../wx.js';
import { kept, paths, start, told } from './world.js';

const INVALID = 'this login code is not valid: call wx.login() again';
const UNDECRYPTABLE = 'the encrypted data does not belong to this login: log in, then fetch it again';

test('wafer1 tells the user as wx does, and keeps an id beside the skey', async () => {
    const { sdk, phone } = start('wafer1');
    const user = await told(sdk.login);
    assert.equal(user.nickName, 'alice');
    const { id, skey, userInfo: given } = kept(phone);
    assert.match(id, /^[0-9a-f]{32}$/);
    assert.match(skey, /^[\w-]{43}$/);
    assert.deepEqual(given, user);
    assert.deepEqual(sdk.buildSessionHeader(), { 'X-WX-Id': id, 'X-WX-Skey': skey });
    await told(sdk.login);
    assert.deepEqual(paths(phone), ['/login']);
});

test('wafer1 tells a login that is refused as LoginError, with the reason', async () => {
    const { sdk, phone, at } = start('wafer1');
    const refused = async (act, message) => {
        const error = await act.catch((reason) => reason);
        assert.ok(error instanceof sdk.LoginError);
        const type = sdk.ERR_LOGIN_SESSION_NOT_RECEIVED;
        assert.deepEqual([error.type, error.message], [type, `登录失败(ERR_LOGIN_FAILED)：${message}`]);
        assert.equal(phone.storage.size, 0);
    };
    phone.codes.push('never-issued', 'never-issued-either');
    await refused(told(sdk.login), INVALID);
    await refused(told(sdk.request, { url: at('/orders'), login: true }), INVALID);
    phone.openData.push(await userInfo({ ...phone, user: 'mallory' }));
    await refused(told(sdk.login), UNDECRYPTABLE);
    assert.deepEqual(paths(phone), ['/login', '/login', '/login']);
});

test('wafer2 tells the user as wxgate has opened them', async () => {
    const { sdk, phone } = start('wafer2');
    const user = await told(sdk.login);
    assert.equal(user.nickName, 'alice');
    assert.match(user.openId, /^o.{27}$/);
    assert.deepEqual(kept(phone).userinfo, user);
});

test('wafer2 logs in with the code alone too', async () => {
    const { sdk, phone, at } = start('wafer2');
    assert.deepEqual(await told(sdk.loginWithCode), {});
    const { data } = await told(sdk.request, { url: at('/orders') });
    assert.match(data.headers['x-openid'], /^o.{27}$/);
    assert.deepEqual(paths(phone), ['/login', '/orders']);
});

test('wafer2 tells a login that is refused in its own words, and login() with the reason', async () => {
    const { sdk, phone, at } = start('wafer2');
    const withCode = { message: '用户未登录过，请先使用 login() 登录' };
    const withReason = (message) => ({
        message: `响应错误，${JSON.stringify({ code: -1, error: 'ERR_LOGIN_FAILED', message })}`,
    });
    phone.codes.push('never-issued', 'never-issued-either', 'nor-this-one');
    await assert.rejects(told(sdk.login), withReason(INVALID));
    await assert.rejects(told(sdk.loginWithCode), withCode);
    await assert.rejects(told(sdk.request, { url: at('/orders'), login: true }), withCode);
    phone.openData.push(await userInfo({ ...phone, user: 'mallory' }));
    await assert.rejects(told(sdk.login), withReason(UNDECRYPTABLE));
    assert.equal(phone.storage.size, 0);
});
