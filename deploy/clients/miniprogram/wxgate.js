// The client's half of wxgate, for mini-programs: the session, and what is sent under it. Knows no pages, no backend.
// Copy this file; it depends on nothing. README.md beside it says how to use it.

/** The refusals after which a login helps. wxgate refuses before a backend sees anything, so a repeat is safe. */
const SESSION_REFUSALS = ['session_invalid', 'session_missing'];
/** The refusal after which a login would throw the user's other device out, which is for the user to decide. */
const REPLACED = 'session_replaced';
/** The refusals after which a login and data that was fetched after it help: neither a seal nor a signature outlives its key. */
const DATA_REFUSALS = ['data_undecryptable', 'signature_invalid'];
/** The refusals after which another code helps. */
const CODE_REFUSALS = ['login_code_used', 'login_code_invalid'];
/** What wxgate reads of the data that WeChat hands out. */
const OPEN_DATA_FIELDS = ['encryptedData', 'iv', 'rawData', 'signature'];

/**
 * @typedef {object} Options
 * @property {string} base Where wxgate is: scheme and host alone, `https://api.example.com`. No skey goes elsewhere.
 * @property {string} [login] The path of the route with `action = "login"`; `/wx/login` by itself.
 * @property {string} [logout] The one with `action = "logout"`; without it, logout ends nothing at wxgate.
 * @property {string} [check] The one with `action = "check"`; without it, nobody asks before `connect`.
 * @property {string} [header] The header that carries the skey, one of `token` in the config; `X-Skey` by itself.
 * @property {string} [storageKey] Where the skey is kept in wx's storage; a name made of `base` by itself.
 * @property {(error: WxgateError) => void} [onLoginFailed] Told once of each login that failed, however many wait.
 * @property {(error: WxgateError) => void} [onAuthorizationFailed] Told if the user withholds data, if a request is
 *     refused after a fresh login too, or if the user has logged in elsewhere since.
 */

/**
 * What wx's calls take and give, but for these: `url` is a path, `onTask` is handed the task of each attempt, and
 * `openData` fetches what WeChat hands out under the session_key, anew for each attempt.
 * @typedef {string | WechatMiniprogram.IAnyObject | ArrayBuffer} Data
 * @typedef {{ encryptedData?: string, iv?: string, rawData?: string, signature?: string }} OpenData
 * @typedef {() => OpenData | Promise<OpenData>} FetchOpenData
 * @typedef {{ openData?: FetchOpenData, onTask?: (task: WechatMiniprogram.RequestTask) => void }} RequestMore
 * @typedef {Omit<WechatMiniprogram.RequestOption, 'success' | 'fail' | 'complete'> & RequestMore} RequestOption
 * @typedef {{ onTask?: (task: WechatMiniprogram.UploadTask) => void }} UploadMore
 * @typedef {Omit<WechatMiniprogram.UploadFileOption, 'success' | 'fail' | 'complete'> & UploadMore} UploadOption
 * @typedef {Omit<WechatMiniprogram.ConnectSocketOption, 'success' | 'fail' | 'complete'>} ConnectOption
 * @typedef {{ statusCode: number, data: unknown, header?: WechatMiniprogram.IAnyObject }} Answer
 */

/** Why there is no answer. `code` is one of wxgate's refusals, or one of those that README.md lists. */
export class WxgateError extends Error {
    /**
     * @param {string} code
     * @param {string} message For developers, in English.
     * @param {Answer} [answer] What wxgate said.
     */
    constructor(code, message, answer) {
        super(message);
        this.name = 'WxgateError';
        this.code = code;
        /** The HTTP status, 0 without an answer. */
        this.statusCode = answer ? answer.statusCode : 0;
        /** What wxgate's log calls the request, '' without an answer. */
        this.requestId = answer ? headerOf(answer, 'x-request-id') : '';
        /** In how many seconds to try again, 0 if wxgate did not say. */
        this.retryAfter = answer ? Number(headerOf(answer, 'retry-after')) || 0 : 0;
    }
}

