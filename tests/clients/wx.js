// A `wx` for node: what a mini-program's client calls, over real HTTP, with codes from the simulator of WeChat.
// Knows nothing of the clients that are tested with it.

import { readFileSync } from 'node:fs';
import { request as open } from 'node:http';
import { basename } from 'node:path';

/** What every request of a mini-program carries. */
const REFERER = 'https://servicewechat.com/wx0123456789abcdef/7/page-frame.html';
const BOUNDARY = 'the-boundary-of-the-upload';

/**
 * A phone with one user and one mini-program. `wechat` is the simulator's address. With an `appid` the user gives what is
 * asked for, as that mini-program gets it; without one, no more than a test lays into `openData`.
 */
export function createWx({ wechat, user = 'alice', appid = '' }) {
    const phone = { wechat, user, appid, calls: [], codes: [], isKeyStale: false, isStorageBroken: false, openData: [] };
    const storage = createStorage(phone);
    const told = (name, act) => (option = {}) => {
        phone.calls.push({ name, option });
        return act(option);
    };
    const wx = {
        login: told('login', (option) => settle(option, login(phone))),
        checkSession: told('checkSession', (option) => settle(option, checkSession(phone))),
        getUserProfile: told('getUserProfile', (option) => settle(option, openDataOf(phone, 'getUserProfile'))),
        getUserInfo: told('getUserInfo', (option) => settle(option, openDataOf(phone, 'getUserInfo'))),
        request: told('request', (option) => begin(option, request(option))),
        uploadFile: told('uploadFile', (option) => begin(option, uploadFile(option))),
        // Some packages listen to every socket as soon as they are loaded.
        onSocketOpen() {},
        onSocketMessage() {},
        onSocketClose() {},
        onSocketError() {},
        connectSocket: told('connectSocket', (option) => connectSocket(option)),
        ...storage,
    };
    return { wx, phone };
}

/** Storage that throws while it is broken. */
function createStorage(phone) {
    const kept = new Map();
    phone.storage = kept;
    const whole = (name, act) => (...given) => {
        if (phone.isStorageBroken) {
            throw new Error(`${name}:fail exceed storage max size`);
        }
        return act(...given);
    };
    return {
        getStorageSync: whole('getStorageSync', (key) => (kept.has(key) ? JSON.parse(kept.get(key)) : '')),
        setStorageSync: whole('setStorageSync', (key, value) => void kept.set(key, JSON.stringify(value))),
        removeStorageSync: whole('removeStorageSync', (key) => void kept.delete(key)),
    };
}

/** Tells callbacks, or gives a promise where there are none, as wx does. */
function settle({ success, fail, complete }, promise) {
    if (!success && !fail && !complete) {
        return promise;
    }
    promise.then(
        (result) => [success, complete].forEach((tell) => tell && tell(result)),
        (error) => [fail, complete].forEach((tell) => tell && tell(error)),
    );
}

/** Tells callbacks, and gives a task. */
function begin(option, promise) {
    settle({ success: () => {}, ...option }, promise);
    return { abort() {}, onProgressUpdate() {} };
}

/** A code from `phone.codes`, where an Error stands for a failure, else a fresh one. */
async function login(phone) {
    const next = phone.codes.shift();
    if (next instanceof Error) {
        throw { errMsg: next.message };
    }
    const address = `${phone.wechat}/simulator/code?user=${phone.user}`;
    const code = next === undefined ? (await exchange('POST', address, {})).body.toString() : next;
    phone.isKeyStale = false;
    return { code, errMsg: 'login:ok' };
}

async function checkSession(phone) {
    if (phone.isKeyStale) {
        throw { errMsg: 'checkSession:fail session_key is invalid' };
    }
    return { errMsg: 'checkSession:ok' };
}

/** What the user gives: the next of `phone.openData`, where an Error stands for a refusal, else what WeChat has. */
async function openDataOf(phone, name) {
    const refusal = new Error('fail auth deny');
    const next = phone.openData.shift() || (phone.appid ? await userInfo(phone) : refusal);
    if (next instanceof Error) {
        throw { errMsg: `${name}:${next.message}` };
    }
    return { ...next, errMsg: `${name}:ok` };
}

