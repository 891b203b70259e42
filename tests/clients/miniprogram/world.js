// The verbs of the tests: a phone with a client on it, and the gateway that tests/gateway/clients.rs has started.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { createWx } from '../wx.js';

// Older nodes take a .js file for a module only beside a package.json, which is nothing to copy: it comes as text.
const MODULE = readFileSync(new URL('../../../deploy/clients/miniprogram/wxgate.js', import.meta.url), 'base64');
const APPID = 'wx0123456789abcdef';
const { Client } = await import(`data:text/javascript;base64,${MODULE}`);
const [GATEWAY, ADMIN, WECHAT] = ['WXGATE', 'WXGATE_ADMIN', 'WECHAT'].map((name) => {
    assert.ok(process.env[name], `${name} is missing: cargo test starts this`);
    return process.env[name];
});

/** A phone with a client, and what the client's hooks were told. */
export function start(options = {}, user = 'alice') {
    return place(createWx({ wechat: WECHAT, user }), options);
}

/** The same in the hands of a user who gives the mini-program whatever it asks for. */
export function startGiving(user) {
    return place(createWx({ wechat: WECHAT, user, appid: APPID }), {});
}

function place({ wx, phone }, options) {
    globalThis.wx = wx;
    const told = { loginFailed: [], authorizationFailed: [] };
    const client = restart(options, told);
    return { client, phone, told };
}

/** The client as it is after a new start of the mini-program. */
export function restart(options = {}, told = { loginFailed: [], authorizationFailed: [] }) {
    return new Client({
        base: GATEWAY,
        logout: '/wx/logout',
        check: '/wx/check',
        onLoginFailed: (error) => told.loginFailed.push(error.code),
        onAuthorizationFailed: (error) => told.authorizationFailed.push(error.code),
        ...options,
    });
}

/** What was called on the phone, in order. */
export function names(phone) {
    return phone.calls.map(({ name }) => name);
}

/** The paths that were asked for, in order. */
export function paths(phone) {
    const urls = phone.calls.filter(({ option }) => option.url).map(({ option }) => new URL(option.url));
    return urls.map((url) => url.pathname);
}

/** How many logins the gateway did or refused. */
export async function logins() {
    const page = await (await fetch(`${ADMIN}/metrics`)).text();
    const counts = page.split('\n').filter((line) => line.startsWith('wxgate_logins_total{'));
    return counts.reduce((sum, line) => sum + Number(line.split(' ').pop()), 0);
}

/** The skey that the phone keeps, and nothing else. */
export function kept(phone) {
    assert.equal(phone.storage.size, 1);
    return JSON.parse([...phone.storage.values()][0]);
}

/** Lets so much time pass on the gateway's clock that every session has ended. */
export async function letSessionsEnd() {
    assert.equal((await fetch(`${GATEWAY}/open/days-pass`)).status, 200);
}

/** A code that is used up already. */
export async function usedCode() {
    const code = await (await fetch(`${WECHAT}/simulator/code?user=mallory`, { method: 'POST' })).text();
    const app = { appid: APPID, secret: 'the-secret-of-the-shop' };
    const query = new URLSearchParams({ ...app, js_code: code, grant_type: 'authorization_code' });
    const answer = await (await fetch(`${WECHAT}/sns/jscode2session?${query}`)).json();
    assert.ok(answer.openid, JSON.stringify(answer));
    return code;
}
