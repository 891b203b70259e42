// What both packages do with a session, unchanged: log in, call, be refused in time, log in again and repeat the call.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { kept, letSessionsEnd, paths, start, told } from './world.js';

const TEN = Array.from({ length: 10 }, (_, number) => number);

for (const dialect of ['wafer1', 'wafer2']) {
    test(`${dialect} logs in and calls, and the backend sees who it is and nothing else of it`, async () => {
        const { sdk, phone, at } = start(dialect);
        const { statusCode, data } = await told(sdk.request, { url: at('/orders?page=1'), login: true });
        assert.deepEqual([statusCode, data.target], [200, `/${dialect}/orders?page=1`]);
        assert.match(data.headers['x-openid'], /^o.{27}$/);
        const { skey } = kept(phone);
        assert.match(skey, /^[\w-]{43}$/);
        assert.doesNotMatch(JSON.stringify(data), new RegExp(skey));
        assert.deepEqual(Object.keys(data.headers).filter((name) => name.startsWith('x-wx')), []);
        assert.deepEqual(paths(phone), ['/login', '/orders']);
    });

    test(`${dialect} logs in by itself when it has no session, and sends the call again`, async () => {
        const { sdk, phone, at } = start(dialect);
        const order = { url: at('/orders'), method: 'POST', data: { item: '茶' } };
        const { data } = await told(sdk.request, order);
        assert.equal(data.body, '{"item":"茶"}');
        assert.deepEqual(paths(phone), ['/orders', '/login', '/orders']);
    });

    test(`${dialect} logs in again when its session has ended, and sends the call again`, async () => {
        const { sdk, phone, at } = start(dialect);
        const call = { url: at('/orders') };
        const before = await told(sdk.request, { ...call, login: true });
        const first = kept(phone);
        await letSessionsEnd();
        phone.calls.length = 0;
        const after = await told(sdk.request, call);
        assert.equal(after.data.headers['x-openid'], before.data.headers['x-openid']);
        assert.deepEqual(paths(phone), ['/orders', '/login', '/orders']);
        assert.notEqual(kept(phone).skey, first.skey);
        await told(sdk.request, call);
        assert.deepEqual(paths(phone), ['/orders', '/login', '/orders', '/orders']);
    });

    test(`${dialect} calls ten times at once, without a session and with one that has ended`, async () => {
        const { sdk, phone, at } = start(dialect);
        const all = () => Promise.all(TEN.map((number) => told(sdk.request, { url: at(`/orders/${number}`) })));
        const users = new Set();
        const holds = (answers) => {
            assert.deepEqual(answers.map(({ data }) => data.target), TEN.map((number) => `/${dialect}/orders/${number}`));
            answers.forEach(({ data }) => users.add(data.headers['x-openid']));
        };
        holds(await all());
        await letSessionsEnd();
        holds(await all());
        assert.equal(users.size, 1);
        phone.calls.length = 0;
        holds(await all());
        assert.deepEqual(paths(phone).filter((path) => path === '/login'), []);
    });

    test(`${dialect} keeps its session when a call is refused for another reason`, async () => {
        const { sdk, phone, at } = start(dialect);
        await told(sdk.request, { url: at('/orders'), login: true });
        const session = kept(phone);
        phone.calls.length = 0;
        const down = await told(sdk.request, { url: at('/down') });
        assert.deepEqual([down.statusCode, down.data.error], [502, 'upstream_unreachable']);
        const large = await told(sdk.request, { url: at('/small'), method: 'POST', data: 'too large' });
        assert.deepEqual([large.statusCode, large.data.error], [413, 'body_too_large']);
        assert.deepEqual(kept(phone), session);
        assert.equal((await told(sdk.request, { url: at('/orders') })).statusCode, 200);
        assert.deepEqual(paths(phone), ['/down', '/small', '/orders']);
    });

    test(`${dialect} asks once more and no more when a login does not help`, async () => {
        const { sdk, phone, at } = start(dialect);
        const error = await told(sdk.request, { url: at('/elsewhere') }).catch((reason) => reason);
        assert.ok(error instanceof sdk.RequestError);
        const type = dialect === 'wafer1' ? 'ERR_INVALID_SESSION' : 'ERR_SESSION_INVALID';
        assert.deepEqual([error.type, error.message], [type, '登录态已过期']);
        assert.deepEqual(paths(phone), ['/elsewhere', '/login', '/elsewhere']);
        assert.equal(phone.storage.size, 0);
    });
}