/** What WeChat seals and signs of the user, with the key of now. */
export async function userInfo({ wechat, user, appid }) {
    const { body } = await exchange('POST', `${wechat}/simulator/user-info?appid=${appid}&user=${user}`, {});
    return JSON.parse(body.toString());
}

async function request({ url, method = 'GET', data = {}, header = {}, responseType = 'text', dataType = 'json' }) {
    const type = { 'content-type': 'application/json', ...lowercase(header) };
    const query = new URLSearchParams(data).toString();
    const isInQuery = method === 'GET';
    const target = isInQuery && query ? `${url}${url.includes('?') ? '&' : '?'}${query}` : url;
    const isForm = type['content-type'].includes('form-urlencoded');
    const text = typeof data === 'string' ? data : isForm ? query : JSON.stringify(data);
    const answer = await exchange(method, target, type, isInQuery ? undefined : Buffer.from(text));
    return { ...answer, data: read(answer.body, responseType, dataType), cookies: [], errMsg: 'request:ok' };
}

function read(body, responseType, dataType) {
    if (responseType === 'arraybuffer') {
        return new Uint8Array(body).buffer;
    }
    try {
        return dataType === 'json' ? JSON.parse(body.toString()) : body.toString();
    } catch {
        return body.toString();
    }
}

async function uploadFile({ url, filePath, name, formData = {}, header = {} }) {
    const part = (disposition, body) =>
        Buffer.concat([
            Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n`),
            Buffer.from(body),
            Buffer.from('\r\n'),
        ]);
    const fields = Object.entries(formData).map(([field, value]) => part(`name="${field}"`, value));
    const file = part(`name="${name}"; filename="${basename(filePath)}"`, readFileSync(filePath));
    const body = Buffer.concat([...fields, file, Buffer.from(`--${BOUNDARY}--\r\n`)]);
    const type = { ...lowercase(header), 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };
    const answer = await exchange('POST', url, type, body);
    return { ...answer, data: answer.body.toString(), errMsg: 'uploadFile:ok' };
}

/** A handshake. `answered` is what its end is for a test; a mini-program learns no more than onOpen and onError say. */
function connectSocket({ url, header = {} }) {
    const listeners = { open: [], error: [] };
    const key = Buffer.from('the key of 16 by').toString('base64');
    const handshake = { 'sec-websocket-version': '13', 'sec-websocket-key': key };
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket', ...handshake };
    const answered = exchange('GET', url.replace(/^ws/, 'http'), { ...lowercase(header), ...upgrade });
    answered.then(
        ({ statusCode }) => (statusCode === 101 ? listeners.open : listeners.error).forEach((tell) => tell({})),
        () => listeners.error.forEach((tell) => tell({ errMsg: 'connectSocket:fail' })),
    );
    const listen = (name) => (listener) => void listeners[name].push(listener);
    return { onOpen: listen('open'), onError: listen('error'), close() {}, answered };
}

/** One request on a connection of its own. What breaks it is told in wx's words. */
function exchange(method, url, header, body) {
    return new Promise((done, fail) => {
        const failed = (error) => fail({ errMsg: `request:fail ${error.message}` });
        const length = body === undefined ? {} : { 'content-length': body.length };
        const headers = { referer: REFERER, ...header, ...length };
        const asked = open(url, { method, headers, agent: false }, (answer) => {
            const pieces = [];
            answer.on('data', (piece) => pieces.push(piece));
            answer.on('error', failed);
            answer.on('end', () => {
                done({ statusCode: answer.statusCode, header: answer.headers, body: Buffer.concat(pieces) });
            });
        });
        asked.on('upgrade', (answer, socket) => {
            socket.destroy();
            done({ statusCode: answer.statusCode, header: answer.headers, body: Buffer.alloc(0) });
        });
        asked.on('error', failed);
        asked.end(body);
    });
}

function lowercase(header) {
    return Object.fromEntries(Object.entries(header).map(([name, value]) => [name.toLowerCase(), String(value)]));
}
