// What the tests of the Wafer SDKs start from: a phone, a package as it comes from npm, and the gateway that
// tests/gateway/clients.rs has started.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

import { createWx } from '../wx.js';

const require = createRequire(new URL('../../../target/clients/', import.meta.url));
const APPID = 'wx0123456789abcdef';
const [GATEWAY, WECHAT] = ['WXGATE', 'WECHAT'].map((name) => {
    assert.ok(process.env[name], `${name} is missing: cargo test starts this`);
    return process.env[name];
});

/** A phone whose mini-program has the package, and is set up for the routes below `/${dialect}`. */
export function start(dialect, user = 'alice') {
    const { wx, phone } = createWx({ wechat: WECHAT, user, appid: APPID });
    globalThis.wx = wx;
    const sdk = require(dialect === 'wafer1' ? 'wafer-client-sdk' : 'wafer2-client-sdk');
    sdk.setLoginUrl(`${GATEWAY}/${dialect}/login`);
    return { sdk, phone, at: (path) => `${GATEWAY}/${dialect}${path}` };
}

/** What a function of the packages tells its callbacks, as a promise. */
export function told(act, option = {}) {
    return new Promise((success, fail) => act({ ...option, success, fail }));
}

/** The paths that were asked for, in order, less the dialect. */
export function paths(phone) {
    const urls = phone.calls.filter(({ option }) => option.url).map(({ option }) => new URL(option.url));
    return urls.map((url) => url.pathname.replace(/^\/wafer./, ''));
}

/** The session that the package keeps, and nothing else. */
export function kept(phone) {
    assert.equal(phone.storage.size, 1);
    return JSON.parse([...phone.storage.values()][0]);
}

/** Lets so much time pass on the gateway's clock that every session has ended. */
export async function letSessionsEnd() {
    assert.equal((await fetch(`${GATEWAY}/open/days-pass`)).status, 200);
}