/** A user's session, and what is sent under it. A mini-program needs one. */
export class Client {
    /** @param {Options} options */
    constructor(options) {
        if (!/^https?:\/\/[^/?#@\\]+$/.test(options.base)) {
            throw new TypeError(`base is scheme and host, such as https://api.example.com, not ${options.base}`);
        }
        const usual = { login: '/wx/login', logout: '', check: '', header: 'X-Skey' };
        /** @private */
        this._options = Object.assign({ storageKey: `wxgate ${options.base}` }, usual, options);
        const { login, logout, check } = this._options;
        [login, logout, check].filter((path) => path).forEach((path) => this._at(path));
        /** @private */
        this._skey = stored(this._options.storageKey);
        /** @private @type {Promise<void> | null} The login that everyone waits for. */
        this._login = null;
    }

    /**
     * Logs in, without a word to the user. There is one login at a time: who calls meanwhile waits for the same.
     * @returns {Promise<void>}
     */
    login() {
        if (!this._login) {
            const over = () => {
                this._login = null;
            };
            this._login = this._logIn().then(over, (error) => {
                over();
                tell(this._options.onLoginFailed, error);
                throw error;
            });
        }
        return this._login;
    }

    /**
     * Ends the session, here in any case. The next request logs in again.
     * @returns {Promise<void>}
     */
    async logout() {
        await (this._login || Promise.resolve()).catch(() => {});
        const skey = this._skey;
        this._keep('');
        if (skey && this._options.logout) {
            await call(this._under(skey, { url: this._options.logout, method: 'POST' }));
        }
    }

    /**
     * wx.request under the session. Any answer of the backend is one, whatever its status.
     * @template {Data} [T=Data]
     * @param {RequestOption} option
     * @returns {Promise<WechatMiniprogram.RequestSuccessCallbackResult<T>>}
     */
    async request(option) {
        const { openData, ...plain } = option;
        if (!openData) {
            return this._attempt(SESSION_REFUSALS, (skey) => call(this._under(skey, plain)));
        }
        await this.prepare();
        return this._attempt(SESSION_REFUSALS.concat(DATA_REFUSALS), async (skey) => {
            const data = Object.assign({}, plain.data, await this._fetch(openData));
            return call(this._under(skey, { ...plain, data }));
        });
    }

    /**
     * wx.uploadFile under the session.
     * @param {UploadOption} option
     * @returns {Promise<WechatMiniprogram.UploadFileSuccessCallbackResult>}
     */
    async upload(option) {
        return this._attempt(SESSION_REFUSALS, (skey) => send(this._under(skey, option)));
    }

    /**
     * wx.connectSocket under the session. WeChat tells nobody why a handshake failed: so the session is checked before.
     * @param {ConnectOption} option
     * @returns {Promise<WechatMiniprogram.SocketTask>}
     */
    async connect(option) {
        await this._revive();
        const under = this._under(this._skey, option);
        return wx.connectSocket({ ...under, url: under.url.replace(/^http/, 'ws') });
    }

    /**
     * Makes sure that data which WeChat encrypts from now on can be opened: call it before such data is fetched.
     * @returns {Promise<void>}
     */
    async prepare() {
        if (await isKeyGood()) {
            await this._revive();
        } else {
            await this.login();
        }
    }

    /**
     * Does something under a session; if it is refused in a way that a login mends, logs in and does it once more.
     * @private
     * @template {Answer} A
     * @param {string[]} mended
     * @param {(skey: string) => Promise<A>} act
     * @returns {Promise<A>}
     */
    async _attempt(mended, act) {
        if (!this._skey) {
            await this.login();
        }
        const skey = this._skey;
        const answer = await act(skey);
        const refused = refusalOf(answer);
        if (refused.code === REPLACED) {
            if (this._skey === skey) {
                this._keep('');
            }
            throw this._denied(new WxgateError(REPLACED, refused.message, answer));
        }
        if (!mended.includes(refused.code)) {
            return answer;
        }
        // Whoever was refused with an older skey takes the one that another's login has brought since.
        if (this._skey === skey) {
            this._keep('');
        }
        if (!this._skey) {
            await this.login();
        }
        const second = await act(this._skey);
        const { code, message } = refusalOf(second);
        if (mended.includes(code)) {
            throw this._denied(new WxgateError(code, `${message} (after a fresh login)`, second));
        }
        return second;
    }

    /** @private Logs in if wxgate does not know the session any more. */
    async _revive() {
        if (!this._skey) {
            await this.login();
        } else if (this._options.check) {
            await this.request({ url: this._options.check, method: 'POST' });
        }
    }

    /** @private */
    async _logIn() {
        let answer = await this._exchange();
        if (CODE_REFUSALS.includes(refusalOf(answer).code)) {
            answer = await this._exchange();
        }
        const { skey } = objectOf(answer.data);
        if (answer.statusCode !== 200 || typeof skey !== 'string' || !skey) {
            const { code, message } = refusalOf(answer);
            throw new WxgateError(code || 'login_failed', message || 'the login has another answer than skey', answer);
        }
        this._keep(skey);
    }

    /** @private */
    async _exchange() {
        const code = await freshCode();
        return call({ url: this._at(this._options.login), method: 'POST', data: { code } });
    }

    /**
     * @private
     * @param {FetchOpenData} openData
     */
    async _fetch(openData) {
        /** @type {WechatMiniprogram.IAnyObject} */
        let data;
        try {
            data = objectOf(await openData());
        } catch (error) {
            throw this._denied(new WxgateError('authorization_denied', wordsOf(error)));
        }
        if (!data.encryptedData) {
            throw this._denied(new WxgateError('authorization_denied', wordsOf(data)));
        }
        const there = OPEN_DATA_FIELDS.filter((name) => name in data);
        return Object.assign({}, ...there.map((name) => ({ [name]: data[name] })));
    }

    /**
     * @private
     * @param {WxgateError} error
     */
    _denied(error) {
        tell(this._options.onAuthorizationFailed, error);
        return error;
    }

    /**
     * The same option with the whole URL and the skey.
     * @private
     * @template {{ url: string, header?: WechatMiniprogram.IAnyObject }} O
     * @param {string} skey
     * @param {O} option
     * @returns {O}
     */
    _under(skey, option) {
        const header = Object.assign({}, option.header, { [this._options.header]: skey });
        return Object.assign({}, option, { url: this._at(option.url), header });
    }

    /**
     * @private
     * @param {string} path
     */
    _at(path) {
        if (!path.startsWith('/')) {
            throw new TypeError(`a path at ${this._options.base} begins with a slash: ${path}`);
        }
        return this._options.base + path;
    }

    /**
     * @private
     * @param {string} skey '' for none.
     */
    _keep(skey) {
        this._skey = skey;
        try {
            if (skey) {
                wx.setStorageSync(this._options.storageKey, skey);
            } else {
                wx.removeStorageSync(this._options.storageKey);
            }
        } catch (error) {
            // Full or broken storage costs a login at the next start, no more.
            console.warn('wxgate: the skey is not stored', wordsOf(error));
        }
    }
}

/**
 * @template {Data} T
 * @param {RequestOption} option
 * @returns {Promise<WechatMiniprogram.RequestSuccessCallbackResult<T>>}
 */
function call({ onTask = () => {}, ...option }) {
    return new Promise((success, fail) => onTask(wx.request({ ...option, success, fail: unreachable(fail) })));
}

/**
 * @param {UploadOption} option
 * @returns {Promise<WechatMiniprogram.UploadFileSuccessCallbackResult>}
 */
function send({ onTask = () => {}, ...option }) {
    return new Promise((success, fail) => onTask(wx.uploadFile({ ...option, success, fail: unreachable(fail) })));
}

/** @returns {Promise<string>} */
function freshCode() {
    return new Promise((done, fail) => {
        const failed = (/** @type {unknown} */ error) => fail(new WxgateError('wx_login_failed', wordsOf(error)));
        wx.login({ success: (result) => (result.code ? done(result.code) : failed(result)), fail: failed });
    });
}

/** Whether the session_key of the last code still holds, as far as WeChat tells. */
function isKeyGood() {
    return new Promise((done) => wx.checkSession({ success: () => done(true), fail: () => done(false) }));
}

/**
 * @param {string} key
 * @returns {string} '' for none.
 */
function stored(key) {
    try {
        const skey = wx.getStorageSync(key);
        return typeof skey === 'string' ? skey : '';
    } catch (error) {
        console.warn('wxgate: the storage cannot be read', wordsOf(error));
        return '';
    }
}

/**
 * Calls a hook. What it throws does not hide the reason why it was called.
 * @param {((error: WxgateError) => void) | undefined} hook
 * @param {WxgateError} error
 */
function tell(hook, error) {
    try {
        if (hook) {
            hook(error);
        }
    } catch (thrown) {
        console.error('wxgate: a hook failed', thrown);
    }
}

/**
 * The refusal that an answer is; `code` is '' for one that is none.
 * @param {Answer} answer
 */
function refusalOf(answer) {
    const { error, message } = answer.statusCode < 400 ? {} : objectOf(answer.data);
    return { code: typeof error === 'string' ? error : '', message: typeof message === 'string' ? message : '' };
}

/**
 * The object that a body is, be it parsed, text or bytes; an empty one if it is none.
 * @param {unknown} body
 * @returns {WechatMiniprogram.IAnyObject}
 */
function objectOf(body) {
    let value = body;
    try {
        if (value instanceof ArrayBuffer) {
            value = Array.from(new Uint8Array(value), (byte) => String.fromCharCode(byte)).join('');
        }
        value = typeof value === 'string' ? JSON.parse(value) : value;
    } catch (error) {
        return {};
    }
    return typeof value === 'object' && value !== null ? value : {};
}

/**
 * @param {Answer} answer
 * @param {string} name In small letters.
 * @returns {string}
 */
function headerOf(answer, name) {
    const header = answer.header || {};
    const found = Object.keys(header).find((known) => known.toLowerCase() === name);
    return found ? String(header[found]) : '';
}

/** @param {(error: WxgateError) => void} fail */
function unreachable(fail) {
    return (/** @type {unknown} */ error) => fail(new WxgateError('network_failed', wordsOf(error)));
}

/** @param {unknown} error */
function wordsOf(error) {
    const { errMsg, message } = objectOf(error);
    return String(errMsg || message || error);
}
