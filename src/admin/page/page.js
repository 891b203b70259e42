// The operator's page. It asks the listener that it came from and nobody else, and puts in all text as text.
"use strict";

(() => {
  const EVERY = 2000;
  const SAMPLES = 90;
  const FEWEST = 30;
  const ROWS = 20;
  const KEPT = "wxgate-token";
  const CLASSES = ["2", "3", "4", "5"];

  const $ = (id) => document.getElementById(id);
  // Whoever enters or leaves begins another turn; what was asked for in one before is not shown.
  const state = { token: "", turn: 0, timer: 0, last: null, total: [], routes: new Map(), found: null };

  // --- asking -------------------------------------------------------------------------------------------------------

  class Refused extends Error {
    constructor(status, body, wait) {
      super(words(status, body, wait));
      this.status = status;
    }
  }

  function words(status, body, wait) {
    if (status === 401) return "This token is not the right one.";
    if (status === 429) return `Too many wrong tokens came from your address. Try again in ${wait || "a few"} s.`;
    if (body && typeof body.message === "string") return body.message;
    return `The gateway answers with status ${status}.`;
  }

  async function ask(path, method = "GET", body = undefined) {
    // No other can be sent, nor be right.
    if (!/^[\x21-\x7e]+$/.test(state.token)) throw new Refused(401);
    const headers = { Authorization: `Bearer ${state.token}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let answer;
    try {
      answer = await fetch(path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        signal: AbortSignal.timeout(10000),
      });
    } catch (_) {
      throw new Error("The gateway does not answer.");
    }
    let told = null;
    try {
      told = await answer.json();
    } catch (_) {
      told = null;
    }
    if (!answer.ok) throw new Refused(answer.status, told, answer.headers.get("Retry-After"));
    return told;
  }

  // --- small parts --------------------------------------------------------------------------------------------------

  function part(name, text, className) {
    const node = document.createElement(name);
    if (text !== undefined) node.textContent = text;
    if (className) node.className = className;
    return node;
  }

  function drawn(name, attributes) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  }

  function cell(text, className) {
    return part("td", text, className);
  }

  function count(number) {
    return Math.round(number).toLocaleString("en-US");
  }

  function rate(number) {
    return number >= 100 ? count(number) : number.toFixed(1);
  }

  function took(seconds) {
    if (!Number.isFinite(seconds)) return "–";
    const millis = seconds * 1000;
    if (millis >= 1000) return `${seconds.toFixed(2)} s`;
    return `${millis.toFixed(millis >= 10 ? 0 : millis >= 1 ? 1 : 2)} ms`;
  }

  function span(seconds) {
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} d`;
  }

  function since(text, now) {
    const seconds = (Date.parse(now) - Date.parse(text)) / 1000;
    return seconds < 1 ? "now" : `${span(seconds)} ago`;
  }

  /** Lines over the last samples, all on one scale; `lines` are [class, numbers]. */
  function chart(lines, label, ruled) {
    const [width, height] = [600, 100];
    const top = Math.max(1e-9, ...lines.flatMap(([, numbers]) => numbers));
    const svg = drawn("svg", {
      viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": label,
    });
    if (ruled) {
      for (const y of [0.5, height / 2, height - 0.5]) {
        svg.append(drawn("line", { class: "rule", x1: 0, x2: width, y1: y, y2: y }));
      }
    }
    for (const [name, numbers] of lines) {
      // A young line begins at the left, and is not drawn out.
      const step = width / (Math.max(FEWEST, numbers.length) - 1);
      const points = numbers.map((number, at) => {
        const y = height - 2 - (number / top) * (height - 4);
        return `${(at * step).toFixed(1)},${y.toFixed(1)}`;
      });
      svg.append(drawn("polyline", { class: name, points: points.join(" ") }));
    }
    return svg;
  }

  function push(numbers, number) {
    numbers.push(number);
    if (numbers.length > SAMPLES) numbers.shift();
  }

  // --- what was counted ---------------------------------------------------------------------------------------------

  function classesOf(requests) {
    const sums = { 2: 0, 3: 0, 4: 0, 5: 0 };
    for (const [status, number] of Object.entries(requests)) {
      // A client that went away counts under 499, and a status of its own kind with the errors.
      const name = CLASSES.includes(status[0]) ? status[0] : status[0] === "1" ? "2" : "5";
      sums[name] += number;
    }
    return sums;
  }

  function sum(sums) {
    return CLASSES.reduce((all, name) => all + sums[name], 0);
  }

  /** What came between two looks, per second; nothing after a start of the gateway. */
  function between(read) {
    const seen = new Map();
    for (const route of read.routes) {
      const sums = classesOf(route.requests);
      seen.set(route.route, { sums, all: sum(sums), seconds: route.seconds });
    }
    const refused = Object.values(read.refusals).reduce((all, number) => all + number, 0);
    // The gateway tells whole seconds, which are too few to divide by.
    const now = { seen, refused, started: read.started, at: performance.now() };
    const last = state.last;
    state.last = now;
    if (!last || last.started !== now.started || now.at <= last.at) return null;
    const seconds = (now.at - last.at) / 1000;
    const routes = new Map();
    for (const [label, { sums, all, seconds: busy }] of seen) {
      const before = last.seen.get(label) || { sums: { 2: 0, 3: 0, 4: 0, 5: 0 }, all: 0, seconds: 0 };
      const rates = {};
      for (const name of CLASSES) rates[name] = (sums[name] - before.sums[name]) / seconds;
      const came = all - before.all;
      routes.set(label, { rates, rate: came / seconds, came, busy: busy - before.seconds });
    }
    return { routes, refused: (refused - last.refused) / seconds };
  }

  function showFigures(read, passed) {
    const sessions = read.apps.reduce((all, app) => all + app.sessions, 0);
    $("figure-sessions").textContent = count(sessions);
    $("figure-connections").textContent = count(read.connections);
    $("figure-websockets").textContent = count(read.websockets);
    $("about").textContent = `${read.version} · ${read.phase} · up ${span(read.uptime_seconds)} · ${read.workers} ${read.workers === 1 ? "worker" : "workers"}`;
    $("updated").textContent = `as of ${read.now}`;
    if (!passed) return;
    let [all, came, busy] = [0, 0, 0];
    for (const route of passed.routes.values()) {
      all += route.rate;
      came += route.came;
      busy += route.busy;
    }
    $("figure-rate").textContent = rate(all);
    $("figure-time").textContent = took(came > 0 ? busy / came : NaN);
    $("figure-refused").textContent = rate(passed.refused);
  }

  function showTraffic(read, passed) {
    if (passed) {
      const now = { 2: 0, 3: 0, 4: 0, 5: 0 };
      for (const [label, route] of passed.routes) {
        for (const name of CLASSES) now[name] += route.rates[name];
        const kept = state.routes.get(label) || { rates: [], mean: NaN };
        push(kept.rates, route.rate);
        if (route.came > 0) kept.mean = route.busy / route.came;
        state.routes.set(label, kept);
      }
      push(state.total, now);
    }
    const lines = CLASSES.map((name) => [`s${name}`, state.total.map((one) => one[name])]);
    const last = state.total[state.total.length - 1] || { 2: 0, 3: 0, 4: 0, 5: 0 };
    const told = CLASSES.map((name) => `${name}xx ${rate(last[name])}`).join(", ");
    $("traffic-chart").replaceChildren(chart(lines, `Requests per second by status: ${told}`, true));
    $("traffic-legend").replaceChildren(
      ...CLASSES.map((name) => {
        const entry = part("span");
        entry.append(part("span", undefined, `key s${name}`), `${name}xx `, part("b", rate(last[name])));
        return entry;
      }),
      part("span", `full height ${rate(Math.max(0, ...lines.flatMap(([, numbers]) => numbers)))} / s`, "scale"),
    );
    const busiest = read.routes.filter((route) => sum(classesOf(route.requests)) > 0);
    $("routes").replaceChildren(...busiest.map(routeRow));
  }

  function routeRow(route) {
    const kept = state.routes.get(route.route) || { rates: [], mean: NaN };
    const now = kept.rates[kept.rates.length - 1] || 0;
    const row = part("tr");
    const spark = cell(undefined, "line");
    const box = part("div", undefined, "spark");
    box.append(chart([["s2", kept.rates]], `${rate(now)} requests per second to ${route.route}`, false));
    spark.append(box);
    row.append(cell(route.route, "label mono"), spark, cell(rate(now), "number"), cell(took(kept.mean), "number"));
    const sums = classesOf(route.requests);
    for (const name of CLASSES) {
      const tone = sums[name] === 0 ? "zero" : name === "5" ? "bad" : "";
      row.append(cell(count(sums[name]), `number ${tone}`));
    }
    return row;
  }

  function showLogins(read) {
    const groups = read.apps.map((app) => {
      const group = part("div", undefined, "group");
      const all = Object.values(app.logins).reduce((all, number) => all + number, 0);
      group.append(part("h3", app.app));
      if (all === 0) {
        group.append(part("p", `No login so far; ${count(app.sessions)} sessions.`));
        return group;
      }
      const table = part("table");
      const body = part("tbody");
      const outcomes = Object.entries(app.logins).sort((a, b) => b[1] - a[1]);
      for (const [outcome, number] of outcomes) {
        const row = part("tr");
        const share = `${((100 * number) / all).toFixed(1)} %`;
        row.append(cell(outcome, "mono"), cell(count(number), "number"), cell(share, "number zero"));
        body.append(row);
      }
      table.append(body);
      group.append(table);
      return group;
    });
    $("logins").replaceChildren(...groups);
    const select = $("app");
    if (select.options.length === 1 + read.apps.length) return;
    const chosen = select.value;
    const options = read.apps.map((app) => {
      const option = part("option", app.app);
      option.value = app.app;
      return option;
    });
    select.replaceChildren(select.options[0], ...options);
    select.value = chosen;
  }

  function showUpstreams(read) {
    const groups = read.upstreams.map((upstream) => {
      const group = part("div", undefined, "group");
      group.append(part("h3", upstream.upstream));
      const outcomes = Object.entries(upstream.requests).filter(([, number]) => number > 0);
      const told = outcomes.map(([outcome, number]) => `${count(number)} ${outcome}`);
      const { active, idle } = upstream.connections;
      told.push(`${count(active)} + ${count(idle)} connections`);
      if (upstream.probe !== null) told.push(`asked for ${upstream.probe}`);
      group.append(part("p", told.join(" · ")));
      const table = part("table");
      const body = part("tbody");
      body.append(...upstream.servers.map(serverRow));
      table.append(body);
      group.append(table);
      return group;
    });
    $("upstreams").replaceChildren(...groups);
  }

  function serverRow(server) {
    const row = part("tr");
    const names = { ok: "healthy", ill: "not well", ejected: "passed over" };
    const told = cell();
    told.append(part("span", names[server.state] || server.state, server.state === "ok" ? "state" : "state wrong"));
    const more = [];
    if (server.passed_over_by > 0) more.push(`by ${server.passed_over_by} of ${server.workers} workers`);
    if (server.back_in_seconds !== null) more.push(`for ${span(server.back_in_seconds + 1)}`);
    if (server.fails > 0) more.push(`${server.fails} unanswered in a row`);
    row.append(cell(server.server, "label mono"), told, cell(more.join(", "), "number zero"));
    return row;
  }

  function showRefusals(read, now) {
    const rows = read.refusals.slice(0, 50).map((refusal) => {
      const row = part("tr");
      row.append(
        cell(refusal.code === null ? "–" : refusal.code, "mono"),
        cell(refusal.reason, "label"),
        cell(refusal.route === null ? "–" : refusal.route, "label mono"),
        cell(count(refusal.count), "number"),
        cell(since(refusal.last, now), "number"),
      );
      return row;
    });
    $("refusals").replaceChildren(...rows);
    $("refusals-none").hidden = rows.length > 0;
  }

  async function look(turn) {
    // One of them first: a wrong token counts once.
    const overview = await ask("/api/overview");
    const [upstreams, refusals] = await Promise.all(["/api/upstreams", "/api/refusals"].map((path) => ask(path)));
    if (turn !== state.turn) return;
    const passed = between(overview);
    showFigures(overview, passed);
    showTraffic(overview, passed);
    showLogins(overview);
    showUpstreams(upstreams);
    showRefusals(refusals, overview.now);
  }

  async function lookAgain(turn) {
    let said = "";
    try {
      if (!document.hidden) await look(turn);
    } catch (error) {
      if (turn === state.turn && error.status === 401) return leave(error.message);
      said = error.message;
    }
    if (turn !== state.turn) return;
    $("said").textContent = said;
    state.timer = setTimeout(() => lookAgain(turn), EVERY);
  }

  // --- sessions -----------------------------------------------------------------------------------------------------

  async function find(cursors) {
    const [app, openid] = [$("app").value, $("openid").value.trim()];
    const asked = new URLSearchParams({ limit: String(ROWS) });
    if (app) asked.set("app", app);
    if (openid) asked.set("openid", openid);
    const cursor = cursors[cursors.length - 1];
    if (cursor) asked.set("cursor", cursor);
    const turn = state.turn;
    await guarded(async () => {
      const page = await ask(`/api/sessions?${asked}`);
      if (turn !== state.turn) return;
      state.found = { app, openid, cursors, next: page.next };
      $("sessions").replaceChildren(...page.sessions.map(sessionRow));
      $("found").hidden = false;
      $("previous").disabled = cursors.length === 1;
      $("next").disabled = page.next === null;
      $("end-all").hidden = !(app && openid && page.sessions.length > 0);
      $("sessions-said").textContent = page.sessions.length > 0 ? "" : "There is no such session.";
    });
  }

  function sessionRow(session) {
    const row = part("tr");
    const act = cell(undefined, "act");
    const end = part("button", "End", "danger");
    end.type = "button";
    end.setAttribute("aria-label", `End session ${session.id}`);
    end.addEventListener("click", () => endOne(session));
    act.append(end);
    const short = cell(`${session.id.slice(0, 8)}…`, "mono");
    short.title = session.id;
    row.append(
      short,
      cell(session.app),
      cell(session.openid, "label mono"),
      cell(when(session.last_used)),
      cell(when(session.expires)),
      act,
    );
    return row;
  }

  function when(text) {
    return text.replace("T", " ").replace(/(\.\d+)?Z$/, "");
  }

  async function endOne(session) {
    const text = `The session ${session.id.slice(0, 8)}… of ${session.openid} in ${session.app} ends at once. Its client must log in again.`;
    if (!(await agreed("End this session?", text))) return;
    await guarded(async () => {
      await ask(`/api/sessions/${encodeURIComponent(session.id)}`, "DELETE");
      await find(state.found.cursors);
      $("sessions-said").textContent = "1 session has ended.";
    });
  }

  async function endAll() {
    const { app, openid } = state.found;
    const text = `All sessions of ${openid} in ${app} end at once. Each of its clients must log in again.`;
    if (!(await agreed("End all sessions of this user?", text))) return;
    await guarded(async () => {
      const { revoked } = await ask("/api/sessions/revoke", "POST", { app, openid });
      await find([null]);
      $("sessions-said").textContent = `${count(revoked)} ${revoked === 1 ? "session has" : "sessions have"} ended.`;
    });
  }

  async function guarded(act) {
    const turn = state.turn;
    $("sessions-said").textContent = "";
    try {
      await act();
    } catch (error) {
      if (turn !== state.turn) return;
      if (error.status === 401) return leave(error.message);
      $("sessions-said").textContent = error.message;
    }
  }

  function agreed(title, text) {
    const dialog = $("ask");
    $("ask-title").textContent = title;
    $("ask-text").textContent = text;
    return new Promise((decide) => {
      let yes = false;
      $("ask-yes").onclick = () => {
        yes = true;
        dialog.close();
      };
      $("ask-no").onclick = () => dialog.close();
      dialog.onclose = () => decide(yes);
      dialog.showModal();
    });
  }

  // --- entering and leaving -----------------------------------------------------------------------------------------

  async function enter(token, keep) {
    clearTimeout(state.timer);
    const turn = ++state.turn;
    state.token = token;
    $("entrance-said").textContent = "";
    try {
      await look(turn);
    } catch (error) {
      if (turn !== state.turn) return;
      const why = error.status === 404 ? "This gateway has no token, and so no page." : error.message;
      return leave(why, error.status === 401);
    }
    if (turn !== state.turn) return;
    if (keep) sessionStorage.setItem(KEPT, token);
    $("token").value = "";
    $("entrance").hidden = true;
    $("inside").hidden = false;
    state.timer = setTimeout(() => lookAgain(turn), EVERY);
  }

  /** Ends the turn. A token that may still be the right one need not be forgotten. */
  function leave(why, forgets = true) {
    clearTimeout(state.timer);
    state.turn += 1;
    if (forgets) sessionStorage.removeItem(KEPT);
    Object.assign(state, { token: "", last: null, total: [], routes: new Map(), found: null });
    for (const id of ["routes", "refusals", "sessions", "upstreams", "logins", "config"]) $(id).replaceChildren();
    if ($("ask").open) $("ask").close();
    $("config-part").open = false;
    $("found").hidden = true;
    $("openid").value = "";
    $("inside").hidden = true;
    $("entrance").hidden = false;
    $("entrance-said").textContent = why || "";
    $("token").focus();
  }

  $("enter").addEventListener("submit", (event) => {
    event.preventDefault();
    enter($("token").value, $("keep").checked);
  });
  $("leave").addEventListener("click", () => leave(""));
  $("find").addEventListener("submit", (event) => {
    event.preventDefault();
    find([null]);
  });
  $("next").addEventListener("click", () => find([...state.found.cursors, state.found.next]));
  $("previous").addEventListener("click", () => find(state.found.cursors.slice(0, -1)));
  $("end-all").addEventListener("click", endAll);
  $("config-part").addEventListener("toggle", async () => {
    if (!$("config-part").open || !state.token) return;
    try {
      $("config").textContent = JSON.stringify(await ask("/api/config"), null, 2);
    } catch (error) {
      $("config").textContent = error.message;
    }
  });

  const kept = sessionStorage.getItem(KEPT);
  if (kept) enter(kept, true);
})();
